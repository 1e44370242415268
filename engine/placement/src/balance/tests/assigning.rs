//! Placing what is missing, dropping what is too many, and nodes that drain, go and come back.

use std::sync::Arc;

use super::*;
use crate::cluster::SegmentIndex;

fn assign(balancer: &mut Balancer) -> Assigned {
    let servers = balancer.cluster().servers().len();
    balancer.assign(&LoadLimits::none(servers), &TimeBox::endless())
}

fn in_tier(server: Server, tier: &str, priority: i32) -> Server {
    Server { tier: tier.into(), priority, ..server }
}

#[test]
fn f_52_what_nobody_has_comes_first_then_the_hot_tier_then_the_newest() {
    let nodes = [
        in_tier(server("c", "", 1 << 40), "cold", 0),
        in_tier(server("h", "", 1 << 40), "hot", 10),
    ];
    let wishes = vec![Wish::Copies(vec![("cold".into(), 1), ("hot".into(), 1)])];
    let (cold, hot) = (0, 1);
    let segments = vec![
        segment(0, hours(0, 1), &[]),
        segment(0, hours(1, 1), &[cold]),
        segment(0, hours(2, 1), &[hot]),
        segment(0, hours(3, 1), &[]),
    ];
    let mut balancer = balancer(cluster(&nodes, wishes, segments));
    let order: Vec<(SegmentIndex, ServerIndex, bool)> =
        assign(&mut balancer).loads.iter().map(|l| (l.segment, l.server, l.is_first)).collect();
    let expected = [
        (3, hot, true),
        (0, hot, true),
        (1, hot, false),
        (3, cold, false),
        (2, cold, false),
        (0, cold, false),
    ];
    assert_eq!(order, expected);
    assert_eq!(assign(&mut balancer), Assigned::default());
}

#[test]
fn further_copies_wait_and_first_ones_do_not() {
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40), server("c", "", 1 << 40)];
    let lost = (0..10).map(|at| segment(0, hours(at, 1), &[]));
    let halved = (10..30).map(|at| segment(0, hours(at, 1), &[0]));
    let mut balancer = balancer(cluster(&nodes, copies(2), lost.chain(halved).collect()));
    let limits = LoadLimits { further_copies: 5, ..LoadLimits::none(3) };
    let plan = balancer.assign(&limits, &TimeBox::endless());
    assert_eq!(plan.loads.iter().filter(|load| load.is_first).count(), 10);
    assert_eq!((plan.loads.len(), plan.waiting), (15, 25));
    // A queue that is full is not asked.
    let limits = LoadLimits { rooms: vec![0, 3, 0], ..LoadLimits::none(3) };
    let plan = balancer.assign(&limits, &TimeBox::endless());
    assert_eq!(plan.loads.len(), 3);
    assert!(plan.loads.iter().all(|load| load.server == 1));
    // Nor when the time is up.
    let late = balancer.assign(&LoadLimits::none(3), &TimeBox::new(|| 5, 0));
    assert_eq!((late.loads.len(), late.waiting), (0, 22));
}

#[test]
fn copies_go_to_different_zones_never_twice_to_a_node_and_never_beyond_a_cap() {
    let nodes = [server("a", "x", 100_000), server("b", "x", 100_000), server("c", "y", 250)];
    let all: Vec<_> = (0..4).map(|at| segment(0, hours(at * 100, 1), &[])).collect();
    let mut placed = balancer(cluster(&nodes, copies(2), all.clone()));
    let plan = assign(&mut placed);
    assert_eq!(used(&placed)[2], 200, "two fit into zone y");
    assert_eq!(
        (plan.loads.len(), plan.without_room.len()),
        (8, 0),
        "better in one zone than not at all"
    );
    let mut placed = balancer(cluster(&nodes, copies(3), all));
    let plan = assign(&mut placed);
    assert_eq!((plan.loads.len(), plan.without_room.len()), (10, 2));
    for segment in placed.cluster().segments() {
        let mut holders = segment.holders.clone();
        holders.sort_unstable();
        holders.dedup();
        assert_eq!(holders.len(), segment.holders.len());
    }
}

#[test]
fn f_78_a_tier_without_nodes_is_told_and_the_others_go_on() {
    let wishes = vec![Wish::Copies(vec![("gone".into(), 1), ("t".into(), 5)])];
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40)];
    let all = (0..3).map(|at| segment(0, hours(at, 1), &[])).collect();
    let mut balancer = balancer(cluster(&nodes, wishes, all));
    let plan = assign(&mut balancer);
    assert_eq!(plan.without_nodes, [("gone".into(), 3)]);
    // More copies than nodes: one each.
    assert_eq!((plan.loads.len(), plan.waiting), (6, 0));
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
}

#[test]
fn a_broadcast_segment_goes_everywhere_and_stays() {
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40), server("c", "", 1 << 40)];
    let mut balancer =
        balancer(cluster(&nodes, vec![Wish::Everywhere], vec![segment(0, hours(0, 1), &[1])]));
    assert_eq!(assign(&mut balancer).loads.len(), 2);
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
    assert_eq!(settle(&mut balancer, 0).moves, []);
}

