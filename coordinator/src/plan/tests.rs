//! Plans over hand-made clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::*;
use crate::snapshot::ServerState;

fn segment(start_ms: i64, version: u64, partition: u32, core: u32) -> Arc<PublishedSegment> {
    Arc::new(PublishedSegment {
        id: SegmentId {
            datasource: "d".into(),
            interval: Interval { start_ms, end_ms: start_ms + 10 },
            version: Version(version),
            partition,
        },
        shard_spec: ShardSpec::Numbered { partition, core_partitions: core },
        object_key: String::new(),
        size_bytes: 7,
        checksum: 0,
        row_count: 1,
        min_time_ms: start_ms,
        max_time_ms: start_ms,
        schema_json: String::new(),
    })
}

fn cluster(
    used: &[&Arc<PublishedSegment>],
    servers: &[(&str, &[&Arc<PublishedSegment>])],
) -> ClusterSnapshot {
    let state = |segments: &[&Arc<PublishedSegment>]| ServerState {
        loaded: segments.iter().map(|s| (s.id.clone(), (s.shard_spec, s.size_bytes))).collect(),
    };
    ClusterSnapshot {
        complete: true,
        used: Arc::new(used.iter().map(|s| (s.id.clone(), Arc::clone(s))).collect()),
        servers: servers
            .iter()
            .map(|(name, segments)| (ServerId::from(*name), state(segments)))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn load(server: &str, segment: &Arc<PublishedSegment>) -> Action {
    Action::Load { server: server.into(), segment: Arc::clone(segment) }
}

#[test]
fn f_52_newest_segments_load_first_and_spread_over_servers() {
    let (old, new) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
    let actions = plan(&cluster(&[&old, &new], &[("a", &[]), ("b", &[])]));
    assert_eq!(actions, [load("a", &new), load("b", &old)]);
}

#[test]
fn f_72_i_13_a_settled_cluster_needs_nothing() {
    let one = segment(0, 1, 0, 0);
    assert_eq!(plan(&cluster(&[&one], &[("a", &[&one])])), []);
    // Also when one server has all of it and the other nothing: what is served stays where it is.
    let many: Vec<_> = (0..50).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let skewed = cluster(&all, &[("a", &all), ("b", &[])]);
    assert!((0..1_000).all(|_| plan(&skewed).is_empty()));
}

#[test]
fn f_26_an_incomplete_view_never_drops() {
    let one = segment(0, 1, 0, 0);
    let mut snapshot = cluster(&[], &[("a", &[&one])]);
    snapshot.complete = false;
    assert_eq!(plan(&snapshot), []);
    snapshot.complete = true;
    assert_eq!(plan(&snapshot), [Action::Unload { server: "a".into(), id: one.id.clone() }]);
}

#[test]
fn f_70_the_replaced_version_stays_until_the_new_one_is_loaded() {
    let (old, new) = (segment(0, 1, 0, 0), segment(0, 2, 0, 1));
    let before = plan(&cluster(&[&new], &[("a", &[&old])]));
    assert_eq!(before, [load("a", &new)]);
    let after = plan(&cluster(&[&new], &[("a", &[&old, &new])]));
    assert_eq!(after, [Action::Unload { server: "a".into(), id: old.id.clone() }]);
}

#[test]
fn f_75_overshadowed_segments_are_retired_once_the_new_version_is_complete() {
    let old = segment(0, 1, 0, 0);
    let (first, second) = (segment(0, 2, 0, 2), segment(0, 2, 1, 2));
    let half = cluster(&[&old, &first, &second], &[("a", &[&old, &first])]);
    assert_eq!(plan(&half), [load("a", &second)]);
    let whole = cluster(&[&old, &first, &second], &[("a", &[&old, &first, &second])]);
    assert_eq!(plan(&whole), [Action::MarkUnused { ids: vec![old.id.clone()] }]);
}

/// All that a lost server had is asked for in the next run, on those that are left, in equal parts.
#[test]
fn f_54_the_segments_of_a_lost_server_are_loaded_elsewhere_in_one_run() {
    let many: Vec<_> = (0..20_000).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let (kept, lost) = all.split_at(10_000);
    let actions = plan(&cluster(&all, &[("a", kept), ("b", &[]), ("c", &[])]));
    assert_eq!(actions.len(), lost.len());
    let mut by_server: BTreeMap<ServerId, usize> = BTreeMap::new();
    for action in &actions {
        let Action::Load { server, segment } = action else { panic!("{action:?}") };
        assert!(segment.id.interval.start_ms >= 100_000, "{}", segment.id);
        *by_server.entry(server.clone()).or_default() += 1;
    }
    assert_eq!(by_server.values().collect::<Vec<_>>(), [&5_000, &5_000], "{by_server:?}");
}
