//! Routing: which segments a query reads, and which server answers for each.

use std::collections::BTreeMap;

use henge_platform::discovery::ServerId;
use henge_platform::rpc::SegmentDescriptor;
use henge_query::{Query, SegmentMetadataQuery};
use henge_types::{Interval, TimelineHolder};

use crate::view::{ClusterView, TableView};

/// How far back `segmentMetadata` looks without intervals: Druid's `defaultHistory`, a week.
const DEFAULT_HISTORY_MS: i64 = 7 * 24 * 3_600_000;

/// The visible segments of one datasource that the query reads, each once.
#[must_use]
pub fn segments_of(query: &Query, table: &TableView) -> Vec<SegmentDescriptor> {
    let mut holders = Vec::new();
    for interval in intervals_of(query, table) {
        holders.extend(table.timeline.lookup(interval));
    }
    if let Query::TimeBoundary(boundary) = query
        && boundary.base.filter.is_none()
        && boundary.base.intervals == [Interval::ETERNITY]
        && holders.len() > 2
    {
        // Only the outermost chunks can hold the first and the last timestamp.
        holders.drain(1..holders.len() - 1);
    }
    descriptors(holders)
}

/// The intervals that a query reads of a datasource.
fn intervals_of(query: &Query, table: &TableView) -> Vec<Interval> {
    match query {
        Query::SegmentMetadata(SegmentMetadataQuery { using_default_interval: true, .. }) => {
            let newest = table.replicas.keys().map(|id| id.interval.end_ms).max();
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
fn descriptors(holders: Vec<TimelineHolder<()>>) -> Vec<SegmentDescriptor> {
    let mut seen = std::collections::HashSet::new();
    let mut descriptors = Vec::new();
    for holder in holders {
        for chunk in holder.chunks {
            let descriptor = SegmentDescriptor { id: chunk.id, visible: holder.interval };
            if seen.insert(descriptor.clone()) {
                descriptors.push(descriptor);
            }
        }
    }
    descriptors
}

/// Groups segments by the server that is to answer for them. Segments without a server that is
/// still worth asking come back in the second part.
#[must_use]
pub fn assign(
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
mod tests {
    use henge_platform::discovery::{AnnouncedSegment, ChangeSet};
    use henge_types::{SegmentId, ShardSpec, Version};

    use super::*;

    fn announced(hour: i64, partition: u32) -> AnnouncedSegment {
        let interval = Interval { start_ms: hour * 3_600_000, end_ms: (hour + 1) * 3_600_000 };
        AnnouncedSegment {
            id: SegmentId::new("t", interval, Version(1), partition),
            shard_spec: ShardSpec::Numbered { partition, core_partitions: 0 },
            tier: "hot".into(),
            priority: 0,
            realtime: false,
            size_bytes: 1,
        }
    }

    /// Hour and partition of the segments that a time boundary reads.
    fn read(announcements: &[(i64, u32)]) -> Vec<(i64, u32)> {
        let add = announcements.iter().map(|(hour, part)| announced(*hour, *part)).collect();
        let mut view = ClusterView::default();
        view.apply(&"s".into(), &ChangeSet { add, remove: Vec::new() });
        let query = Query::parse(br#"{"queryType":"timeBoundary","dataSource":"t"}"#).unwrap();
        let segments = segments_of(&query, &view.tables["t"]);
        segments.iter().map(|s| (s.id.interval.start_ms / 3_600_000, s.id.partition)).collect()
    }

    #[test]
    fn a_time_boundary_reads_the_first_and_the_last_chunk() {
        let all: Vec<(i64, u32)> = (0..6).map(|hour| (hour, 0)).chain([(5, 1)]).collect();
        assert_eq!(read(&all), [(0, 0), (5, 0), (5, 1)]);
        assert_eq!(read(&all[..3]), [(0, 0), (2, 0)]);
        assert_eq!(read(&all[..2]), [(0, 0), (1, 0)]);
        assert_eq!(read(&all[..1]), [(0, 0)]);
    }
}
