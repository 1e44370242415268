//! What a time boundary reads.

use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ChangeSet};
use henge_platform::metadata::PublishedSegment;
use henge_types::{SegmentId, ShardSpec, Version};
use tokio::time::Instant;

use super::*;

const HOUR_MS: i64 = 3_600_000;

/// A segment of some hours, with its rows in one of them.
struct Given {
    first_hour: i64,
    hours: i64,
    version: u64,
    partition: u32,
    row_hour: i64,
    is_buffered: bool,
}

fn hour(first_hour: i64, version: u64, partition: u32) -> Given {
    Given { first_hour, hours: 1, version, partition, row_hour: first_hour, is_buffered: false }
}

/// First hour and partition of the segments that a time boundary reads.
fn read(given: &[Given]) -> Vec<(i64, u32)> {
    let mut view = ClusterView::default();
    let mut used = Vec::new();
    for given in given {
        let end_ms = (given.first_hour + given.hours) * HOUR_MS;
        let interval = Interval { start_ms: given.first_hour * HOUR_MS, end_ms };
        let id = SegmentId::new("t", interval, Version(given.version), given.partition);
        let shard_spec = ShardSpec::appended(given.partition);
        let add = vec![AnnouncedSegment {
            id: id.clone(),
            shard_spec,
            tier: "hot".into(),
            priority: 0,
            realtime: given.is_buffered,
            size_bytes: 1,
            schema: AnnouncedSchema::of([]).into(),
        }];
        view.apply(&"s".into(), &ChangeSet { add, ..ChangeSet::default() }, Instant::now());
        if !given.is_buffered {
            used.push(PublishedSegment {
                id,
                shard_spec,
                object_key: "k".into(),
                size_bytes: 1,
                checksum: 1,
                row_count: 1,
                min_time_ms: given.row_hour * HOUR_MS,
                max_time_ms: given.row_hour * HOUR_MS,
                schema_json: "{}".into(),
            });
        }
    }
    view.replace_used(&used, Instant::now());
    let query = Query::parse(br#"{"queryType":"timeBoundary","dataSource":"t"}"#).unwrap();
    let segments = segments_of(&query, &view.tables["t"]);
    segments.iter().map(|s| (s.visible.start_ms / HOUR_MS, s.id.partition)).collect()
}

#[test]
fn a_time_boundary_reads_the_first_and_the_last_chunk() {
    let all = || (0..6).map(|number| hour(number, 1, 0));
    assert_eq!(read(&all().chain([hour(5, 1, 1)]).collect::<Vec<_>>()), [(0, 0), (5, 0), (5, 1)]);
    assert_eq!(read(&all().take(3).collect::<Vec<_>>()), [(0, 0), (2, 0)]);
    assert_eq!(read(&all().take(2).collect::<Vec<_>>()), [(0, 0), (1, 0)]);
    assert_eq!(read(&all().take(1).collect::<Vec<_>>()), [(0, 0)]);
}

/// A-5: of a long segment that newer ones hide in part, the outermost slices may hold no row.
#[test]
fn a_5_a_time_boundary_goes_inward_past_slices_that_may_hold_no_row() {
    let year = |row_hour| Given {
        first_hour: 0,
        hours: 12,
        version: 1,
        partition: 0,
        row_hour,
        is_buffered: false,
    };
    // Its row is where a newer segment hides it: its outer slices are empty.
    assert_eq!(read(&[year(5), hour(5, 2, 7)]), [(0, 0), (5, 7), (6, 0)]);
    // Two newer ones, and the row between them: the first slice is empty, then comes a row.
    assert_eq!(
        read(&[year(6), hour(2, 2, 7), hour(4, 3, 8), hour(8, 4, 9)]),
        [(0, 0), (2, 7), (8, 9), (9, 0)]
    );
    // What is buffered is always read, whole: nothing hides it.
    let buffered = Given { is_buffered: true, ..year(0) };
    assert_eq!(read(&[buffered, hour(5, 2, 7), hour(8, 2, 7)]), [(5, 7), (8, 7), (0, 0)]);
}
