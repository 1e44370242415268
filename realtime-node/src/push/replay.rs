//! Replaying the log: what was acknowledged but not published when the process ended comes again,
//! the same rows, the same refusals, the same types, whatever the settings are by now.
//!
//! A record says what parsing it depends on and which of its events became rows ([`super::record`]).
//! Where this program would decide otherwise the record is right: an event that was refused stays
//! refused, and one that was stored and is refused now goes to the dead letters, counted and logged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use henge_platform::metadata::{DATASOURCE, LetterRecord};
use henge_platform::runtime::MemoryAccount;
use henge_platform::wal::{Replay as LogRecords, WalEntry, WalRecord};
use tokio::sync::OwnedMutexGuard;

use super::PushReply;
use super::accept::parse_body;
use super::keys::{KeyState, OwnedKey, PushKeys};
use super::log::PushLog;
use super::log_source::log_outcome;
use super::receipt::PushReceipt;
use super::record::{OUTCOME, RecordContext, StoredEvents, decode_outcome};
use crate::error::{RealtimeError, Result};
use crate::ingest::intake::Intake;
use crate::ingest::published::Published;
use crate::ingest::refusals::Refusals;
use crate::ingest::row_buffer::{RowBuffer, RowLimits};
use crate::ingest::schema::{DatasourceSchema, parse_schema};
use crate::ingest::source::{Origin, ReadRows};
use crate::letters;
use crate::priority::PUSH_PRIORITY;
use crate::repeat::until_known;
use crate::shared::Shared;

/// What is read again of a log. Pushes wait for the intake until it was read to its end, so that new
/// events line up with the sinks.
#[derive(Debug)]
pub(super) struct Replay {
    datasource: Arc<str>,
    /// The log's name.
    log: Arc<str>,
    shared: Arc<Shared>,
    wal: PushLog,
    keys: PushKeys,
    published: Published,
    /// The schema of requests to come.
    newest: Arc<DatasourceSchema>,
    /// `None` at the end.
    intake: Option<OwnedMutexGuard<Intake>>,
    /// The rows that were refused when they were added, by the sequence of their request.
    outcomes: HashMap<u64, Vec<u64>>,
    records: Option<LogRecords>,
    events: u64,
}

/// A record, read again.
struct Replayed {
    rows: ReadRows,
    /// Events that were stored and are refused now.
    lost: Refusals,
    /// Where they are.
    lost_positions: Vec<u64>,
}

impl Replay {
    /// Reads with an intake that knows what was known where what is published ends.
    pub(super) async fn new(
        (datasource, log): (&Arc<str>, &Arc<str>),
        shared: &Arc<Shared>,
        (wal, keys): (&PushLog, &PushKeys),
        published: &Published,
        intake: &Arc<tokio::sync::Mutex<Intake>>,
    ) -> Self {
        let intake = Arc::clone(intake).lock_owned().await;
        Self {
            datasource: Arc::clone(datasource),
            log: Arc::clone(log),
            shared: Arc::clone(shared),
            wal: wal.clone(),
            keys: keys.clone(),
            published: published.clone(),
            newest: Arc::clone(&intake.schema),
            intake: Some(intake),
            outcomes: HashMap::new(),
            records: None,
            events: 0,
        }
    }

    /// Begins with a record.
    pub(super) async fn begin(&mut self, record: u64) -> Result<()> {
        let mut records = self.wal.wal.replay(record);
        let read = move || read_outcomes(&mut records);
        self.outcomes = self.shared.ingest_pool.spawn(PUSH_PRIORITY, read).await??;
        self.records = Some(self.wal.wal.replay(record));
        Ok(())
    }

