//! Replaying the log: what was acknowledged but not published when the process ended comes again,
//! the same rows, the same refusals, the same types, whatever the settings are by now.
//!
//! A record says what parsing it depends on and which of its events became rows ([`super::record`]).
//! Where this program would decide otherwise the record is right: an event that was refused stays
//! refused, and one that was stored and is refused now goes to the dead letters, counted and logged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use henge_ingest::ParseLimits;
use henge_platform::metadata::LetterRecord;
use henge_platform::runtime::blocking::in_place;
use henge_platform::runtime::{MemoryAccount, blocking};
use henge_platform::wal::{Replay, Wal, WalEntry, WalRecord};

use super::accept::parse_body;
use super::intake::Intake;
use super::keys::{KeyState, OwnedKey, PushKeys};
use super::open::parse_schema;
use super::published::PublishedLog;
use super::record::{OUTCOME, RecordContext, StoredEvents, decode_outcome};
use super::refusals::Refusals;
use super::row_buffer::{RowBuffer, RowLimits};
use super::schema::PushSchema;
use super::writer::{Batch, Writer};
use super::{PushReply, dead_letter};
use crate::error::{RealtimeError, Result};
use crate::priority::PUSH_PRIORITY;
use crate::shared::Shared;

/// Where a datasource starts from.
pub(super) struct Start {
    /// How much of the log is published.
    pub(super) published: PublishedLog,
    /// The schema of requests to come.
    pub(super) newest: Arc<PushSchema>,
    /// The limits on requests to come.
    pub(super) limits: ParseLimits,
    pub(super) keys: PushKeys,
}

/// A record, read again.
struct Replayed {
    batch: Batch,
    /// Events that were stored and are refused now.
    lost: Refusals,
    /// Where they are.
    lost_positions: Vec<u64>,
}

impl Start {
    /// A parser that knows what was known at the committed position.
    pub(super) fn intake(&self) -> Result<Intake> {
        let columns = self.published.columns(self.newest.version);
        Intake::knowing(Arc::clone(&self.newest), &self.limits, &columns)
    }

    /// Adds everything after the committed position that is not published already. Gives an intake that knows the columns that the
    /// replayed events brought, so that new events line up with the sinks.
    pub(super) async fn replay(&self, writer: &mut Writer, intake: Intake) -> Result<Intake> {
        let (wal, from) = (writer.wal.clone(), self.published.position() + 1);
        let mut outcomes = read_outcomes(&wal, from).await?;
        let mut records = wal.replay(from);
        let mut intake = intake;
        let (mut events, mut published) = (0, 0);
        while let Some(record) = next_record(&mut records).await? {
            if record.entry.flags == OUTCOME {
                continue;
            }
            if record.entry.schema_version != intake.schema.version {
                intake = self.intake_of(writer, record.entry.schema_version).await?;
            }
            let Some(key) = self.claim(writer, &record) else { continue };
            let refused_later = outcomes.remove(&record.sequence).unwrap_or_default();
            let waiting = self.published.ahead().waiting_times(record.sequence);
            let waiting = waiting.map(<[_]>::to_vec);
            let (knows_more, mut replayed) =
                read_again(&writer.shared, intake, record, key, refused_later).await?;
            intake = knows_more;
            if let Some(waiting) = waiting {
                published += replayed.batch.buffer.keep_times(&waiting);
            }
            events += replayed.batch.buffer.positions().count();
            add(writer, replayed).await?;
        }
        if events + published > 0 {
            tracing::info!(datasource = %writer.datasource, events, published, "replayed the log");
        }
        if intake.schema.version == self.newest.version { Ok(intake) } else { self.intake() }
    }

