//! Accepting a push: idempotency, parsing, logging, and the wait for the writer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use henge_ingest::{BecameText, event_start};
use henge_platform::metadata::LetterRecord;
use henge_platform::runtime::spawn;
use henge_platform::wal::WalEntry;
use tokio::sync::{OwnedMutexGuard, OwnedRwLockReadGuard, oneshot};

use super::keys::{KeyState, OwnedKey, first_answer};
use super::receipt::{LiveRequest, PushReceipt};
use super::record::{REQUEST, RecordContext, StoredEvents};
use super::{ERRORS_IN_REPLY, PushDatasource, PushReply, number_lines};
use crate::error::{RealtimeError, Result};
use crate::ingest::intake::{Intake, Read};
use crate::ingest::reading::MAX_VALUES;
use crate::ingest::refusals::EventError;
use crate::ingest::row_buffer::{RowBuffer, RowLimits};
use crate::ingest::source::{Origin, ReadRows};
use crate::letters;
use crate::odd_times::odd_times;
use crate::priority::PUSH_PRIORITY;

/// How long a push waits for a second node, where it has to. The work goes on afterwards.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same without a second node: as long as the metadata do not note where its rows are.
const LONGEST: Duration = Duration::from_secs(60);

/// Longest idempotency key.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// What parsing a request gave.
pub(crate) struct Parsed {
    pub(crate) buffer: RowBuffer,
    pub(crate) reply: PushReply,
    /// The events that became rows; `None` for all.
    pub(crate) stored: Option<StoredEvents>,
}

/// What is known of a request's key.
enum Claim {
    /// It is this request's.
    Owned(OwnedKey),
    /// The same request was answered before.
    Answered(PushReply),
}

