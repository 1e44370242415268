//! The writer of a datasource: one task that adds logged requests to the sinks in the order of the
//! log, opens sinks, persists indexes that are full, and closes generations for hand-off.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use henge_index::{IndexLimits, IndexSchema};
use henge_platform::metadata::{IdempotencyRecord, LetterRecord, PendingSegment};
use henge_platform::wal::{AppendTicket, Wal, WalEntry};
use henge_types::{ErrorClass, Interval};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::error::{RealtimeError, Result};
use crate::handoff::{ClosedGeneration, Handoff};
use crate::index_memory::IndexMemory;
use crate::priority::{MERGE_PRIORITY, PUSH_PRIORITY};
use crate::push::feedback::Feedback;
use crate::push::generation::Generation;
use crate::push::keys::OwnedKey;
use crate::push::known::KnownColumns;
use crate::push::record::{OUTCOME, encode_outcome};
use crate::push::refusals::Refusals;
use crate::push::row_buffer::RowBuffer;
use crate::push::schema::PushSchema;
use crate::push::{ERRORS_IN_REPLY, PushReply, dead_letter};
use crate::shared::Shared;
use crate::sink::{FrozenIndex, Sink};

/// Frozen indexes of one datasource that may wait to be written; then additions wait.
const PENDING_PERSISTS: usize = 2;
/// A sink that holds less keeps as much once its rows are on disk.
const SMALL_SINK_BYTES: usize = 32 << 10;
/// How often the age of the buffered rows is looked at.
const AGE_CHECK: Duration = Duration::from_millis(500);

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Add a logged request.
    Apply(Box<Batch>),
    /// Hand off what is buffered; `done` is told when it is published.
    Close {
        /// Told once published.
        done: Option<oneshot::Sender<()>>,
    },
}

/// A parsed request that is in the log, or about to be.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) sequence: u64,
    pub(crate) schema: Arc<PushSchema>,
    /// The columns that its rows may have beyond those of the schema.
    pub(crate) known: Arc<KnownColumns>,
    pub(crate) received_at_ms: i64,
    pub(crate) key: Option<OwnedKey>,
    /// Bytes of the request.
    pub(crate) request_bytes: u64,
    pub(crate) buffer: RowBuffer,
    pub(crate) reply: PushReply,
    /// As what the refused events of the request are kept; `None` when they are already.
    pub(crate) letters: Option<LetterRecord>,
    /// `None` when it was read back from the log: it is durable and nobody waits for an answer.
    pub(crate) live: Option<LiveRequest>,
}

/// A request whose client waits.
#[derive(Debug)]
pub(crate) struct LiveRequest {
    pub(crate) durable: AppendTicket,
    /// Its record tells the discovered columns.
    pub(crate) tells_columns: bool,
    pub(crate) done: oneshot::Sender<Result<PushReply>>,
}

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) datasource: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wal: Wal,
    pub(crate) feedback: Arc<Feedback>,
    pub(crate) generation: Generation,
    pub(crate) handoff: Handoff,
    pub(crate) persists: Arc<Semaphore>,
}

/// What adding a request's rows gave.
#[derive(Debug, Default)]
struct Added {
    rows: usize,
    refused: Refusals,
    /// Where the refused rows were, in order.
    positions: Vec<u64>,
    frozen: Vec<(Arc<Sink>, FrozenIndex)>,
}

impl Writer {
    /// A writer that goes on with an empty generation.
    #[must_use]
    pub(crate) fn new(
        datasource: Arc<str>,
        shared: Arc<Shared>,
        wal: Wal,
        feedback: Arc<Feedback>,
        start: Generation,
        handoff: Handoff,
    ) -> Self {
        Self {
            datasource,
            shared,
            wal,
            feedback,
            generation: start,
            handoff,
            persists: Arc::new(Semaphore::new(PENDING_PERSISTS)),
        }
    }

