//! Hand-off: merge the chunks of a closed generation into segments, push them to deep storage, publish
//! them with what is published of the source now, wait until a historical node serves them, and only then
//! let go. A chunk that cannot be handed off holds up no other (ADR 18).

mod backlog;
mod closed;
mod prepare;
mod publish;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use henge_platform::runtime::spawn;
use henge_types::Interval;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use backlog::Backlog;
pub use backlog::BacklogStatus;
pub(crate) use closed::ClosedGeneration;
pub use retry::HandoffFailure;

use super::halt::Halt;
use super::published::Published;
use super::source::Source;
use super::writer::Stream;
use crate::error::RealtimeError;
use crate::shared::Shared;
use backlog::Waiting;
use closed::Closed;
use retry::Retry;

/// Chunks that are ready wait this long for others, to be published with them.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// The way to a datasource's hand-off task.
#[derive(Debug)]
pub(crate) struct Handoff {
    queue: mpsc::UnboundedSender<ClosedGeneration>,
    backlog: Backlog,
}

/// The hand-off task of a datasource.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) datasource: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) source: Arc<dyn Source>,
    halt: Halt,
    pub(crate) backlog: Backlog,
    /// As it is committed.
    pub(crate) published: Published,
    /// In the order in which they were read; the first goes on where what is published ends.
    closed: Vec<Closed>,
}

impl Handoff {
    /// Starts the task, which goes on behind what is published.
    pub(crate) fn start(stream: &Stream, published: Published) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let Stream { datasource, shared, source, newest: _, halt, backlog } = stream.clone();
        let handoff = Self { queue, backlog: backlog.clone() };
        let closed = Vec::new();
        let worker = Worker { datasource, shared, source, halt, backlog, published, closed };
        spawn(worker.run(waiting));
        handoff
    }

    /// True while one more generation may wait. Without room a generation stays open and grows, and
    /// pushes are refused: a slow deep storage slows the source down instead of filling memory and
    /// disk.
    #[must_use]
    pub(crate) fn has_room(&self) -> bool {
        self.backlog.has_room()
    }

    /// True since there was no room, until there is some.
    pub(crate) fn is_blocked(&self) -> bool {
        self.backlog.is_blocked()
    }

    /// Queues a generation.
    pub(crate) fn submit(&self, closed: ClosedGeneration) {
        self.backlog.queued(closed.waiting());
        if self.queue.send(closed).is_err() {
            tracing::error!("hand-off has stopped; events come again after a restart");
        }
    }
}

impl Worker {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<ClosedGeneration>) {
        let mut is_open = true;
        while is_open || !self.closed.is_empty() {
            let due = self.next_due();
            tokio::select! {
                biased;
                received = queue.recv(), if is_open => match received {
                    Some(closed) => self.take(closed),
                    None => is_open = false,
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            self.attempt().await;
            if self.halt.is_superseded() {
                self.let_all_go().await;
            }
        }
    }

    fn take(&mut self, closed: ClosedGeneration) {
        let one = closed.waiting();
        let is_awaited = closed.done.is_some();
        self.closed.push(Closed::new(closed, &self.shared.options));
        self.backlog.arrived(one, self.waiting());
        if is_awaited {
            // Whoever waits for all of it does not want to wait for the next attempts.
            self.closed.iter_mut().for_each(Closed::hurry);
        }
    }

    /// When there is something to do. A generation without chunks waits for those before it.
    fn next_due(&self) -> Option<Instant> {
        let chunks = self.closed.iter().flat_map(|closed| &closed.chunks);
        let position = self.closed.first().filter(|first| first.chunks.is_empty());
        let retries = chunks.map(|chunk| &chunk.retry).chain(position.map(|first| &first.retry));
        retries.map(Retry::due).min()
    }

    /// Does all that is due, generation by generation. Other chunks are published while some fail, and
    /// while many are still to be prepared: a process that does not live long gets on all the same.
    async fn attempt(&mut self) {
        let now = Instant::now();
        let mut last_published = now;
        while let Some(at) = self.closed.iter().position(|c| c.next_to_prepare(now).is_some()) {
            while let Some(chunk) = self.closed[at].next_to_prepare(now) {
                self.prepare_chunk(at, chunk).await;
                if last_published.elapsed() >= PUBLISH_EVERY {
                    break;
                }
            }
            self.publish_ready().await;
            last_published = Instant::now();
        }
        self.publish_ready().await;
    }

    async fn prepare_chunk(&mut self, at: usize, chunk: usize) {
        // Out of its generation, which says how its rows are written.
        let mut taken = self.closed[at].chunks.remove(chunk);
        let closed = &self.closed[at];
        let placing = self.placing(&closed.generation, &closed.files);
        let prepared = prepare::prepare(&placing, &mut taken).await;
        if let Err(error) = prepared {
            self.note_failure(&mut taken.retry, Some(taken.interval), &error);
        }
        let closed = &mut self.closed[at];
        closed.chunks.insert(chunk, taken);
        closed.note_memory();
        self.show();
    }

    fn note_failure(&self, retry: &mut Retry, interval: Option<Interval>, error: &RealtimeError) {
        let failure = retry.failed(interval, error, self.shared.clock.now_ms());
        let (attempt, interval) = (failure.attempts, interval.map(|i| i.to_string()));
        tracing::error!(datasource = %self.datasource, interval, attempt, %error, "hand-off failed, will try again");
    }

    fn waiting(&self) -> Waiting {
        self.closed.iter().map(Closed::waiting).fold(Waiting::default(), |sum, one| sum + one)
    }

    /// Shows what waits and why.
    fn show(&self) {
        let retries = self.closed.iter().flat_map(Closed::retries);
        let failures = retries.filter_map(Retry::failure).cloned().collect();
        self.backlog.show(self.waiting(), failures);
    }
}
