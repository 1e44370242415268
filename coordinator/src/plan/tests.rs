//! Plans over hand-made clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use henge_placement::rules::{Rule, RuleBook, TierAliases, parse_rules};

use super::*;
use crate::action::Unused;
use crate::snapshot::{Announced, AwayServer, Limits, ServerState};

fn plan(snapshot: &ClusterSnapshot) -> Vec<Action> {
    super::plan(snapshot, &TimeBox::endless()).unwrap().actions
}

pub(crate) fn segment(
    start_ms: i64,
    version: u64,
    partition: u32,
    core: u32,
) -> Arc<PublishedSegment> {
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

pub(crate) fn announced(segments: &[&Arc<PublishedSegment>]) -> Announced {
    let announced = |segment: &Arc<PublishedSegment>| AnnouncedSegment {
        id: segment.id.clone(),
        shard_spec: segment.shard_spec,
        tier: "".into(),
        priority: 0,
        realtime: false,
        size_bytes: segment.size_bytes,
        schema: Arc::new(AnnouncedSchema::of([])),
    };
    Arc::new(segments.iter().map(|s| (s.id.clone(), announced(s))).collect())
}

fn server(zone: &str, segments: &[&Arc<PublishedSegment>]) -> ServerState {
    ServerState {
        zone: zone.into(),
        capacity_bytes: u64::MAX,
        loaded: announced(segments),
        room_for_loads: usize::MAX,
        room_for_drops: usize::MAX,
        ..ServerState::default()
    }
}

fn used(segments: &[&Arc<PublishedSegment>]) -> Arc<BTreeMap<SegmentId, Arc<PublishedSegment>>> {
    Arc::new(segments.iter().map(|s| (s.id.clone(), Arc::clone(s))).collect())
}

/// A calm cluster of one zone that is wholly seen, in which nothing is moved.
fn cluster(
    segments: &[&Arc<PublishedSegment>],
    servers: &[(&str, &[&Arc<PublishedSegment>])],
) -> ClusterSnapshot {
    let servers = servers.iter().map(|(name, loaded)| ((*name).into(), server("", loaded)));
    ClusterSnapshot {
        is_complete: true,
        may_load: true,
        is_calm: true,
        rules: Arc::new(RuleBook::of_replicas(1)),
        limits: Limits { moves: 0, further_copies: usize::MAX },
        used: used(segments),
        servers: servers.collect(),
        ..ClusterSnapshot::default()
    }
}

/// The same with two replicas, and servers with their zones.
fn zones(
    segments: &[&Arc<PublishedSegment>],
    servers: &[(&str, &str, &[&Arc<PublishedSegment>])],
) -> ClusterSnapshot {
    let servers = servers.iter().map(|(name, zone, loaded)| ((*name).into(), server(zone, loaded)));
    let rules = Arc::new(RuleBook::of_replicas(2));
    ClusterSnapshot { rules, servers: servers.collect(), ..cluster(segments, &[]) }
}

fn drop_copy(server: &str, segment: &Arc<PublishedSegment>, keepers: &[&str]) -> Action {
    let keepers = keepers.iter().map(|name| ServerId::from(*name)).collect();
    Action::DropCopy { server: server.into(), segment: Arc::clone(segment), keepers }
}

/// Where moves go, with their reasons.
fn moves(actions: &[Action]) -> Vec<(String, SegmentId, &'static str)> {
    let moved = |action: &Action| match action {
        Action::Move { server, segment, before, after, .. } => {
            (server.to_string(), segment.id.clone(), after.main_gain(before))
        }
        other => panic!("{other:?}"),
    };
    actions.iter().map(moved).collect()
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
    // Also when one server has all of it and the other nothing, where nothing is to be moved.
    let many: Vec<_> = (0..50).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let skewed = cluster(&all, &[("a", &all), ("b", &[])]);
    assert!((0..1_000).all(|_| plan(&skewed).is_empty()));
}

#[test]
fn f_26_an_incomplete_view_never_drops() {
    let one = segment(0, 1, 0, 0);
    let mut snapshot = cluster(&[], &[("a", &[&one])]);
    snapshot.is_complete = false;
    assert_eq!(plan(&snapshot), []);
    snapshot.is_complete = true;
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
    assert_eq!(
        plan(&whole),
        [Action::MarkUnused { ids: vec![old.id.clone()], why: Unused::Overshadowed }]
    );
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
    assert!(by_server.values().all(|count| (4_900..5_100).contains(count)), "{by_server:?}");
}

#[test]
fn a_view_that_is_not_complete_yet_loads_nothing_either() {
    let one = segment(0, 1, 0, 0);
    let mut snapshot = cluster(&[&one], &[("a", &[])]);
    (snapshot.is_complete, snapshot.may_load) = (false, false);
    assert_eq!(plan(&snapshot), []);
    snapshot.may_load = true;
    assert_eq!(plan(&snapshot), [load("a", &one)]);
}

#[test]
fn what_was_asked_for_is_not_asked_for_again() {
    let (one, old) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
    let mut snapshot = cluster(&[&one], &[("a", &[&old]), ("b", &[])]);
    snapshot.servers.get_mut("a").unwrap().going.insert(old.id.clone());
    snapshot.servers.get_mut("b").unwrap().coming.insert(one.id.clone(), 7);
    assert_eq!(plan(&snapshot), []);
}

#[test]
fn replicas_go_to_different_zones_and_never_twice_to_one_server() {
    let one = segment(0, 1, 0, 0);
    let snapshot = zones(&[&one], &[("a", "x", &[]), ("b", "x", &[]), ("c", "y", &[])]);
    assert_eq!(plan(&snapshot), [load("a", &one), load("c", &one)]);
    let snapshot = zones(&[&one], &[("a", "x", &[&one]), ("b", "x", &[]), ("c", "y", &[])]);
    assert_eq!(plan(&snapshot), [load("c", &one)]);
    // One zone is left: better there than not at all. One server is left: not twice.
    let snapshot = zones(&[&one], &[("a", "x", &[&one]), ("b", "x", &[])]);
    assert_eq!(plan(&snapshot), [load("b", &one)]);
    assert_eq!(plan(&zones(&[&one], &[("a", "x", &[&one])])), []);
}

#[test]
fn f_71_who_left_a_short_while_ago_counts_with_what_it_had() {
    let (one, two) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
    let mut snapshot = zones(&[&one, &two], &[("a", "x", &[&one]), ("b", "x", &[])]);
    let loaded = announced(&[&one, &two]);
    let away = AwayServer { zone: "y".into(), loaded, ..AwayServer::default() };
    snapshot.away.insert("c".into(), away);
    // What nobody has any more is loaded at once; no second copies are made.
    assert_eq!(plan(&snapshot), [load("b", &two)]);
    snapshot.away.clear();
    assert_eq!(plan(&snapshot), [load("b", &two), load("a", &two), load("b", &one)]);
}

#[test]
fn a_server_that_restarted_gets_back_what_its_disk_has() {
    let (one, two) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
    let mut snapshot = cluster(&[&one, &two], &[("a", &[]), ("b", &[])]);
    snapshot.servers.get_mut("b").unwrap().remembered = announced(&[&one, &two]);
    assert_eq!(plan(&snapshot), [load("b", &two), load("b", &one)]);
}

#[test]
fn a_zone_that_is_back_gets_copies_and_what_is_too_many_goes_after_that() {
    let one = segment(0, 1, 0, 0);
    let mut snapshot = zones(&[&one], &[("a", "x", &[&one]), ("b", "x", &[&one]), ("c", "y", &[])]);
    snapshot.is_calm = false;
    assert_eq!(plan(&snapshot), [], "not while servers come and go");
    snapshot.is_calm = true;
    assert_eq!(plan(&snapshot), [], "not where nothing is to be moved");
    snapshot.limits.moves = 1;
    assert_eq!(moves(&plan(&snapshot)), [("c".to_owned(), one.id.clone(), "zone")]);
    let mut snapshot =
        zones(&[&one], &[("a", "x", &[&one]), ("b", "x", &[&one]), ("c", "y", &[&one])]);
    assert_eq!(plan(&snapshot), [drop_copy("b", &one, &["a", "c"])]);
    snapshot.is_calm = false;
    assert_eq!(plan(&snapshot), []);
    (snapshot.is_calm, snapshot.is_complete) = (true, false);
    assert_eq!(plan(&snapshot), []);
    snapshot.is_complete = true;
    // On its way to be dropped it is no copy any more: nobody else drops theirs.
    snapshot.servers.get_mut("b").unwrap().going.insert(one.id.clone());
    assert_eq!(plan(&snapshot), []);
}

#[test]
fn i_13_replicas_converge_and_stay_whoever_has_what_at_first() {
    let many: Vec<_> = (0..60).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let mut snapshot = zones(
        &all,
        &[("a", "x", &all), ("b", "x", &all[..40]), ("c", "y", &all[30..50]), ("d", "z", &[])],
    );
    snapshot.limits.moves = 20;
    for _ in 0..40 {
        for action in plan(&snapshot) {
            let (name, segment, is_there) = match &action {
                Action::Load { server, segment } | Action::Move { server, segment, .. } => {
                    (server, segment, true)
                }
                Action::DropCopy { server, segment, .. } => (server, segment, false),
                other => panic!("{other:?}"),
            };
            let server = snapshot.servers.get_mut(name).unwrap();
            let loaded = Arc::make_mut(&mut server.loaded);
            match is_there {
                true => loaded.extend((*announced(&[segment])).clone()),
                false => drop(loaded.remove(&segment.id).unwrap()),
            }
        }
    }
    assert_eq!(plan(&snapshot), []);
    for one in &many {
        let copies: Vec<_> =
            snapshot.servers.values().filter(|server| server.keeps(&one.id)).collect();
        assert_eq!(copies.len(), 2, "{}", one.id);
        assert_ne!(copies[0].zone, copies[1].zone, "{}", one.id);
    }
    // Two copies each on four servers: as many on each, but for what is not worth a move.
    let counts: Vec<usize> = snapshot.servers.values().map(|server| server.loaded.len()).collect();
    assert!(counts.iter().all(|count| (26..=34).contains(count)), "{counts:?}");
}

#[test]
fn f_73_an_empty_server_gets_its_share_a_few_at_once_and_only_while_all_is_calm() {
    let many: Vec<_> = (0..50).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let mut snapshot = cluster(&all, &[("a", &all), ("b", &[])]);
    snapshot.limits.moves = 10;
    let planned = moves(&plan(&snapshot));
    assert_eq!(planned.len(), 10);
    assert!(planned.iter().all(|(server, ..)| server == "b"));
    // What is on its way counts.
    let coming = planned.iter().take(8).map(|(_, id, _)| (id.clone(), 7));
    snapshot.servers.get_mut("b").unwrap().coming = coming.collect();
    assert_eq!(plan(&snapshot).len(), 2);
    snapshot.is_calm = false;
    assert_eq!(plan(&snapshot), []);
}

#[test]
fn rules_say_how_many_copies_are_in_which_tier_and_what_goes() {
    let (old, new) = (segment(0, 1, 0, 0), segment(100 * 86_400_000, 1, 0, 0));
    let rules = r#"[{"type": "loadByPeriod", "period": "P7D", "tieredReplicants": {"hot": 1, "cold": 1}},
        {"type": "loadForever", "tieredReplicants": {"cold": 1}}]"#;
    let set = |snapshot: &mut ClusterSnapshot, rules: Vec<Rule>| {
        snapshot.rules = Arc::new(RuleBook::new(rules, TierAliases::default()));
    };
    let mut snapshot = cluster(&[&old, &new], &[("a", &[]), ("b", &[])]);
    snapshot.now_ms = 101 * 86_400_000;
    snapshot.servers.get_mut("a").unwrap().tier = "hot".into();
    snapshot.servers.get_mut("b").unwrap().tier = "cold".into();
    set(&mut snapshot, parse_rules(rules).unwrap());
    assert_eq!(plan(&snapshot), [load("b", &new), load("b", &old), load("a", &new)]);
    // A week later it is old, too: the hot copy is too many.
    snapshot.servers.get_mut("a").unwrap().loaded = announced(&[&new]);
    snapshot.servers.get_mut("b").unwrap().loaded = announced(&[&old, &new]);
    assert_eq!(plan(&snapshot), []);
    snapshot.now_ms += 7 * 86_400_000;
    assert_eq!(plan(&snapshot), [drop_copy("a", &new, &["b"])]);
    // Dropped by rule it is marked; who has it lets it go once it is unused.
    set(&mut snapshot, vec![Rule::DropForever {}]);
    let ids = vec![old.id.clone(), new.id.clone()];
    assert_eq!(plan(&snapshot), [Action::MarkUnused { ids, why: Unused::DroppedByRule }]);
    snapshot.is_complete = false;
    assert_eq!(plan(&snapshot), []);
    snapshot.is_complete = true;
    // No rule for it: nothing is loaded and nothing taken away.
    set(&mut snapshot, Vec::new());
    assert_eq!(plan(&snapshot), []);
    set(&mut snapshot, parse_rules(&rules.replace("\"hot\"", "\"gone\"")).unwrap());
    snapshot.now_ms -= 7 * 86_400_000;
    assert_eq!(plan(&snapshot)[0], Action::ReportTiers { tiers: vec![("gone".into(), 1)] });
}

