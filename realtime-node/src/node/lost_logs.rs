//! A node that starts on a new disk, and whose logs others have copies of: those go on with them first.
//!
//! It must not begin under its old name before: what it had acknowledged is in the copies alone, and with its
//! lease it would keep the others from them.

use std::time::Duration;

use crate::error::Result;
use crate::push::{LogState, OwnLog};
use crate::shared::Shared;

/// How often it is looked whether the others went on with them.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Returns, with the lease, once no log that is gone from the disk has a copy that counts.
///
/// # Errors
/// When the metadata cannot be reached.
pub(super) async fn await_takeover(shared: &Shared) -> Result<()> {
    loop {
        let lost = lost(shared).await?;
        if lost.is_empty() {
            return Ok(());
        }
        tracing::warn!(datasources = ?lost, "logs are gone from the disk, and others have copies: waits until they go on with them, or the node is given up");
        shared.lease.give_back().await;
        while !self::lost(shared).await?.is_empty() {
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        shared.lease.take().await?;
    }
}

/// The datasources whose logs have copies, and are not on the disk.
async fn lost(shared: &Shared) -> Result<Vec<String>> {
    let logs = LogState::all(&*shared.metadata, &shared.options.node).await?;
    let is_lost = |log: &&LogState| {
        let folder = OwnLog::in_state(log).folder;
        log.body.copy.is_some() && !shared.options.wal_dir.join(folder).exists()
    };
    Ok(logs.iter().filter(is_lost).map(|log| log.datasource.to_string()).collect())
}
