//! Starting the realtime role.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_realtime_node::{Dependencies, RealtimeNode};
use henge_types::ErrorClass;
use tokio::sync::Notify;

use crate::data_folder::DataFolder;
use crate::ground::Ground;
use crate::integrity::refuse_damaged_logs;
use crate::options::Options;
use crate::shown;

/// Opens the logs and replays what was acknowledged and is not published.
pub(super) async fn start(
    options: &Options,
    folder: &DataFolder,
    ground: &Ground,
    published: Arc<Notify>,
) -> Result<Arc<RealtimeNode>> {
    let dependencies = Dependencies {
        metadata: ground.metadata.clone(),
        storage: ground.storage.clone(),
        discovery: ground.discovery.clone(),
        clock: Arc::clone(&ground.clock),
        ingest_pool: ground.ingest_pool.clone(),
        queries: ground.reach.services_of_nodes(),
        published,
        log_marks: ground.marks.clone(),
        requests: options.accounts.requests.clone(),
        indexes: options.accounts.indexes.clone(),
        peers: ground.realtime_peers.clone(),
    };
    let node = match RealtimeNode::start(options.realtime.clone(), dependencies).await {
        Err(error) if error.class() == ErrorClass::Corrupt => {
            refuse_damaged_logs(folder, &*ground.metadata).await?;
            return Err(error).context("start ingestion");
        }
        started => started.context("start ingestion")?,
    };
    shown::logs(&ground.metrics, &node);
    shown::backlog(&ground.metrics, &node);
    shown::ingestion(&ground.metrics, &node);
    shown::tasks(&ground.metrics, &node);
    Ok(node)
}