    /// Works until all senders of commands are gone.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut age = tokio::time::interval(AGE_CHECK);
        age.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let relief = Arc::<Notify>::default();
        self.shared.index_memory.register(&self.datasource, &relief);
        loop {
            tokio::select! {
                // The rare ones first, and no order that is drawn.
                biased;
                () = relief.notified() => self.relieve().await,
                _ = age.tick() => if self.is_old() { self.close_if_there_is_room() },
                command = commands.recv() => match command {
                    Some(Command::Apply(batch)) => self.apply(*batch).await,
                    Some(Command::Close { done }) => self.close(done),
                    None => return,
                },
            }
        }
    }

    /// Adds one request, answers it, and closes the generation when that made it large enough.
    pub(crate) async fn apply(&mut self, mut batch: Batch) {
        let (key, live) = (batch.key.take(), batch.live.take());
        let (durable, done) =
            live.map(|live| ((live.durable, live.tells_columns), live.done)).unzip();
        let outcome = match self.durability(durable, &batch).await {
            Ok(()) => {
                let outcome = self.add_durable(batch, key.as_ref()).await;
                if let Err(error) = &outcome {
                    tracing::error!(datasource = %self.datasource, %error, "failed to add a logged request, no more are taken");
                    self.feedback.halt(&error.to_string());
                }
                outcome
            }
            Err(error) => Err(error),
        };
        match (&outcome, key) {
            (Ok(reply), Some(key)) => key.finish(reply.clone()),
            (Err(error), Some(key)) => key.abandon(&error.to_string()),
            _ => {}
        }
        if let Some(done) = done {
            // The client may have gone away; what it sent is stored all the same.
            let _ = done.send(outcome);
        }
        let options = &self.shared.options;
        let is_large = self.generation.rows >= options.handoff_rows;
        // One event in every hour of a century must not keep a century of hours open.
        if is_large || self.generation.sinks.len() >= options.max_open_chunks {
            self.close_if_there_is_room();
        }
    }

    /// Begins a new generation when rows of this schema and these columns cannot go where those
    /// before them are.
    fn make_fit(&mut self, batch: &Batch) {
        let generation = &self.generation;
        if batch.schema.version != generation.schema.version
            || !batch.known.extends(&generation.known)
        {
            // It has to be closed; without room the pushes that come next are refused.
            let _ = self.handoff.has_room();
            self.close(None);
            let (position, known) = (self.generation.start_position, Arc::clone(&batch.known));
            let account = self.shared.index_memory.account();
            self.generation = Generation::new(Arc::clone(&batch.schema), position, known, account);
        }
        self.generation.known = Arc::clone(&batch.known);
    }

    async fn durability(&self, live: Option<(AppendTicket, bool)>, batch: &Batch) -> Result<()> {
        let Some((ticket, tells_columns)) = live else { return Ok(()) };
        ticket.await?;
        if tells_columns {
            self.feedback.note_logged(&batch.known);
        }
        Ok(())
    }

    async fn add_durable(&mut self, batch: Batch, key: Option<&OwnedKey>) -> Result<PushReply> {
        // Behind what could not be added nothing is, so that the position stays before it.
        self.feedback.check()?;
        self.make_fit(&batch);
        self.add(batch, key).await
    }

    async fn add(&mut self, batch: Batch, key: Option<&OwnedKey>) -> Result<PushReply> {
        let sinks = self.sinks_for(&batch.buffer.chunks).await?;
        let (mut buffer, added) = self.add_rows(batch.buffer, sinks).await?;
        let reply = corrected(batch.reply, &added.refused);
        self.generation.end_position = batch.sequence;
        self.generation.rows += added.rows;
        self.generation.request_bytes += batch.request_bytes;
        self.generation.opened_ms.get_or_insert(self.shared.clock.now_ms());
        if let Some(key) = key {
            self.generation.keys.push(IdempotencyRecord {
                datasource: self.datasource.to_string(),
                key: key.key().to_string(),
                response_json: serde_json::to_string(&reply).unwrap_or_default(),
                created_ms: batch.received_at_ms,
                body_hash: Some(key.body_hash()),
            });
        }
        if batch.letters.is_some() {
            let mut refused = std::mem::take(&mut buffer.refusals);
            refused.extend(added.refused);
            let origin = format!("push, log sequence {}", batch.sequence);
            let (shared, received_ms) = (&self.shared, batch.received_at_ms);
            let name = &self.datasource;
            dead_letter::keep(shared, name, refused, &origin, batch.letters, received_ms).await;
        }
        if !added.positions.is_empty() {
            self.log_outcome(batch.sequence, &added.positions).await?;
        }
        self.persist_what_is_full(added.frozen).await?;
        Ok(reply)
    }

    /// Writes down which rows of a request were refused after all, so that they stay refused when
    /// the log is replayed.
    pub(crate) async fn log_outcome(&self, sequence: u64, positions: &[u64]) -> Result<()> {
        let ticket = self.wal.submit(WalEntry {
            received_at_ms: self.shared.clock.now_ms(),
            schema_version: self.generation.schema.version,
            flags: OUTCOME,
            idempotency_key: None,
            context: Bytes::new(),
            payload: encode_outcome(sequence, positions),
        })?;
        ticket.await?;
        Ok(())
    }

    /// The sink of each chunk, opened where needed.
    async fn sinks_for(&mut self, chunks: &[Interval]) -> Result<Vec<Arc<Sink>>> {
        let mut sinks = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let sink = match self.generation.sink_for(*chunk) {
                Some(sink) => Arc::clone(sink),
                None => self.open_sink(*chunk).await?,
            };
            sinks.push(sink);
        }
        Ok(sinks)
    }

    async fn open_sink(&mut self, chunk: Interval) -> Result<Arc<Sink>> {
        let target = self.allocate(chunk).await;
        let options = &self.shared.options;
        let limits = IndexLimits {
            max_rows: options.max_rows_in_memory,
            max_bytes: options.max_bytes_in_memory,
        };
        let declared = self.generation.schema.index_schema.dimensions.len();
        let columns = self.generation.columns();
        let account = self.shared.index_memory.account();
        let sink = Arc::new(Sink::new(target, columns, declared, limits, account)?);
        self.shared.serving.open(&sink)?;
        self.generation.insert(Arc::clone(&sink));
        Ok(sink)
    }

    /// Reserves an identity. The metadata note that this node buffers it: from now on its rows are
    /// missing when the node is. When they cannot give one out now, the rows find their place at
    /// hand-off: what is in the log waits for nobody.
    async fn allocate(&self, chunk: Interval) -> PendingSegment {
        let owner = self.shared.serving.server_id();
        match self.shared.metadata.buffer_segment(owner, &self.datasource, chunk).await {
            Ok(segment) => segment,
            Err(error) => {
                tracing::warn!(datasource = %self.datasource, %error, "no segment could be allocated, its rows get one at hand-off");
                self.shared.serving.unplaced(&self.datasource, chunk)
            }
        }
    }

    async fn add_rows(
        &mut self,
        buffer: RowBuffer,
        sinks: Vec<Arc<Sink>>,
    ) -> Result<(RowBuffer, Added)> {
        let schema = self.generation.columns();
        self.shared.serving.widen(&sinks, &schema)?;
        let work = move || {
            let added = add_to_sinks(&buffer, &sinks, &schema);
            (buffer, added)
        };
        let (buffer, added) = self.shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?;
        Ok((buffer, added?))
    }

    /// Starts writing full indexes to parts; waits only when too many are under way. All are full
    /// when memory is short and it is worth it.
    async fn persist_what_is_full(&mut self, frozen: Vec<(Arc<Sink>, FrozenIndex)>) -> Result<()> {
        let (rows, bytes) = self.generation.in_memory();
        let (options, memory) = (&self.shared.options, &self.shared.index_memory);
        let is_short = memory.is_tight() && IndexMemory::is_worth_writing(bytes);
        let are_full =
            is_short || rows >= options.max_rows_in_memory || bytes >= options.max_bytes_in_memory;
        if are_full {
            return self.persist_all(frozen).await;
        }
        self.note_memory(bytes);
        self.persist(frozen).await
    }

    async fn persist_all(&mut self, mut frozen: Vec<(Arc<Sink>, FrozenIndex)>) -> Result<()> {
        for sink in self.generation.sinks.values() {
            frozen.extend(sink.freeze()?.map(|index| (Arc::clone(sink), index)));
        }
        let (_, bytes) = self.generation.in_memory();
        self.note_memory(bytes);
        self.persist(frozen).await
    }

    fn note_memory(&mut self, bytes: usize) {
        self.generation.held.force(bytes);
        self.shared.index_memory.note(&self.datasource, bytes);
    }

    /// Others have no room: writes rows to disk, or hands off many sinks that hold little each, which
    /// would hold as much without their rows.
    async fn relieve(&mut self) {
        let (_, bytes) = self.generation.in_memory();
        let sinks = self.generation.sinks.len();
        if sinks > 0 && bytes / sinks < SMALL_SINK_BYTES && self.handoff.has_room() {
            self.close(None);
        } else if let Err(error) = self.persist_all(Vec::new()).await {
            tracing::error!(datasource = %self.datasource, %error, "failed to free memory");
        }
    }

    async fn persist(&self, frozen: Vec<(Arc<Sink>, FrozenIndex)>) -> Result<()> {
        let files = self.generation.part_files(&self.shared.options);
        for (sink, index) in frozen {
            let closed = |_| RealtimeError::Unavailable("ingestion is shutting down".into());
            let place = Arc::clone(&self.persists).acquire_owned().await.map_err(closed)?;
            let files = files.clone();
            let task = self.shared.ingest_pool.spawn(MERGE_PRIORITY, move || {
                let _place = place;
                if let Err(error) = sink.persist(&index, &files) {
                    tracing::error!(segment = %sink.target().id, %error, "failed to persist, rows stay in memory");
                }
            });
            tokio::spawn(task);
        }
        Ok(())
    }

    fn is_old(&self) -> bool {
        let age_ms = |opened_ms| self.shared.clock.now_ms().saturating_sub(opened_ms);
        self.generation
            .opened_ms
            .is_some_and(|opened| age_ms(opened) >= self.shared.options.handoff_period_ms as i64)
    }

    /// Closes the generation when the hand-off has room for it; else it goes on growing, on disk
    /// mostly, and pushes are refused until there is room.
    fn close_if_there_is_room(&mut self) {
        if self.handoff.has_room() {
            self.close(None);
        }
    }

    /// Gives what is buffered to the hand-off and goes on with an empty generation.
    fn close(&mut self, done: Option<oneshot::Sender<()>>) {
        let next = Generation::new(
            Arc::clone(&self.generation.schema),
            self.generation.end_position,
            Arc::clone(&self.generation.known),
            self.shared.index_memory.account(),
        );
        self.shared.index_memory.note(&self.datasource, 0);
        let closed = std::mem::replace(&mut self.generation, next);
        self.handoff.submit(ClosedGeneration { generation: closed, done });
    }
}

/// Adds all rows of a buffer; rows that an index refuses are given back with the reason.
fn add_to_sinks(
    buffer: &RowBuffer,
    sinks: &[Arc<Sink>],
    schema: &Arc<IndexSchema>,
) -> Result<Added> {
    let mut added = Added::default();
    buffer.for_each(schema.dimensions.len(), schema.metrics.len(), |row| {
        let sink = &sinks[row.chunk];
        let outcome = sink.add(row.timestamp_ms, row.values).map(|frozen| {
            added.rows += 1;
            added.frozen.extend(frozen.map(|index| (Arc::clone(sink), index)));
        });
        match outcome {
            Err(error) if error.class() == ErrorClass::Internal => Err(error),
            Err(error) => {
                added.refused.add_row(row.position, || error.to_string());
                added.positions.push(row.position);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    })?;
    Ok(added)
}

/// The reply after some of the accepted rows were refused after all.
fn corrected(mut reply: PushReply, refused: &Refusals) -> PushReply {
    reply.accepted -= refused.count();
    reply.rejected += refused.count();
    let room = ERRORS_IN_REPLY.saturating_sub(reply.errors.len());
    reply.errors.extend(refused.first(room));
    reply
}