#[test]
fn a_draining_server_is_emptied_once_others_have_what_it_has() {
    let one = segment(0, 1, 0, 0);
    let mut snapshot = cluster(&[&one], &[("a", &[&one]), ("b", &[])]);
    snapshot.draining.insert("a".into());
    assert_eq!(plan(&snapshot), [load("b", &one)]);
    snapshot.servers.get_mut("b").unwrap().coming.insert(one.id.clone(), 7);
    assert_eq!(plan(&snapshot), []);
    snapshot.servers.get_mut("b").unwrap().coming.clear();
    snapshot.servers.get_mut("b").unwrap().loaded = announced(&[&one]);
    assert_eq!(plan(&snapshot), [drop_copy("a", &one, &["b"])]);
}

#[test]
fn f_23_f_50_a_full_or_failing_server_is_not_asked_and_lacking_room_is_told() {
    let (one, two) = (segment(0, 1, 0, 0), segment(100, 1, 0, 0));
    let mut snapshot = cluster(&[&one, &two], &[("a", &[&one]), ("b", &[])]);
    snapshot.servers.get_mut("b").unwrap().capacity_bytes = 6;
    snapshot.servers.get_mut("a").unwrap().capacity_bytes = 14;
    assert_eq!(plan(&snapshot), [load("a", &two)]);
    snapshot.servers.get_mut("a").unwrap().capacity_bytes = 13;
    let named = vec![two.id.clone()];
    assert_eq!(plan(&snapshot), [Action::ReportFull { segments: 1, named }]);
    // Elsewhere there is room, and the load failed a moment ago: that is no lack of room.
    snapshot.servers.get_mut("b").unwrap().capacity_bytes = 7;
    snapshot.resting_loads.insert(("b".into(), two.id.clone()));
    assert_eq!(plan(&snapshot), []);
    snapshot.servers.get_mut("a").unwrap().capacity_bytes = 14;
    assert_eq!(plan(&snapshot), [load("a", &two)]);
}

