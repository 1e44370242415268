//! The loop: on every notice, and every few seconds without one.

use std::time::Duration;

use henge_platform::discovery::ServerId;
use tokio::sync::Notify;

use crate::error::Result;
use crate::plan::plan;
use crate::snapshot::ClusterSnapshot;
use crate::{Coordinator, Progress};

/// The longest time between two runs.
const PERIOD: Duration = Duration::from_secs(2);

impl Coordinator {
    /// Runs until the future is dropped: on every notice of `published`, and every few seconds.
    pub async fn run_woken_by(&self, published: &Notify) {
        loop {
            let _ = tokio::time::timeout(PERIOD, published.notified()).await;
            if let Err(error) = self.run_once().await {
                tracing::error!(%error, "coordinator run failed, nothing was decided");
            }
        }
    }

    /// One run: read, plan, do.
    ///
    /// # Errors
    /// When the metadata store cannot be read; then nothing is done.
    pub async fn run_once(&self) -> Result<()> {
        let snapshot = self.snapshot().await?;
        let actions = plan(&snapshot);
        let waiting_to_load = self.apply(actions).await?;
        self.progress.send_modify(|progress| {
            *progress = Progress {
                runs: progress.runs + 1,
                used_segments: snapshot.used.len(),
                waiting_to_load,
            };
        });
        Ok(())
    }

    async fn snapshot(&self) -> Result<ClusterSnapshot> {
        let mut inventory = self.inventory.lock().await;
        inventory.refresh(self.metadata.as_ref()).await?;
        let hosts: Vec<ServerId> =
            self.hosts.read().iter().map(|host| host.server_id().clone()).collect();
        Ok(ClusterSnapshot {
            complete: inventory.is_complete(),
            used: inventory.used(),
            servers: ClusterSnapshot::servers_of(&self.discovery.snapshot(), &hosts),
        })
    }
}
