//! The writer: one task a source that adds events to the sinks in the order in which they come, opens
//! sinks, persists indexes that are full, and closes generations for hand-off.

use std::sync::Arc;
use std::time::Duration;

use henge_index::IndexLimits;
use henge_platform::metadata::PendingSegment;
use henge_platform::runtime::spawn;
use henge_types::{ErrorClass, Interval, SegmentId};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::generation::Generation;
use super::halt::Halt;
use super::handoff::{Backlog, ClosedGeneration, Handoff};
use super::known::KnownColumns;
use super::persist::Frozen;
use super::published::Published;
use super::reading::{NewestSchema, Reading};
use super::refusals::Refusals;
use super::row_buffer::RowBuffer;
use super::schema::DatasourceSchema;
use super::source::{Delivery, Partition, ReadRows, Receipt, RefusedRows, Source};
use crate::error::{RealtimeError, Result};
use crate::index_memory::IndexHolder;
use crate::letters;
use crate::priority::PUSH_PRIORITY;
use crate::release::let_go;
use crate::shared::Shared;
use crate::sink::Sink;

/// Frozen indexes of one source that may wait to be written; then additions wait.
const PENDING_PERSISTS: usize = 2;
/// How often the age of the buffered rows is looked at.
const AGE_CHECK: Duration = Duration::from_millis(500);
/// After a failure a source is asked again this much later, then ever later.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Hand off what is buffered; `done` is told when it is published.
    Close {
        /// Told once published.
        done: Option<oneshot::Sender<()>>,
    },
}

/// What a writer works with.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) datasource: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) newest: NewestSchema,
    pub(crate) halt: Halt,
    pub(crate) backlog: Backlog,
}

/// Why a writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nobody commands it any more.
    Released,
    /// Somebody else published what it had buffered, which it let go.
    Superseded,
}

/// The writer's state.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) datasource: Arc<str>,
    pub(super) shared: Arc<Shared>,
    pub(super) source: Arc<dyn Source>,
    pub(super) generation: Generation,
    pub(super) handoff: Handoff,
    pub(super) persists: Arc<Semaphore>,
    pub(super) memory: IndexHolder,
    halt: Halt,
    reading: Reading,
}

/// What adding rows gave.
#[derive(Debug, Default)]
struct Added {
    rows: usize,
    refused: Refusals,
    /// Where the refused rows were, in order.
    positions: Vec<u64>,
    frozen: Vec<Frozen>,
}

impl Writer {
    /// A writer that goes on behind what is published, with the columns that are known there, and its
    /// hand-off.
    pub(crate) fn new(stream: Stream, published: Published, known: Arc<KnownColumns>) -> Self {
        let reading = Reading::new(&published, Arc::clone(&stream.newest));
        let schema = Arc::clone(&stream.newest.read());
        let account = stream.shared.index_memory.account();
        let generation = Generation::new(schema, reading.positions.clone(), known, account);
        let handoff = Handoff::start(&stream, published);
        let Stream { datasource, shared, source, newest: _, halt, backlog: _ } = stream;
        let persists = Arc::new(Semaphore::new(PENDING_PERSISTS));
        let memory = shared.index_memory.holder();
        Self { datasource, shared, source, generation, handoff, persists, memory, halt, reading }
    }

    /// Reads the source to its end, and works until all senders of commands are gone.
    pub(crate) async fn run(mut self, commands: &mut mpsc::Receiver<Command>) -> Ended {
        let mut age = tokio::time::interval(AGE_CHECK);
        age.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (source, halt) = (Arc::clone(&self.source), self.halt.clone());
        let mut asking = Asking::default();
        loop {
            tokio::select! {
                biased;
                // What is let go is not added to any more.
                () = halt.superseded() => {
                    self.let_go().await;
                    return Ended::Superseded;
                }
                command = commands.recv() => match command {
                    Some(Command::Close { done }) => self.close(done),
                    None => {
                        if !source.is_answered_here() {
                            self.let_go().await;
                        }
                        return Ended::Released;
                    }
                },
                () = self.memory.asked() => self.relieve().await,
                _ = age.tick() => if self.is_old() { self.close_if_there_is_room() },
                next = asking.ask(&*source), if asking.is_open && !self.must_wait() => {
                    self.take_next(next, &mut asking).await;
                }
            }
        }
    }

    async fn take_next(&mut self, next: Result<Option<Delivery>>, asking: &mut Asking) {
        let taken = match next {
            Ok(Some(delivery)) => self.take(delivery).await,
            Ok(None) => {
                asking.is_open = false;
                self.close(None);
                return;
            }
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => asking.succeeded(),
            Err(error) if error.class() == ErrorClass::Unavailable => {
                asking.failed();
                tracing::warn!(source = self.source.id(), %error, "source failed, will ask again");
            }
            Err(error) => {
                asking.is_open = false;
                tracing::error!(source = self.source.id(), %error, "no more is read of a source");
                self.halt.fail(&error.to_string());
            }
        }
        // Whoever waits for an answer gets the reason as one.
        asking.is_open &= !self.halt.is_set() || self.source.is_answered_here();
    }

