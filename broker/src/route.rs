//! Routing: which segments a query reads, and which server answers for each.

use std::collections::BTreeMap;

use henge_data_node::SegmentDescriptor;
use henge_platform::discovery::ServerId;
use henge_query::{Query, SegmentMetadataQuery};
use henge_types::{Interval, TimelineHolder};

use crate::view::{ClusterView, TableView};

/// How far back `segmentMetadata` looks without intervals: Druid's `defaultHistory`, a week.
const DEFAULT_HISTORY_MS: i64 = 7 * 24 * 3_600_000;

/// The visible segments of one datasource that the query reads, each once.
#[must_use]
pub(crate) fn segments_of(query: &Query, table: &TableView) -> Vec<SegmentDescriptor> {
    let mut holders = Vec::new();
    let mut buffered = Vec::new();
    for interval in intervals_of(query, table) {
        holders.extend(table.timeline.lookup(interval));
        buffered.extend(table.buffered_within(interval));
    }
    if let Query::TimeBoundary(boundary) = query
        && boundary.base.filter.is_none()
        && boundary.base.intervals == [Interval::ETERNITY]
    {
        leave_out_inner(&mut holders, table);
    }
    descriptors(holders, buffered, table)
}

/// Leaves out slices, in order of time, between two that surely hold rows: neither the first nor the
/// last row is there. The slice of a segment that newer ones hide in part may hold none of its rows.
fn leave_out_inner(holders: &mut Vec<TimelineHolder<()>>, table: &TableView) {
    let holds_rows = |holder: &TimelineHolder<()>| {
        holder.chunks.iter().any(|chunk| table.has_row_in(&chunk.id, holder.interval))
    };
    let (first, last) = (holders.iter().position(holds_rows), holders.iter().rposition(holds_rows));
    if let (Some(first), Some(last)) = (first, last)
        && first < last
    {
        holders.drain(first + 1..last);
    }
}

/// The intervals that a query reads of a datasource.
fn intervals_of(query: &Query, table: &TableView) -> Vec<Interval> {
    match query {
        Query::SegmentMetadata(SegmentMetadataQuery { using_default_interval: true, .. }) => {
            let newest = table.span().map(|span| span.end_ms);
            newest
                .map(|end_ms| Interval {
                    start_ms: end_ms.saturating_sub(DEFAULT_HISTORY_MS),
                    end_ms,
                })
                .into_iter()
                .collect()
        }
        _ => query.base().intervals.clone(),
    }
}

/// One descriptor a segment and visible slice. A segment that several query intervals touch is
/// looked up several times but read once: reading applies all of the query's intervals.
fn descriptors(
    holders: Vec<TimelineHolder<()>>,
    buffered: Vec<SegmentDescriptor>,
    table: &TableView,
) -> Vec<SegmentDescriptor> {
    let published = holders.into_iter().flat_map(|holder| {
        let visible = holder.interval;
        holder.chunks.into_iter().map(move |chunk| SegmentDescriptor { id: chunk.id, visible })
    });
    // What was dropped is hidden by segments without rows: nobody need be asked for those.
    let published = published.filter(|descriptor| table.may_have_rows(&descriptor.id));
    let mut seen = std::collections::HashSet::new();
    let all = published.chain(buffered);
    all.filter(|descriptor| seen.insert(descriptor.clone())).collect()
}

/// Groups segments by the server that is to answer for them. Segments without a server that is
/// still worth asking come back in the second part.
#[must_use]
pub(crate) fn assign(
    view: &ClusterView,
    segments: Vec<SegmentDescriptor>,
    is_excluded: impl Fn(&ServerId, &SegmentDescriptor) -> bool,
) -> (BTreeMap<ServerId, Vec<SegmentDescriptor>>, Vec<SegmentDescriptor>) {
    let mut by_server: BTreeMap<ServerId, Vec<SegmentDescriptor>> = BTreeMap::new();
    let mut without = Vec::new();
    for segment in segments {
        let replicas = view
            .tables
            .get(&segment.id.datasource)
            .and_then(|table| table.replicas.get(&segment.id));
        let server = replicas
            .into_iter()
            .flatten()
            .map(|replica| &replica.server)
            .find(|server| !is_excluded(server, &segment));
        match server {
            Some(server) => by_server.entry(server.clone()).or_default().push(segment),
            None => without.push(segment),
        }
    }
    (by_server, without)
}

#[cfg(test)]
mod tests;
