//! Routing: which segments a query reads, and which server answers for each.

use std::collections::{BTreeMap, HashMap};

use henge_data_node::SegmentDescriptor;
use henge_platform::discovery::ServerId;
use henge_query::{Query, SegmentMetadataQuery};
use henge_types::{Interval, TimelineHolder};

use crate::choose::{Candidate, Standing, choose};
use crate::view::{ClusterView, TableView};

/// How far back `segmentMetadata` looks without intervals: Druid's `defaultHistory`, a week.
const DEFAULT_HISTORY_MS: i64 = 7 * 24 * 3_600_000;

/// A segment by its place among those that a query reads.
pub(crate) type Place = usize;

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
        && boundary.base.data_source.is_stored()
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
pub(crate) fn intervals_of(query: &Query, table: &TableView) -> Vec<Interval> {
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

/// Whom segments are asked of.
#[derive(Debug, Default)]
pub(crate) struct Assigned {
    /// What each server is asked for.
    pub(crate) by_server: BTreeMap<ServerId, Share>,
    /// Segments without a server that is still worth asking.
    pub(crate) without: Vec<Place>,
}

/// The segments that one server is asked for.
#[derive(Debug)]
pub(crate) struct Share {
    /// Which they are.
    pub(crate) places: Vec<Place>,
    /// True when each of them has another server as well.
    pub(crate) has_others: bool,
}

/// Groups the segments at `places` by the server that is to answer for them.
#[must_use]
pub(crate) fn assign(
    view: &ClusterView,
    segments: &[SegmentDescriptor],
    places: &[Place],
    standing: impl Fn(&ServerId) -> Standing,
    is_avoided: impl Fn(&ServerId, Place) -> bool,
) -> Assigned {
    let mut assigned = Assigned::default();
    let mut known: HashMap<&ServerId, Standing> = HashMap::new();
    let mut candidates = Vec::new();
    for &place in places {
        let Some(SegmentDescriptor { id, .. }) = segments.get(place) else { continue };
        candidates.clear();
        for replica in view.replicas(id).iter().filter(|r| !is_avoided(&r.server, place)) {
            let server = &replica.server;
            candidates.push(Candidate {
                server,
                priority: replica.segment.priority,
                is_growing: replica.segment.realtime,
                standing: *known.entry(server).or_insert_with(|| standing(server)),
            });
        }
        let Some(server) = choose(&candidates, id) else {
            assigned.without.push(place);
            continue;
        };
        let has_others = candidates.len() > 1;
        match assigned.by_server.get_mut(server) {
            Some(share) => {
                share.places.push(place);
                share.has_others &= has_others;
            }
            None => {
                let share = Share { places: vec![place], has_others };
                assigned.by_server.insert(server.clone(), share);
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests;
