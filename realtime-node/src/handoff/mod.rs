//! Hand-off: merge a closed generation into segments, push them to deep storage, publish them with
//! the log position, wait until a historical node serves them, and only then let go.

mod backlog;
mod publish;

use std::sync::Arc;

use henge_platform::wal::Wal;
use tokio::sync::{mpsc, oneshot};

pub use backlog::{Backlog, BacklogStatus, HandoffFailure};

use crate::Shared;
use crate::push::generation::Generation;
use crate::push::keys::PushKeys;
use crate::serving::release_when_served;

/// A generation that takes no more rows.
#[derive(Debug)]
pub struct ClosedGeneration {
    /// What it holds.
    pub generation: Generation,
    /// Told once it is published.
    pub done: Option<oneshot::Sender<()>>,
}

/// The way to a datasource's hand-off task. Generations are published in the order they come.
#[derive(Debug)]
pub struct Handoff {
    queue: mpsc::UnboundedSender<ClosedGeneration>,
    backlog: Backlog,
    limit: usize,
}

/// What the hand-off task works with.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) datasource: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wal: Wal,
    pub(crate) keys: PushKeys,
    pub(crate) backlog: Backlog,
}

impl Handoff {
    /// Starts the task.
    #[must_use]
    pub fn start(
        datasource: Arc<str>,
        shared: Arc<Shared>,
        wal: Wal,
        keys: PushKeys,
        backlog: Backlog,
    ) -> Self {
        let (queue, mut waiting) = mpsc::unbounded_channel::<ClosedGeneration>();
        let limit = shared.options.max_unpublished_generations;
        let handoff = Self { queue, backlog: backlog.clone(), limit };
        let worker = Worker { datasource, shared, wal, keys, backlog };
        tokio::spawn(async move {
            while let Some(closed) = waiting.recv().await {
                worker.hand_off(closed.generation).await;
                worker.backlog.taken();
                if let Some(done) = closed.done {
                    let _ = done.send(());
                }
            }
        });
        handoff
    }

    /// True while one more generation may wait. Without room a generation stays open and grows, and
    /// pushes are refused: a slow deep storage slows the source down instead of filling memory and
    /// disk.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.backlog.has_room(self.limit)
    }

    /// Queues a generation.
    pub fn submit(&self, closed: ClosedGeneration) {
        self.backlog.added();
        if self.queue.send(closed).is_err() {
            tracing::error!("hand-off has stopped; events stay in the log");
        }
    }
}

impl Worker {
    async fn hand_off(&self, mut generation: Generation) {
        if generation.is_empty() {
            return;
        }
        let (segments, outcome) = self.publish(&mut generation).await;
        if let Err(error) = self.shared.serving.announce_published(&segments) {
            tracing::error!(datasource = %self.datasource, %error, "failed to announce segments as published");
        }
        self.keys.forget(generation.keys.iter().map(|record| record.key.as_str()));
        self.shared.published.notify_one();
        self.shared.uptime.prune_keys(self.shared.options.idempotency_retention_ms).await;
        let (wal, next) = (self.wal.clone(), generation.end_position + 1);
        let truncated = tokio::task::spawn_blocking(move || wal.truncate_before(next)).await;
        if let Ok(Err(error)) = truncated {
            tracing::warn!(datasource = %self.datasource, %error, "failed to cut the log, will try again at the next hand-off");
        }
        let ids = segments.iter().map(|segment| segment.published.id.clone()).collect();
        tokio::spawn(release_when_served(Arc::clone(&self.shared), ids, outcome.sequence));
    }
}