    /// A source that can wait does so while too much waits for its hand-off.
    fn must_wait(&self) -> bool {
        !self.source.is_answered_here() && self.handoff.is_blocked()
    }

    /// Adds what a source gave. What cannot be added is said to whoever waits for it, and to the halt;
    /// a gap ends the reading of its partition.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn take(&mut self, delivery: Delivery) -> Result<()> {
        let partition = Arc::clone(&delivery.partition);
        let read = match self.reading.rows(&self.shared, delivery).await {
            Err(gap @ RealtimeError::SourceGap { .. }) => {
                tracing::error!(source = self.source.id(), error = %gap, "no more is read of a partition");
                self.halt.fail_partition(&partition, &gap.to_string());
                return Ok(());
            }
            read => read?,
        };
        for rows in read {
            self.apply(&partition, rows).await;
        }
        Ok(())
    }

    /// Adds rows, answers whoever waits, and closes the generation when that made it large enough.
    async fn apply(&mut self, partition: &Partition, mut rows: ReadRows) {
        let mut receipt = rows.receipt.take();
        let durable = match &mut receipt {
            Some(receipt) => receipt.durable().await,
            None => Ok(()),
        };
        let outcome = match durable {
            Ok(()) => {
                let outcome = self.add_durable(partition, rows, receipt.as_deref_mut()).await;
                if let Err(error) = &outcome {
                    tracing::error!(datasource = %self.datasource, %error, "failed to add events, no more are taken");
                    self.halt.fail(&error.to_string());
                }
                outcome
            }
            Err(error) => Err(error),
        };
        if let Some(receipt) = receipt {
            self.settle(receipt, outcome);
        }
        let options = &self.shared.options;
        let is_large = self.generation.rows >= options.handoff_rows;
        // One event in every hour of a century must not keep a century of hours open.
        if is_large || self.generation.sinks.len() >= options.max_open_chunks {
            self.close_if_there_is_room();
        }
    }

    /// Answers whoever waits for rows, once the metadata note that they are here: a node that is lost before
    /// is not missed.
    fn settle(&self, receipt: Box<dyn Receipt>, unnoted: Result<Vec<SegmentId>>) {
        let unnoted = match unnoted {
            Ok(unnoted) if !unnoted.is_empty() => unnoted,
            outcome => return receipt.settle(outcome.map(|_| ())),
        };
        let shared = Arc::clone(&self.shared);
        spawn(async move {
            tokio::select! {
                biased;
                () = shared.notes.noted(&unnoted) => receipt.settle(Ok(())),
                () = shared.lease.lost() => receipt.settle(shared.lease.check()),
            }
        });
    }

    /// Begins a new generation when rows of this schema and these columns cannot go where those
    /// before them are.
    fn make_fit(&mut self, rows: &ReadRows) {
        let generation = &self.generation;
        if rows.schema.version != generation.schema.version
            || !rows.known.extends(&generation.known)
        {
            // It has to be closed; without room the pushes that come next are refused.
            let _ = self.handoff.has_room();
            self.close(None);
            let (start, known) = (self.generation.start.clone(), Arc::clone(&rows.known));
            let account = self.shared.index_memory.account();
            self.generation = Generation::new(Arc::clone(&rows.schema), start, known, account);
        }
        self.generation.known = Arc::clone(&rows.known);
    }

    /// Gives the identities of the rows that are not noted yet.
    async fn add_durable(
        &mut self,
        partition: &Partition,
        rows: ReadRows,
        receipt: Option<&mut (dyn Receipt + '_)>,
    ) -> Result<Vec<SegmentId>> {
        // Behind what could not be added nothing is, so that the position stays before it.
        self.halt.check()?;
        self.make_fit(&rows);
        let ReadRows { position, received_at_ms, request_bytes, buffer, letters, .. } = rows;
        let sinks = self.sinks_for(buffer.chunks()).await?;
        let unnoted = self.shared.notes.unnoted(sinks.iter().map(|sink| &sink.target().id));
        let (mut buffer, added) = self.add_rows(buffer, sinks).await?;
        self.reading.positions.insert(Arc::clone(partition), position.clone());
        self.generation.end.insert(Arc::clone(partition), position.clone());
        self.generation.rows += added.rows;
        self.generation.request_bytes += request_bytes;
        self.generation.opened_ms.get_or_insert(self.shared.clock.now_ms());
        if let Some(receipt) = receipt {
            self.generation.remembered.extend(receipt.added(&added.refused));
        }
        if let Some(origin) = letters {
            let mut refused = std::mem::take(&mut buffer.refusals);
            refused.extend(added.refused);
            let letters = refused.into_letters(&origin.text, received_at_ms);
            letters::keep(&self.shared, &self.datasource, &letters, origin.record).await;
        }
        if !added.positions.is_empty() {
            let (schema_version, events) = (self.generation.schema.version, &*added.positions);
            let refused = RefusedRows { partition, position: &position, schema_version, events };
            self.source.note_refused(&refused).await?;
        }
        self.persist_what_is_full(added.frozen).await?;
        Ok(unnoted)
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
        let shared = Arc::clone(&self.shared);
        let _changing = shared.notes.changing().await;
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
    /// hand-off, and whoever pushed them waits until an identity of this node is noted.
    async fn allocate(&self, chunk: Interval) -> PendingSegment {
        let owner = self.shared.serving.server_id();
        match self.shared.metadata.buffer_segment(owner, &self.datasource, chunk).await {
            Ok(segment) => segment,
            Err(error) => {
                tracing::warn!(datasource = %self.datasource, %error, "no segment could be allocated, its rows get one at hand-off");
                let unplaced = self.shared.serving.unplaced(&self.datasource, chunk);
                self.shared.notes.note_later(&unplaced.id);
                unplaced
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
            let added = add_to_sinks(&buffer, &sinks);
            (buffer, added)
        };
        let (buffer, added) = self.shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?;
        Ok((buffer, added?))
    }

    fn is_old(&self) -> bool {
        let age_ms = |opened_ms| self.shared.clock.now_ms().saturating_sub(opened_ms);
        self.generation
            .opened_ms
            .is_some_and(|opened| age_ms(opened) >= self.shared.options.handoff_period_ms as i64)
    }

    /// Closes the generation when the hand-off has room for it; else it goes on growing, on disk
    /// mostly, and no more is taken until there is room.
    fn close_if_there_is_room(&mut self) {
        if self.handoff.has_room() {
            self.close(None);
        }
    }

    /// Gives what is buffered to the hand-off and goes on with an empty generation.
    pub(super) fn close(&mut self, done: Option<oneshot::Sender<()>>) {
        let next = self.empty_generation(Arc::clone(&self.generation.schema));
        self.memory.note(0);
        let closed = std::mem::replace(&mut self.generation, next);
        self.handoff.submit(ClosedGeneration { generation: closed, done });
    }

    fn empty_generation(&self, schema: Arc<DatasourceSchema>) -> Generation {
        let (start, known) = (self.generation.end.clone(), Arc::clone(&self.generation.known));
        Generation::new(schema, start, known, self.shared.index_memory.account())
    }

    /// What is buffered is published by somebody else.
    pub(crate) async fn let_go(&mut self) {
        let schema = Arc::clone(&self.generation.schema);
        let next = self.empty_generation(schema);
        let gone = std::mem::replace(&mut self.generation, next);
        let ids: Vec<_> = gone.sinks.values().map(|sink| sink.target().id.clone()).collect();
        let_go(&self.shared, &ids).await;
    }
}

/// How a source is asked for more.
#[derive(Debug)]
struct Asking {
    is_open: bool,
    /// When, after a failure.
    due: Option<Instant>,
    /// How long to wait after the next failure.
    wait: Duration,
}

impl Default for Asking {
    fn default() -> Self {
        Self { is_open: true, due: None, wait: FIRST_WAIT }
    }
}

impl Asking {
    async fn ask(&self, source: &dyn Source) -> Result<Option<Delivery>> {
        if let Some(due) = self.due {
            tokio::time::sleep_until(due).await;
        }
        source.next().await
    }

    fn succeeded(&mut self) {
        *self = Self { is_open: self.is_open, ..Self::default() };
    }

    fn failed(&mut self) {
        self.due = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }
}

/// Adds all rows of a buffer; rows that an index refuses are given back with the reason.
fn add_to_sinks(buffer: &RowBuffer, sinks: &[Arc<Sink>]) -> Result<Added> {
    let mut added = Added::default();
    let mut refused = Vec::new();
    let batch = buffer.batch().view();
    for (sink, rows) in sinks.iter().zip(buffer.rows_by_chunk()) {
        let mut refuse = |row, error: RealtimeError| refused.push((buffer.position(row), error));
        let frozen = sink.add_rows(&batch, &rows, &mut refuse)?;
        added.frozen.extend(frozen.into_iter().map(|index| (Arc::clone(sink), index)));
        added.rows += rows.len();
    }
    added.rows -= refused.len();
    refused.sort_by_key(|(position, _)| *position);
    for (position, error) in refused {
        if error.class() == ErrorClass::Internal {
            return Err(error);
        }
        added.refused.add_row(position, || error.to_string());
        added.positions.push(position);
    }
    Ok(added)
}