impl PushDatasource {
    /// Stores the events of a request. Returns once they are durable and queryable. The work goes on
    /// when the caller goes away: a request is stored whole or not at all. While `stays` is held its key is
    /// this node's.
    ///
    /// # Errors
    /// When nothing of it was stored: it is not JSON at all, ingestion is at its limit, or the log
    /// failed.
    pub(crate) async fn push(
        self: &Arc<Self>,
        body: Bytes,
        key: Option<Arc<str>>,
        stays: Option<OwnedRwLockReadGuard<()>>,
    ) -> Result<PushReply> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            RealtimeError::Busy(format!(
                "datasource '{}' has too many pushes waiting; try again shortly",
                self.name
            ))
        })?;
        let bytes = body.len();
        let this = Arc::clone(self);
        let work = spawn(async move {
            let _held = (place, stays);
            this.push_once(body, key).await
        });
        let (patience, lacks) = match self.wal.replication() {
            Some(_) => (PATIENCE, "a second node does not have it yet"),
            None => (LONGEST, "the metadata do not note yet that its rows are here"),
        };
        let answered = tokio::time::timeout(patience, work).await.map_err(|_| {
            RealtimeError::Unavailable(format!(
                "this push is at realtime node '{}' only and does not count for certain: {lacks}; it counts \
                 once that is so; send it again with the same idempotency key to learn of it",
                self.shared.options.node
            ))
        })?;
        let reply = answered
            .map_err(|error| RealtimeError::Unavailable(format!("push was given up: {error}")))??;
        self.totals.count(&reply, bytes);
        Ok(reply)
    }

    async fn push_once(&self, body: Bytes, key: Option<Arc<str>>) -> Result<PushReply> {
        // Else a broker that has not heard of this node would answer without these rows.
        self.shared.registration.known().await;
        let key = match key {
            None => None,
            Some(key) => match self.claim(&key, &body).await? {
                Claim::Owned(owned) => Some(owned),
                Claim::Answered(reply) => return Ok(PushReply { duplicate: true, ..reply }),
            },
        };
        let intake = Arc::clone(&self.intake).lock_owned().await;
        // Before anything is learned from the request.
        self.backlog.check(&self.name)?;
        self.halt.check()?;
        if let Some(replication) = self.wal.replication() {
            replication.check()?;
        }
        self.wal.wal.check_room(body.len())?;
        self.shared.index_memory.make_room(body.len()).await?;
        let received_at_ms = self.shared.clock.now_ms();
        let before = Arc::clone(&intake.known);
        let (mut intake, parsed) = self.parse(intake, body.clone(), received_at_ms).await?;
        let parsed = match parsed {
            // With a key there is an answer to remember, also when no event was taken.
            Ok(parsed) if parsed.buffer.row_count() > 0 || key.is_some() => parsed,
            refused => {
                intake.roll_back(&before)?;
                drop(intake);
                // Nothing to store, so nothing to log: only the refusals are kept.
                return Ok(self.only_refusals(refused?, received_at_ms).await);
            }
        };
        let (rows, applied) = match self.log(&intake, parsed, key, body, received_at_ms) {
            Ok(logged) => logged,
            Err(error) => {
                intake.roll_back(&before)?;
                return Err(error);
            }
        };
        let stopped = || RealtimeError::Unavailable("ingestion is shutting down".into());
        // Still under the intake's lock: the writer sees requests in the order of the log.
        self.pushes.send(rows).await.map_err(|_| stopped())?;
        drop(intake);
        applied.await.map_err(|_| stopped())?
    }

    /// Queues the request's record for the log; gives the rows for the writer and where the answer
    /// comes.
    fn log(
        &self,
        intake: &Intake,
        parsed: Parsed,
        key: Option<OwnedKey>,
        body: Bytes,
        received_at_ms: i64,
    ) -> Result<(ReadRows, oneshot::Receiver<Result<PushReply>>)> {
        let known = Arc::clone(&intake.known);
        let request_bytes = body.len() as u64;
        let tells_columns = !self.logged.tell(&known);
        let context = RecordContext {
            limits: intake.parser.limits().clone(),
            max_chunks: self.shared.options.max_open_chunks,
            columns: tells_columns.then(|| known.discovered.clone()),
            stored: parsed.stored,
        };
        let (sequence, durable) = self.wal.submit(WalEntry {
            received_at_ms,
            schema_version: intake.schema.version,
            flags: REQUEST,
            idempotency_key: key.as_ref().map(|key| Arc::clone(key.key())),
            context: context.encode(),
            payload: body,
        })?;
        let (done, applied) = oneshot::channel();
        let tells = tells_columns.then(|| (Arc::clone(&known), self.logged.clone()));
        let receipt = PushReceipt {
            datasource: Arc::clone(&self.name),
            received_at_ms,
            reply: parsed.reply,
            key,
            live: Some(LiveRequest { durable, tells, done }),
        };
        let rows = ReadRows {
            position: sequence.into(),
            schema: Arc::clone(&intake.schema),
            known,
            received_at_ms,
            request_bytes,
            buffer: parsed.buffer,
            letters: Some(Origin {
                text: format!("push, log sequence {sequence}"),
                record: Some(LetterRecord {
                    log: Arc::clone(&self.log),
                    sequence,
                    is_replayed: false,
                }),
            }),
            receipt: Some(Box::new(receipt)),
        };
        Ok((rows, applied))
    }

    /// Claims a key for a body, unless an earlier request with both was answered.
    async fn claim(&self, key: &Arc<str>, body: &[u8]) -> Result<Claim> {
        let reused = || RealtimeError::KeyReused { key: key.to_string() };
        match self.keys.claim(key, body) {
            KeyState::OtherBody => Err(reused()),
            KeyState::Seen(receiver) => match first_answer(receiver).await {
                Ok(reply) => Ok(Claim::Answered(reply)),
                Err(reason) => Err(RealtimeError::Unavailable(format!(
                    "the first request with this idempotency key failed: {reason}; try again"
                ))),
            },
            KeyState::New(owned) => {
                let stored = self.shared.metadata.find_idempotency(&self.name, key).await?;
                let Some(stored) = stored else { return Ok(Claim::Owned(owned)) };
                if stored.body_hash.is_some_and(|hash| hash != owned.body_hash()) {
                    return Err(reused());
                }
                let reply: PushReply =
                    serde_json::from_str(&stored.response_json).unwrap_or_default();
                owned.answer(reply.clone());
                Ok(Claim::Answered(reply))
            }
        }
    }

    async fn parse(
        &self,
        mut intake: OwnedMutexGuard<Intake>,
        body: Bytes,
        received_at_ms: i64,
    ) -> Result<(OwnedMutexGuard<Intake>, Result<Parsed>)> {
        let limits = RowLimits {
            max_chunks: self.shared.options.max_open_chunks,
            max_values: MAX_VALUES,
            account: self.shared.requests.clone(),
        };
        let work = move || {
            let parsed = parse_body(&mut intake, &body, received_at_ms, limits);
            (intake, parsed)
        };
        Ok(self.shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?)
    }

    async fn only_refusals(&self, parsed: Parsed, received_at_ms: i64) -> PushReply {
        let letters = parsed.buffer.refusals.into_letters("push", received_at_ms);
        letters::keep(&self.shared, &self.name, &letters, None).await;
        parsed.reply
    }
}

/// Parses a request into a buffer. Depends on nothing but its arguments and the parser's schema, so
/// that replaying the log gives the same rows again.
///
/// # Errors
/// When the body is not JSON at all, or its rows are beyond the limits.
pub(crate) fn parse_body(
    intake: &mut Intake,
    body: &[u8],
    received_at_ms: i64,
    limits: RowLimits,
) -> Result<Parsed> {
    let Read { buffer, counts, changed, ignored, became_text } =
        intake.read(body, received_at_ms, limits)?;
    let mut errors: Vec<EventError> = buffer.refusals.first(ERRORS_IN_REPLY).collect();
    number_lines(&mut errors, body);
    let odd_times = buffer.times_ms().and_then(|(first, last)| odd_times(first, last));
    let widened = became_text.iter().map(|became| widening(became, body));
    let reply = PushReply {
        received: counts.received,
        accepted: counts.accepted,
        rejected: counts.rejected,
        filtered: counts.filtered,
        duplicate: false,
        errors,
        changed,
        ignored,
        warnings: odd_times.into_iter().chain(widened).collect(),
    };
    let stored = (counts.accepted != counts.received).then(|| {
        let mut stored = StoredEvents::none_of(counts.received);
        buffer.positions().for_each(|position| stored.insert(position));
        stored
    });
    Ok(Parsed { buffer, reply, stored })
}

/// Says which value made a column of numbers text.
fn widening(became: &BecameText, body: &[u8]) -> String {
    let start = event_start(body, became.position).unwrap_or(0);
    let line = body[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let BecameText { column, earlier, example, .. } = became;
    format!("column '{column}', {earlier} so far, is text from now on: line {line} has '{example}'")
}
