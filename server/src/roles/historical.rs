//! Starting the historical role.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_broker::show_cache;
use henge_data_node::{MemoryPartialCache, PartialCache};
use henge_historical_node::HistoricalNode;
use henge_platform::telemetry::Metrics;

use crate::ground::Ground;
use crate::options::Options;

/// Opens the node's files and serves those of them that are used; other segments are loaded when a coordinator
/// says.
pub(super) async fn start(options: &Options, ground: &Ground) -> Result<Arc<HistoricalNode>> {
    let partials = partial_cache(options.partial_cache_bytes, &ground.metrics);
    let node = HistoricalNode::open(
        options.historical.clone(),
        ground.discovery.clone(),
        ground.storage.clone(),
        ground.metadata.clone(),
        ground.reach.services_of_nodes(),
        partials,
    );
    let node = node.context("open the segment cache")?;
    match node.restore().await {
        Ok(0) => {}
        Ok(segments) => tracing::info!(segments, "serves what is on its disk"),
        Err(error) => {
            tracing::warn!(%error, "waits for a coordinator to say what of its disk to serve");
        }
    }
    Ok(Arc::new(node))
}

fn partial_cache(
    (bytes, entry): (usize, usize),
    metrics: &Metrics,
) -> Option<Arc<dyn PartialCache>> {
    let cache = (bytes > 0).then(|| Arc::new(MemoryPartialCache::new(bytes, entry)))?;
    let shown = Arc::clone(&cache);
    show_cache(metrics, "segment", move || shown.stats());
    Some(cache)
}
