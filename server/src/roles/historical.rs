//! Starting the historical role.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_broker::show_cache;
use henge_data_node::{MemoryPartialCache, PartialCache};
use henge_historical_node::HistoricalNode;
use henge_platform::telemetry::Metrics;

use crate::ground::Ground;
use crate::options::Options;

/// Opens the node's files; nothing is loaded until a coordinator says.
pub(super) fn start(options: &Options, ground: &Ground) -> Result<Arc<HistoricalNode>> {
    let partials = partial_cache(options.partial_cache_bytes, &ground.metrics);
    let node = HistoricalNode::open(
        options.historical.clone(),
        ground.discovery.clone(),
        ground.storage.clone(),
        ground.metadata.clone(),
        ground.reach.services_of_nodes(),
        partials,
    );
    Ok(Arc::new(node.context("open the segment cache")?))
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
