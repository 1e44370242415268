//! Doing what was planned: several loads at once, and patience with those that fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use henge_data_node::SegmentHost;
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::Coordinator;
use crate::action::Action;
use crate::error::Result;

/// Loads that run at once.
const CONCURRENT_LOADS: usize = 8;
/// Wait before the second attempt; doubles with each failure.
const FIRST_WAIT_MS: u64 = 500;
/// Loading many segments tells how far it is, this often.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// No wait is longer.
const LONGEST_WAIT_MS: u64 = 60_000;

/// Failed loads and when each is worth trying again: a failure is never remembered for good. Counted in
/// time that goes on, since the date may be set back by an hour.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: Mutex<HashMap<(ServerId, SegmentId), (u32, u64)>>,
}

impl Attempts {
    fn is_due(&self, key: &(ServerId, SegmentId), now_ms: u64) -> bool {
        self.failures.lock().get(key).is_none_or(|(_, due_ms)| *due_ms <= now_ms)
    }

    fn failed(&self, key: (ServerId, SegmentId), now_ms: u64) {
        let mut failures = self.failures.lock();
        let (count, due_ms) = failures.entry(key).or_insert((0, 0));
        let wait_ms = (FIRST_WAIT_MS << (*count).min(16)).min(LONGEST_WAIT_MS);
        *count += 1;
        *due_ms = now_ms + wait_ms;
    }

    fn succeeded(&self, key: &(ServerId, SegmentId)) {
        self.failures.lock().remove(key);
    }
}

impl Coordinator {
    /// Carries out the actions; gives how many loads are left (they failed, or wait their turn).
    ///
    /// # Errors
    /// When the metadata store refuses a change.
    pub(crate) async fn apply(&self, actions: Vec<Action>) -> Result<usize> {
        let mut loads = Vec::new();
        let mut rest = Vec::new();
        for action in actions {
            match action {
                Action::Load { server, segment } => loads.push((server, segment)),
                other => rest.push(other),
            }
        }
        let (of, mut done, mut told) = (loads.len(), 0_usize, Instant::now());
        let left = futures::stream::iter(loads)
            .map(|(server, segment)| self.load(server, segment))
            .buffer_unordered(CONCURRENT_LOADS)
            .inspect(|_| {
                done += 1;
                if told.elapsed() >= TELL_EVERY {
                    told = Instant::now();
                    tracing::info!(done, of, "loading segments");
                }
            })
            .filter(|loaded| std::future::ready(!*loaded))
            .count()
            .await;
        for action in rest {
            self.take_away(action).await?;
        }
        Ok(left)
    }

    /// True when the segment is loaded now.
    async fn load(&self, server: ServerId, segment: Arc<PublishedSegment>) -> bool {
        let key = (server, segment.id.clone());
        let Some(host) = self.host(&key.0) else { return false };
        if !self.attempts.is_due(&key, self.clock.running_ms()) {
            return false;
        }
        match host.load(&segment).await {
            Ok(()) => {
                self.attempts.succeeded(&key);
                true
            }
            Err(error) => {
                tracing::warn!(segment = %segment.id, %error, "failed to load segment, will try again");
                self.attempts.failed(key, self.clock.running_ms());
                false
            }
        }
    }

    async fn take_away(&self, action: Action) -> Result<()> {
        match action {
            Action::Unload { server, id } => {
                let Some(host) = self.host(&server) else { return Ok(()) };
                if let Err(error) = host.unload(&id).await {
                    tracing::warn!(segment = %id, %error, "failed to unload segment");
                }
            }
            Action::MarkUnused { ids } => {
                let count = self.metadata.mark_unused(&ids, None).await?;
                tracing::info!(count, "marked overshadowed segments unused");
            }
            Action::Load { .. } => {}
        }
        Ok(())
    }

    fn host(&self, server: &ServerId) -> Option<Arc<dyn SegmentHost>> {
        self.hosts.read().iter().find(|host| host.server_id() == server).cloned()
    }
}

#[cfg(test)]
mod tests {
    use henge_types::{Interval, Version};

    use super::*;

    #[test]
    fn f_49_a_failed_load_is_tried_again_later_and_later() {
        let attempts = Attempts::default();
        let id = SegmentId {
            datasource: "d".into(),
            interval: Interval { start_ms: 0, end_ms: 1 },
            version: Version(1),
            partition: 0,
        };
        let key = (ServerId::from("a"), id);
        assert!(attempts.is_due(&key, 0));
        attempts.failed(key.clone(), 0);
        assert!(!attempts.is_due(&key, 499) && attempts.is_due(&key, 500));
        attempts.failed(key.clone(), 500);
        assert!(!attempts.is_due(&key, 1_499) && attempts.is_due(&key, 1_500));
        attempts.succeeded(&key);
        assert!(attempts.is_due(&key, 0));
    }
}