#[test]
fn a_draining_node_is_emptied_and_nothing_is_dropped_before_it_is_elsewhere() {
    let mut parts = by_chance(3, 7, 300).into_parts();
    let full = parts.2.iter().filter(|segment| segment.holders.contains(&2)).count();
    parts.0[2].state = ServerState::Draining;
    let mut balancer = balancer(cluster(&parts.0, parts.1, parts.2));
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
    let some = LoadLimits { further_copies: 10, ..LoadLimits::none(7) };
    let plan = balancer.assign(&some, &TimeBox::endless());
    assert_eq!((plan.loads.len(), plan.waiting), (10, full - 10));
    let drops = balancer.drop_surplus(usize::MAX, |_| true);
    assert_eq!(drops.len(), 10);
    assert!(drops.iter().all(|drop| drop.server == 2));
    assert_eq!(assign(&mut balancer).loads.len(), full - 10);
    balancer.drop_surplus(usize::MAX, |_| true);
    assert_eq!(used(&balancer)[2], 0);
    settle(&mut balancer, 0);
    assert_eq!(used(&balancer)[2], 0, "nothing comes back");
    assert!(balancer.cluster().segments().iter().all(|segment| segment.holders.len() == 2));
}

#[test]
fn draining_takes_no_copy_away_that_nobody_else_can_have() {
    let mut nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40), server("c", "", 1 << 40)];
    let two = vec![Wish::Copies(vec![(Arc::clone(&nodes[0].tier), 2)])];
    let segments = || vec![segment(0, hours(0, 1), &[0, 1]), segment(0, hours(1, 2), &[1, 2])];
    nodes[0].state = ServerState::Draining;
    let mut balancer = balancer(cluster(&nodes, two.clone(), segments()));
    assert_eq!(assign(&mut balancer).loads.len(), 1);
    assert_eq!(
        balancer.drop_surplus(usize::MAX, |_| true),
        [PlannedDrop { segment: 0, server: 0 }]
    );
    // With one node that stays there is no second copy but on those that drain.
    for draining in [&[0, 1][..], &[0, 1, 2]] {
        draining.iter().for_each(|at: &usize| nodes[*at].state = ServerState::Draining);
        let mut balancer = self::balancer(cluster(&nodes, two.clone(), segments()));
        assign(&mut balancer);
        while !balancer.drop_surplus(usize::MAX, |_| true).is_empty() {}
        let mut copies = balancer.cluster().segments().iter().map(|segment| segment.holders.len());
        assert!(copies.all(|copies| copies == 2), "{draining:?}");
    }
}

#[test]
fn f_71_a_node_that_is_away_makes_no_storm_and_neither_does_its_return() {
    let mut parts = by_chance(8, 6, 300).into_parts();
    settle_parts(&mut parts);
    // One segment that only it has.
    let alone = parts.2.iter().position(|segment| segment.holders.contains(&4)).unwrap();
    parts.2[alone].holders = vec![4];
    parts.0[4].state = ServerState::Away;
    let mut away = balancer(cluster(&parts.0, parts.1.clone(), parts.2));
    let plan = assign(&mut away);
    assert_eq!(plan.loads.len(), 1, "only what nobody has is loaded: {:?}", plan.loads);
    assert!(plan.loads[0].is_first && plan.loads[0].segment as usize == alone);
    assert_eq!(settle(&mut away, 0).moves, []);
    let mut back = away.into_cluster().into_parts();
    back.0[4].state = ServerState::Active;
    let mut back = balancer(cluster(&back.0, back.1, back.2));
    assert_eq!(assign(&mut back).loads, []);
    assert_eq!(back.drop_surplus(usize::MAX, |_| true).len(), 0);
    assert!(settle(&mut back, 0).moves.len() <= 2);
}

fn settle_parts(parts: &mut (Vec<Server>, Vec<Wish>, Vec<Segment>)) {
    let mut settled = balancer(cluster(&parts.0, parts.1.clone(), parts.2.clone()));
    settle(&mut settled, 0);
    *parts = settled.into_cluster().into_parts();
}

#[test]
fn what_a_tier_is_to_have_no_more_goes_once_the_others_have_it() {
    let nodes = [
        in_tier(server("c", "", 1 << 40), "cold", 0),
        in_tier(server("h", "", 1 << 40), "hot", 10),
    ];
    let cold_only = vec![Wish::Copies(vec![("cold".into(), 1)])];
    let mut balancer = balancer(cluster(&nodes, cold_only, vec![segment(0, hours(0, 1), &[1])]));
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
    assert_eq!(assign(&mut balancer).loads.len(), 1);
    assert_eq!(
        balancer.drop_surplus(usize::MAX, |_| true),
        [PlannedDrop { segment: 0, server: 1 }]
    );
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
    // Wanted in deep storage alone: who has it keeps it until somebody else decides.
    let nowhere = vec![Wish::Copies(Vec::new())];
    let both = segment(0, hours(0, 1), &[0, 1]);
    let mut balancer = super::balancer(cluster(&nodes, nowhere, vec![both]));
    assert_eq!(balancer.drop_surplus(usize::MAX, |_| true), []);
}

#[test]
fn who_has_it_on_disk_is_asked_first_and_who_is_barred_is_not() {
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40), server("c", "", 1 << 40)];
    let all = (0..3).map(|at| segment(0, hours(at, 1), &[])).collect();
    let mut placed = balancer(cluster(&nodes, copies(1), all));
    for segment in 0..3 {
        placed.found_on_disk(segment, 2);
    }
    placed.bar(1, 2);
    placed.bar(1, 0);
    let mut loads: Vec<_> =
        assign(&mut placed).loads.iter().map(|l| (l.segment, l.server)).collect();
    loads.sort_unstable();
    assert_eq!(loads, [(0, 2), (1, 1), (2, 2)]);
    // For a moment nobody may be asked: that is no lack of room.
    let mut placed = balancer(cluster(&nodes[..1], copies(1), vec![segment(0, hours(0, 1), &[])]));
    placed.bar(0, 0);
    let plan = assign(&mut placed);
    assert_eq!((plan.loads.len(), plan.waiting, plan.without_room.len()), (0, 1, 0));
}
