//! How long servers have run on the metadata store, all runs together. Idempotency keys age by it:
//! a clock that steps and a day without a server are no reason to store a late retry twice.

use std::sync::Arc;

use henge_platform::metadata::MetadataStore;
use henge_platform::runtime::Clock;
use tokio::sync::Mutex;

/// Writes the time of this process down.
#[derive(Debug)]
pub(crate) struct Uptime {
    metadata: Arc<dyn MetadataStore>,
    clock: Arc<dyn Clock>,
    /// The reading of the clock up to which it is written down.
    counted_ms: Mutex<u64>,
}

impl Uptime {
    /// From now on.
    #[must_use]
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>, clock: Arc<dyn Clock>) -> Self {
        let counted_ms = Mutex::new(clock.running_ms());
        Self { metadata, clock, counted_ms }
    }

    /// Writes down the time since the last call; gives the sum in milliseconds.
    ///
    /// # Errors
    /// When the metadata store fails; the time is counted at the next call.
    pub(crate) async fn advance(&self) -> henge_platform::metadata::Result<u64> {
        let mut counted_ms = self.counted_ms.lock().await;
        let now_ms = self.clock.running_ms();
        let sum = self.metadata.add_uptime(now_ms.saturating_sub(*counted_ms)).await?;
        *counted_ms = now_ms;
        Ok(sum)
    }

    /// Forgets the keys that were published longer ago than this.
    pub(crate) async fn prune_keys(&self, retention_ms: u64) {
        let pruned = match self.advance().await {
            Ok(now_ms) => {
                self.metadata.prune_idempotency(now_ms.saturating_sub(retention_ms)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = pruned {
            tracing::warn!(%error, "failed to prune idempotency keys, will try again");
        }
    }
}
