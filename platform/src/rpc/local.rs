//! Runs a query over views in this process: prunes, asks the cache, and lets workers read the rest.

use std::sync::Arc;
use std::time::Duration;

use henge_exec::{ExecError, NodeDictionaries};
use henge_query::Query;
use henge_segment::SegmentView;

use super::{NodeError, SegmentDescriptor, SegmentQuery, SegmentReply, spilled, workers};
use crate::cache::{PartialCache, PartialCaching};
use crate::runtime::CpuPool;

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// A view, what it is part of, and the query as it is to answer it.
pub(super) type Work = (SegmentDescriptor, Arc<Query>, Arc<dyn SegmentView>);

/// What makes a node's queries faster. All of it is for immutable segments only, one view a
/// descriptor.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeAids<'a> {
    /// Numbers the values of all segments alike.
    pub dictionaries: Option<&'a Arc<NodeDictionaries>>,
    /// Keeps what segments contributed.
    pub partials: Option<&'a Arc<dyn PartialCache>>,
}

/// Answers `request` from `found`; `missing` is passed through.
///
/// # Errors
/// When one view fails: then the whole call fails, never a part of it.
pub async fn run_views(
    pool: &CpuPool,
    request: &SegmentQuery,
    found: Vec<DescriptorViews>,
    missing: Vec<SegmentDescriptor>,
    aids: NodeAids<'_>,
) -> Result<SegmentReply, NodeError> {
    let mut reply = SegmentReply { missing, ..SegmentReply::default() };
    let caching = PartialCaching::of(aids.partials, &request.query);
    let mut work: Vec<Work> = Vec::new();
    for (descriptor, views) in found {
        if let Some(partial) = caching.as_ref().and_then(|caching| caching.get(&descriptor)) {
            reply.partials.push(partial);
            reply.stats.segments_cached += 1;
            continue;
        }
        let query = descriptor.restrict(&request.query);
        for view in views {
            if is_outside(&query, view.as_ref()) {
                reply.stats.segments_pruned += 1;
            } else {
                work.push((descriptor.clone(), Arc::clone(&query), view));
            }
        }
    }
    if work.is_empty() {
        return Ok(reply);
    }
    let options = workers::Options {
        // What the cache knew is still to be merged.
        is_complete: request.is_complete && reply.missing.is_empty() && reply.partials.is_empty(),
        // One segment's groups are merged with nobody's.
        dictionaries: aids.dictionaries.filter(|_| work.len() > 1).cloned(),
        caching,
    };
    let outcome = match &request.spill {
        None => workers::run(pool, request, options, work).await?,
        Some(spill) => match workers::run(pool, request, options, work.clone()).await {
            Err(NodeError::Exec(ExecError::ResourceLimit(_))) => {
                spilled::run(pool, request, spill, work).await?
            }
            outcome => outcome?,
        },
    };
    reply.partials.extend(outcome.partials);
    reply.leases.extend(outcome.leases);
    reply.stats += outcome.stats;
    Ok(reply)
}

/// True when no row of the view can lie in the query's intervals. Metadata queries say of segments,
/// not of rows, what they say.
fn is_outside(query: &Query, view: &dyn SegmentView) -> bool {
    if matches!(query, Query::SegmentMetadata(_) | Query::DataSourceMetadata(_)) {
        return false;
    }
    let Some((first_ms, last_ms)) = view.time_range() else { return true };
    let meets = |i: &henge_types::Interval| i.start_ms <= last_ms && first_ms < i.end_ms;
    !query.base().intervals.iter().any(meets)
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
