//! Accepting a push: idempotency, parsing, logging, and the wait for the writer.

use std::sync::Arc;

use bytes::Bytes;
use henge_platform::wal::WalEntry;
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::error::{RealtimeError, Result};
use crate::odd_times::odd_times;
use crate::push::intake::Intake;
use crate::push::keys::{KeyState, first_answer};
use crate::push::row_buffer::{RowBuffer, RowLimits};
use crate::push::writer::{Batch, Command, LiveRequest};
use crate::push::{
    ERRORS_IN_REPLY, EventError, PushDatasource, PushReply, dead_letter, number_lines,
};

/// Pushes come first among the work of ingestion: their clients wait.
pub(crate) const PUSH_PRIORITY: i32 = 0;
/// Persisting and merging never take the last free thread, which is left to pushes.
pub(crate) const MERGE_PRIORITY: i32 = -1;
/// Batch loads come last: they may take long, and nobody waits for a single piece of them.
pub(crate) const LOAD_PRIORITY: i32 = -2;

/// Longest idempotency key.
pub const MAX_KEY_BYTES: usize = 255;

/// Rows times columns of one request: about a second's work.
const MAX_VALUES: u64 = 100_000_000;

/// What parsing a request gave.
pub(crate) struct Parsed {
    pub(crate) buffer: RowBuffer,
    pub(crate) reply: PushReply,
}

impl PushDatasource {
    /// Stores the events of a request. Returns once they are durable and queryable. The work goes on
    /// when the caller goes away: a request is stored whole or not at all.
    ///
    /// # Errors
    /// When nothing of it was stored: it is not JSON at all, ingestion is at its limit, or the log
    /// failed.
    pub async fn push(self: &Arc<Self>, body: Bytes, key: Option<Arc<str>>) -> Result<PushReply> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            RealtimeError::Busy(format!(
                "datasource '{}' has too many pushes waiting; try again shortly",
                self.name
            ))
        })?;
        let this = Arc::clone(self);
        let work = tokio::spawn(async move {
            let _place = place;
            let outcome = this.push_once(body, key.clone()).await;
            if let (Err(error), Some(key)) = (&outcome, &key) {
                this.keys.abandon(key, &error.to_string());
            }
            outcome
        });
        let reply = work
            .await
            .map_err(|error| RealtimeError::Unavailable(format!("push was given up: {error}")))??;
        self.totals.count(&reply);
        Ok(reply)
    }

    async fn push_once(&self, body: Bytes, key: Option<Arc<str>>) -> Result<PushReply> {
        let intake = Arc::clone(&self.intake).lock_owned().await;
        if let Some(key) = &key
            && let Some(reply) = self.answered_before(key).await?
        {
            return Ok(PushReply { duplicate: true, ..reply });
        }
        // Before anything is learned from the request.
        self.backlog.check(&self.name)?;
        self.wal.check_room(body.len())?;
        self.shared.index_memory.make_room(body.len()).await?;
        let received_at_ms = self.shared.clock.now_ms();
        let before = Arc::clone(&intake.known);
        let (mut intake, parsed) = self.parse(intake, body.clone(), received_at_ms).await?;
        let parsed = match parsed {
            Ok(parsed) if parsed.buffer.row_count() > 0 => parsed,
            refused => {
                intake.roll_back(&before)?;
                drop(intake);
                // Nothing to store, so nothing to log: only the refusals are kept.
                return Ok(self.only_refusals(refused?, key, received_at_ms).await);
            }
        };
        let submitted = self.wal.submit(WalEntry {
            received_at_ms,
            schema_version: intake.schema.version,
            flags: 0,
            idempotency_key: key.clone(),
            payload: body,
        });
        let ticket = match submitted {
            Ok(ticket) => ticket,
            Err(error) => {
                intake.roll_back(&before)?;
                return Err(error.into());
            }
        };
        let (done, applied) = oneshot::channel();
        let batch = Batch {
            sequence: ticket.sequence(),
            schema: Arc::clone(&intake.schema),
            known: Arc::clone(&intake.known),
            received_at_ms,
            key,
            buffer: parsed.buffer,
            reply: parsed.reply,
            live: Some(LiveRequest { durable: ticket, done }),
        };
        let stopped = || RealtimeError::Unavailable("ingestion is shutting down".into());
        // Still under the intake's lock: the writer sees requests in the order of the log.
        self.commands.send(Command::Apply(Box::new(batch))).await.map_err(|_| stopped())?;
        drop(intake);
        applied.await.map_err(|_| stopped())?
    }

    /// The answer that an earlier request with this key got.
    async fn answered_before(&self, key: &Arc<str>) -> Result<Option<PushReply>> {
        match self.keys.claim(key) {
            KeyState::Seen(receiver) => match first_answer(receiver).await {
                Ok(reply) => Ok(Some(reply)),
                Err(reason) => Err(RealtimeError::Unavailable(format!(
                    "the first request with this idempotency key failed: {reason}; try again"
                ))),
            },
            KeyState::New => {
                let stored = self.shared.metadata.find_idempotency(&self.name, key).await?;
                let Some(stored) = stored else { return Ok(None) };
                self.keys.forget([&**key]);
                Ok(Some(serde_json::from_str(&stored.response_json).unwrap_or_default()))
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

    async fn only_refusals(
        &self,
        parsed: Parsed,
        key: Option<Arc<str>>,
        received_at_ms: i64,
    ) -> PushReply {
        let refused = parsed.buffer.refusals;
        dead_letter::keep(&self.shared, &self.name, refused, "push", received_at_ms).await;
        if let Some(key) = key {
            self.keys.forget([&*key]);
        }
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
    let granularity = intake.schema.data_schema.granularity_spec.segment_granularity.clone();
    let mut buffer = RowBuffer::new(granularity, limits);
    intake.parser.set_now_ms(received_at_ms);
    let outcome = intake.parser.parse_batch(body, &mut buffer);
    let changed = intake.parser.take_changes();
    if let Some(full) = buffer.take_full() {
        return Err(full);
    }
    let counts = outcome?;
    intake.keep_lessons();
    let mut errors: Vec<EventError> = buffer.refusals.first(ERRORS_IN_REPLY).collect();
    number_lines(&mut errors, body);
    let odd_times = buffer.times_ms().and_then(|(first, last)| odd_times(first, last));
    let reply = PushReply {
        received: counts.received,
        accepted: counts.accepted,
        rejected: counts.rejected,
        filtered: counts.filtered,
        duplicate: false,
        errors,
        changed,
        warnings: odd_times.into_iter().collect(),
    };
    Ok(Parsed { buffer, reply })
}