    /// The next request as rows; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<ReadRows>> {
        while let Some(record) = self.next_record().await? {
            if record.entry.flags == OUTCOME {
                continue;
            }
            let Some(mut intake) = self.intake.take() else { return Ok(None) };
            if record.entry.schema_version != intake.schema.version {
                *intake = self.intake_of(record.entry.schema_version).await?;
            }
            let Some(key) = self.claim(&record) else {
                self.intake = Some(intake);
                continue;
            };
            let refused_later = self.outcomes.remove(&record.sequence).unwrap_or_default();
            let (intake, replayed) =
                read_again((&self.shared, &self.log), intake, record, key, refused_later).await?;
            self.intake = Some(intake);
            return self.note_lost(replayed).await.map(Some);
        }
        self.end()
    }

    fn end(&mut self) -> Result<Option<ReadRows>> {
        if self.events > 0 {
            tracing::info!(datasource = %self.datasource, events = self.events, "replayed the log");
        }
        if let Some(mut intake) = self.intake.take()
            && intake.schema.version != self.newest.version
        {
            *intake = self.intake_knowing(Arc::clone(&self.newest))?;
        }
        Ok(None)
    }

    async fn next_record(&mut self) -> Result<Option<WalRecord>> {
        let Some(mut records) = self.records.take() else { return Ok(None) };
        let read = move || {
            let record = records.next().transpose();
            (records, record)
        };
        let (records, record) = self.shared.ingest_pool.spawn(PUSH_PRIORITY, read).await?;
        self.records = Some(records);
        Ok(record?)
    }

    async fn intake_of(&mut self, version: u64) -> Result<Intake> {
        let (shared, datasource) = (&self.shared, &self.datasource);
        let metadata = &shared.metadata;
        // What was read so far is announced, and cannot be read again from the beginning.
        let ask = || metadata.get_document_version(DATASOURCE, datasource, version);
        let record = until_known(ask).await?.ok_or_else(|| {
            RealtimeError::Unavailable(format!(
                "the log of '{datasource}' refers to schema version {version}, which is not in the \
                 metadata: restore them, or move the log away and accept the loss"
            ))
        })?;
        let schema = parse_schema(shared, version, &record.body_json).await?;
        self.intake_knowing(schema)
    }

    fn intake_knowing(&self, schema: Arc<DatasourceSchema>) -> Result<Intake> {
        let columns = self.published.columns(schema.version);
        Intake::knowing(schema, &self.shared.options.parse_limits, &columns)
    }

    /// The record's key; `None` when the whole record repeats an earlier one. A log holds a request
    /// twice only when an earlier version of this program answered 500 after logging it.
    fn claim(&self, record: &WalRecord) -> Option<Option<OwnedKey>> {
        let Some(key) = &record.entry.idempotency_key else { return Some(None) };
        match self.keys.claim(key, &record.entry.payload) {
            KeyState::New(owned) => Some(Some(owned)),
            KeyState::OtherBody => Some(None),
            KeyState::Seen(_) => {
                tracing::warn!(
                    datasource = %self.datasource, sequence = record.sequence, %key,
                    "left out a log record that repeats an earlier one with the same idempotency key"
                );
                None
            }
        }
    }

    /// Keeps the events that were stored and are none any more.
    async fn note_lost(&mut self, replayed: Replayed) -> Result<ReadRows> {
        let Replayed { rows, lost, lost_positions } = replayed;
        self.events += rows.buffer.positions().count() as u64;
        if !lost_positions.is_empty() {
            let sequence = rows.position.as_u64().unwrap_or(0);
            let events = lost_positions.len();
            tracing::error!(
                datasource = %self.datasource, sequence, events,
                "events that were stored are refused when the log is replayed: see the dead letters"
            );
            let origin = format!("replay, log sequence {sequence}");
            let letters = lost.into_letters(&origin, rows.received_at_ms);
            letters::keep(&self.shared, &self.datasource, &letters, None).await;
            // From now on they count as refused.
            let (now_ms, version) = (self.shared.clock.now_ms(), rows.schema.version);
            log_outcome(&self.wal, now_ms, version, sequence, &lost_positions).await?;
        }
        Ok(rows)
    }
}

/// Parses a record under what it says of its first life.
async fn read_again(
    (shared, log): (&Arc<Shared>, &Arc<str>),
    mut intake: OwnedMutexGuard<Intake>,
    record: WalRecord,
    key: Option<OwnedKey>,
    refused_later: Vec<u64>,
) -> Result<(OwnedMutexGuard<Intake>, Replayed)> {
    let sequence = record.sequence;
    let context = match record.entry.context.is_empty() {
        true => None,
        false => Some(RecordContext::decode(&record.entry.context).ok_or_else(|| {
            RealtimeError::Unavailable(format!(
                "log record {sequence} of '{}' was written by a newer version: use that one",
                intake.schema.data_schema.data_source
            ))
        })?),
    };
    let options_chunks = shared.options.max_open_chunks;
    let log = Arc::clone(log);
    let work = move || {
        let limits = intake.parser.limits().clone();
        let mut max_chunks = options_chunks;
        if let Some(context) = &context {
            intake.parser.set_limits(context.limits.clone());
            max_chunks = context.max_chunks;
            intake.parser.add_known(context.columns.as_deref().unwrap_or_default());
        }
        let replayed = parse(&mut intake, (log, record), key, max_chunks, context, &refused_later);
        intake.parser.set_limits(limits);
        replayed.map(|replayed| (intake, replayed))
    };
    shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?
}