#[test]
fn no_more_is_asked_of_a_server_than_its_queue_takes() {
    let many: Vec<_> = (0..10).map(|at| segment(at * 10, 1, 0, 0)).collect();
    let all: Vec<_> = many.iter().collect();
    let mut snapshot = cluster(&all, &[("a", &[])]);
    snapshot.servers.get_mut("a").unwrap().room_for_loads = 3;
    assert_eq!(plan(&snapshot), [load("a", &many[9]), load("a", &many[8]), load("a", &many[7])]);
    let mut snapshot = cluster(&[], &[("a", &all)]);
    snapshot.servers.get_mut("a").unwrap().room_for_drops = 2;
    assert_eq!(plan(&snapshot).len(), 2);
}

/// Forty old segments a node, of which those of `a` are asked for: what is read much is spread.
#[test]
fn the_work_that_nodes_tell_of_is_spread_whatever_bytes_and_age_say() {
    const DAY_MS: i64 = 86_400_000;
    let many: Vec<_> = (0..80)
        .map(|at| {
            let small = segment(at * 10 * DAY_MS, 1, 0, 0);
            Arc::new(PublishedSegment { size_bytes: 100 << 20, ..(*small).clone() })
        })
        .collect();
    let all: Vec<_> = many.iter().collect();
    // Every other one, so that they are spread by time.
    let (a, b): (Vec<_>, Vec<_>) = all.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    let mut snapshot = cluster(&all, &[("a", &a), ("b", &b)]);
    snapshot.now_ms = 1_000 * DAY_MS;
    snapshot.limits.moves = 100;
    assert_eq!(plan(&snapshot), [], "nothing is known, and all are alike");
    let told = a.iter().step_by(4).map(|segment| (segment.id.clone(), 1e7));
    snapshot.work = Arc::new(told.collect());
    let actions = plan(&snapshot);
    let moved = moves(&actions);
    assert!(!moved.is_empty() && moved.len() < 20, "{moved:?}");
    let to_b = moved.iter().filter(|(to, id, _)| to == "b" && snapshot.work.contains_key(id));
    assert!((3..=7).contains(&to_b.count()), "half of the work: {moved:?}");
}
