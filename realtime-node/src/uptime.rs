//! How long servers have run on the metadata store, all runs together. Idempotency keys age by it:
//! a clock that steps and a day without a server are no reason to store a late retry twice.
//!
//! One node at a time counts it and forgets old keys: whoever has the lease. What it counts is its own
//! time, so a node that was paused and lost the lease counts nothing of that.

use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::{Fence, MetadataError, MetadataStore};
use henge_platform::runtime::Clock;
use tokio::sync::Mutex;

/// How often the uptime is written down, and old keys are forgotten. A crash loses at most so much:
/// keys then live that much longer.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);

/// Who counts.
const LEASE: &str = "realtime-uptime";
const TTL_MS: u64 = 3 * 60_000;

/// Writes the time of this process down.
#[derive(Debug)]
pub(crate) struct Uptime {
    metadata: Arc<dyn MetadataStore>,
    clock: Arc<dyn Clock>,
    server: ServerId,
    counting: Mutex<Counting>,
}

#[derive(Debug)]
struct Counting {
    /// `None` while another node counts.
    fence: Option<Fence>,
    /// The reading of the clock up to which it is written down.
    counted_ms: u64,
}

impl Uptime {
    /// From now on, once [`lead`](Self::lead) found that this node is to count.
    #[must_use]
    pub(crate) fn new(
        metadata: Arc<dyn MetadataStore>,
        clock: Arc<dyn Clock>,
        server: ServerId,
    ) -> Self {
        let counting = Mutex::new(Counting { fence: None, counted_ms: clock.running_ms() });
        Self { metadata, clock, server, counting }
    }

    /// Becomes the node that counts, if no other is. A node that starts again goes on at once: its
    /// folder has one owner, so the name is enough to tell it from others.
    pub(crate) async fn lead(&self) {
        let mut counting = self.counting.lock().await;
        if counting.fence.is_some() {
            return;
        }
        let now_ms = self.clock.running_ms();
        match self.metadata.acquire_lease(LEASE, &self.server, TTL_MS).await {
            Ok(lease) if lease.is_held_by(&self.server) => {
                *counting = Counting { fence: Some(lease.fence()), counted_ms: now_ms };
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "uptime is not counted yet, will try again"),
        }
    }

    /// Writes down the time since the last call; gives the sum in milliseconds, or `None` while another
    /// node counts.
    ///
    /// # Errors
    /// When the metadata store fails; the time may be left out then.
    pub(crate) async fn advance(&self) -> henge_platform::metadata::Result<Option<u64>> {
        let mut counting = self.counting.lock().await;
        let Some(fence) = &counting.fence else { return Ok(None) };
        // Read before the lease is renewed: what comes after may be another's to count.
        let now_ms = self.clock.running_ms();
        match self.metadata.renew_lease(fence, TTL_MS).await {
            Err(MetadataError::Fenced { .. }) => {
                counting.fence = None;
                return Ok(None);
            }
            renewed => renewed.map(|_| ())?,
        }
        let elapsed_ms = now_ms.saturating_sub(counting.counted_ms);
        // Without an answer it may be counted: keys that live longer do no harm, forgotten ones do.
        counting.counted_ms = now_ms;
        Ok(Some(self.metadata.add_uptime(elapsed_ms).await?))
    }

    /// Forgets the keys that were published longer ago than this, if this node counts. Others may have
    /// published theirs up to a period before it was counted.
    pub(crate) async fn prune_keys(&self, retention_ms: u64) {
        let pruned = match self.advance().await {
            Ok(None) => return,
            Ok(Some(now_ms)) => {
                let kept_ms = retention_ms.saturating_add(PERIOD.as_millis() as u64);
                self.metadata.prune_idempotency(now_ms.saturating_sub(kept_ms)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = pruned {
            tracing::warn!(%error, "failed to prune idempotency keys, will try again");
        }
    }
}