fn parse(
    intake: &mut Intake,
    (log, record): (Arc<str>, WalRecord),
    key: Option<OwnedKey>,
    max_chunks: usize,
    context: Option<RecordContext>,
    refused_later: &[u64],
) -> Result<Replayed> {
    // It fitted once, and nobody else asks for memory yet: what was acknowledged is not refused.
    let limits =
        RowLimits { max_chunks, max_values: u64::MAX, account: MemoryAccount::unbounded() };
    let WalRecord { sequence, entry: WalEntry { received_at_ms, payload, .. } } = record;
    let request_bytes = payload.len() as u64;
    let parsed = parse_body(intake, &payload, received_at_ms, limits);
    let mut parsed = parsed.map_err(|error| {
        RealtimeError::Unavailable(format!(
            "log record {sequence} of '{}' was acknowledged and cannot be read any more ({error}): \
             use the version that wrote it, or move the log away and accept the loss",
            intake.schema.data_schema.data_source
        ))
    })?;
    let stored = context.as_ref().map(|context| match &context.stored {
        Some(stored) => stored.clone(),
        None => StoredEvents::all_of(parsed.reply.received),
    });
    let (lost, lost_positions) = match &stored {
        Some(stored) => settle(&mut parsed.buffer, stored, refused_later),
        None => (Refusals::default(), Vec::new()),
    };
    if !refused_later.is_empty() {
        let refused: HashSet<u64> = refused_later.iter().copied().collect();
        parsed.buffer.leave_out(|position| refused.contains(&position));
    }
    let accepted = parsed.buffer.positions().count() as u64;
    let filtered = parsed.reply.filtered;
    let reply = PushReply {
        accepted,
        filtered,
        rejected: parsed.reply.received.saturating_sub(accepted + filtered),
        ..parsed.reply
    };
    let receipt = PushReceipt {
        datasource: intake.schema.data_schema.data_source.as_str().into(),
        received_at_ms,
        reply,
        key,
        live: None,
    };
    // Records of earlier versions do not say what was refused: it was kept, or lost, then.
    let letters = context.map(|_| Origin {
        text: format!("push, log sequence {sequence}"),
        record: Some(LetterRecord { log, sequence, is_replayed: true }),
    });
    let rows = ReadRows {
        position: sequence.into(),
        schema: Arc::clone(&intake.schema),
        known: Arc::clone(&intake.known),
        received_at_ms,
        request_bytes,
        buffer: parsed.buffer,
        letters,
        receipt: Some(Box::new(receipt)),
    };
    Ok(Replayed { rows, lost, lost_positions })
}

/// Leaves out rows of events that were refused in their first life, and finds those that were stored
/// and are no rows now.
fn settle(
    buffer: &mut RowBuffer,
    stored: &StoredEvents,
    refused_later: &[u64],
) -> (Refusals, Vec<u64>) {
    if stored.are_all() && buffer.row_count() as u64 == stored.events() {
        return (Refusals::default(), Vec::new());
    }
    buffer.leave_out(|position| !stored.contains(position));
    let rows: HashSet<u64> = buffer.positions().collect();
    let known: HashSet<u64> = refused_later.iter().copied().collect();
    let is_lost = |position: &u64| !rows.contains(position) && !known.contains(position);
    let lost_positions: Vec<u64> = stored.positions().filter(is_lost).collect();
    let wanted: HashSet<u64> = lost_positions.iter().copied().collect();
    let mut lost = buffer.refusals.take_out(|position| wanted.contains(&position));
    for position in &lost_positions {
        if !lost.has(*position) {
            lost.add_row(*position, || "the event was stored and is left out now".to_owned());
        }
    }
    (lost, lost_positions)
}

fn read_outcomes(records: &mut LogRecords) -> Result<HashMap<u64, Vec<u64>>> {
    let mut outcomes: HashMap<u64, Vec<u64>> = HashMap::new();
    for record in records {
        let record = record?;
        if record.entry.flags != OUTCOME {
            continue;
        }
        let (sequence, positions) = decode_outcome(&record.entry.payload).ok_or_else(|| {
            RealtimeError::Unavailable(format!(
                "log record {} was written by a newer version: use that one",
                record.sequence
            ))
        })?;
        outcomes.entry(sequence).or_default().extend(positions);
    }
    Ok(outcomes)
}