    async fn intake_of(&self, writer: &Writer, version: u64) -> Result<Intake> {
        let (shared, datasource) = (&writer.shared, &writer.datasource);
        let record = shared.metadata.get_datasource_version(datasource, version).await?;
        let record = record.ok_or_else(|| {
            RealtimeError::Unavailable(format!(
                "the log of '{datasource}' refers to schema version {version}, which is not in the \
                 metadata: restore them, or move the log away and accept the loss"
            ))
        })?;
        let schema = parse_schema(shared, version, &record.schema_json).await?;
        Intake::knowing(schema, &self.limits, &self.published.columns(version))
    }

    /// The record's key; `None` when the whole record repeats an earlier one. A log holds a request
    /// twice only when an earlier version of this program answered 500 after logging it.
    fn claim(&self, writer: &Writer, record: &WalRecord) -> Option<Option<OwnedKey>> {
        let Some(key) = &record.entry.idempotency_key else { return Some(None) };
        match self.keys.claim(key, &record.entry.payload) {
            KeyState::New(owned) => Some(Some(owned)),
            KeyState::OtherBody => Some(None),
            KeyState::Seen(_) => {
                tracing::warn!(
                    datasource = %writer.datasource, sequence = record.sequence, %key,
                    "left out a log record that repeats an earlier one with the same idempotency key"
                );
                None
            }
        }
    }
}

/// Adds a record that was read again.
async fn add(writer: &mut Writer, replayed: Replayed) -> Result<()> {
    let Replayed { batch, lost, lost_positions } = replayed;
    if !lost_positions.is_empty() {
        let (sequence, events) = (batch.sequence, lost_positions.len());
        tracing::error!(
            datasource = %writer.datasource, sequence, events,
            "events that were stored are refused when the log is replayed: see the dead letters"
        );
        let origin = format!("replay, log sequence {sequence}");
        let (shared, name) = (&writer.shared, &writer.datasource);
        dead_letter::keep(shared, name, lost, &origin, None, batch.received_at_ms).await;
        // From now on they count as refused.
        writer.log_outcome(sequence, &lost_positions).await?;
    }
    writer.apply(batch).await;
    writer.feedback.check()
}

/// Parses a record under what it says of its first life.
async fn read_again(
    shared: &Arc<Shared>,
    mut intake: Intake,
    record: WalRecord,
    key: Option<OwnedKey>,
    refused_later: Vec<u64>,
) -> Result<(Intake, Replayed)> {
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
    let work = move || {
        let limits = intake.parser.limits().clone();
        let mut max_chunks = options_chunks;
        if let Some(context) = &context {
            intake.parser.set_limits(context.limits.clone());
            max_chunks = context.max_chunks;
            intake.parser.add_known(context.columns.as_deref().unwrap_or_default());
        }
        let replayed = parse(&mut intake, record, key, max_chunks, context, &refused_later);
        intake.parser.set_limits(limits);
        replayed.map(|replayed| (intake, replayed))
    };
    shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?
}

fn parse(
    intake: &mut Intake,
    record: WalRecord,
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
    let batch = Batch {
        sequence,
        schema: Arc::clone(&intake.schema),
        known: Arc::clone(&intake.known),
        received_at_ms,
        key,
        request_bytes,
        buffer: parsed.buffer,
        reply,
        // Records of earlier versions do not say what was refused: it was kept, or lost, then.
        letters: context.map(|_| LetterRecord { sequence, is_replayed: true }),
        live: None,
    };
    Ok(Replayed { batch, lost, lost_positions })
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

/// The rows that were refused when they were added, by the sequence of their request.
async fn read_outcomes(wal: &Wal, from: u64) -> Result<HashMap<u64, Vec<u64>>> {
    let mut records = wal.replay(from);
    let read = move || {
        let mut outcomes: HashMap<u64, Vec<u64>> = HashMap::new();
        for record in &mut records {
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
    };
    blocking(read).await?
}

async fn next_record(records: &mut Replay) -> Result<Option<WalRecord>> {
    // One file's worth of records is read at a time; blocking here delays nobody yet.
    in_place(|| records.next().transpose()).map_err(RealtimeError::from)
}
