//! Moving: to an end, within caps, zones and limits.

use std::cell::Cell;

use super::*;

fn check_caps(balancer: &Balancer) {
    for (server, used) in balancer.cluster().servers().iter().zip(used(balancer)) {
        assert!(used <= server.capacity_bytes, "{}: {used}", server.name);
    }
}

fn check_zones(balancer: &Balancer) {
    for segment in balancer.cluster().segments() {
        let zone = |at: usize| &balancer.cluster().server(segment.holders[at]).zone;
        assert_eq!(segment.holders.len(), 2);
        assert_ne!(zone(0), zone(1));
    }
}

fn largest_over_mean(amounts: &[u64]) -> f64 {
    let mean = amounts.iter().sum::<u64>() as f64 / amounts.len() as f64;
    *amounts.iter().max().unwrap() as f64 / mean
}

fn loads(balancer: &Balancer) -> Vec<u64> {
    (0..balancer.cluster().servers().len() as ServerIndex).map(|at| balancer.load(at)).collect()
}

#[test]
fn f_72_i_13_it_comes_to_an_end_and_then_there_are_no_moves() {
    for seed in 0..12 {
        let (servers, segments) = (4 + seed % 7, 100 + 150 * seed);
        let mut balancer = balancer(by_chance(seed, servers, segments));
        let plan = settle(&mut balancer, seed);
        assert!(plan.is_settled, "seed {seed}");
        check_caps(&balancer);
        check_zones(&balancer);
        // Anew and from anywhere: nothing is left to do.
        for other in 0..10 {
            let mut fresh = super::balancer(balancer.cluster().clone());
            let again = settle(&mut fresh, other);
            assert_eq!(again.moves, [], "seed {seed}, {other}");
            assert!(again.is_settled);
        }
    }
    let mut balancer = balancer(by_chance(5, 8, 200));
    settle(&mut balancer, 0);
    assert!((0..1_000).all(|seed| settle(&mut balancer, seed).moves.is_empty()));
}

#[test]
fn bytes_and_work_are_both_even_in_the_end() {
    let mut balancer = balancer(by_chance(11, 9, 6_000));
    let before = (largest_over_mean(&used(&balancer)), largest_over_mean(&loads(&balancer)));
    settle(&mut balancer, 0);
    let after = (largest_over_mean(&used(&balancer)), largest_over_mean(&loads(&balancer)));
    assert!(before.0 > 1.03 && before.1 > 1.04, "{before:?}");
    assert!(after.0 < 1.03 && after.1 < 1.03, "{after:?}");
}

#[test]
fn every_move_says_what_it_gains_and_the_whole_gets_cheaper() {
    let whole = |balancer: &Balancer| -> f64 {
        // Pairs count for both, so half of that; shares and zones by what each copy costs are near enough.
        let cluster = balancer.cluster();
        let all = (0..).zip(cluster.segments());
        let costs = all.flat_map(|(at, s)| s.holders.iter().map(move |v| balancer.cost(at, *v)));
        costs.map(|cost| (cost.near + cost.same_datasource + cost.together) / 2.0).sum()
    };
    // Nothing counts but what is near.
    let none = ShareWeight { gentle: 0.0, steep: 0.0, tolerance: 0.0 };
    let weights = Weights { bytes: none, load: none, zone: 0.0, ..Weights::default() };
    let mut balancer = Balancer::new(by_chance(2, 6, 300), weights);
    let before = whole(&balancer);
    let plan = settle(&mut balancer, 0);
    assert!(plan.moves.len() > 10);
    let gained: f64 = plan.moves.iter().map(PlannedMove::gain).sum();
    assert!(plan.moves.iter().all(|planned| planned.gain() > weights.least_gain));
    let after = whole(&balancer);
    assert!((before - after - gained).abs() < 1e-6 * before, "{before} {after} {gained}");
}

#[test]
fn a_move_names_the_term_that_it_is_for() {
    // All of one day on one node: what is read together comes apart.
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40)];
    let days = (0..40).flat_map(|day| {
        let holders: [ServerIndex; 1] = [(day % 2) as ServerIndex];
        (0..4).map(move |_| segment(0, hours(day * 240, 24), &holders))
    });
    let mut moved = balancer(cluster(&nodes, copies(1), days.collect()));
    let plan = settle(&mut moved, 0);
    assert_eq!(plan.moves[0].after.main_gain(&plan.moves[0].before), "together");
    for day in moved.cluster().segments().chunks(4) {
        assert_eq!(day.iter().filter(|segment| segment.holders == [0]).count(), 2);
    }
    // Segments that have nothing to do with each other, all on one node: bytes.
    let apart = (0..40).map(|at| segment(at, hours(i64::from(at) * 960, 1), &[0]));
    let mut moved = balancer(cluster(&nodes, copies(1), apart.collect()));
    let plan = settle(&mut moved, 0);
    assert_eq!(plan.moves[0].after.main_gain(&plan.moves[0].before), "bytes");
    assert!(largest_over_mean(&used(&moved)) < 1.1, "{:?}", used(&moved));
}

#[test]
fn f_73_skewed_sizes_and_two_new_empty_nodes() {
    let mut grown = by_chance(1, 6, 3_000).into_parts();
    for name in ["n900", "n901"] {
        grown.0.push(Server { zone: "x".into(), ..server(name, "x", grown.0[0].capacity_bytes) });
    }
    let mut balancer = balancer(cluster(&grown.0, grown.1, grown.2));
    let limits = MoveLimits { moves: 100, ..MoveLimits::none(8) };
    let (mut before, mut plans) = (f64::INFINITY, 0);
    loop {
        let plan = balancer.plan_moves(&limits, plans, &TimeBox::endless());
        assert!(plan.moves.len() <= 100);
        let spread = largest_over_mean(&used(&balancer));
        check_caps(&balancer);
        check_zones(&balancer);
        // Never back by more than what is tolerated anyway.
        assert!(spread <= before.max(1.04) + 0.01, "{before} {spread}");
        (before, plans) = (spread, plans + 1);
        if plan.moves.is_empty() {
            assert!(plan.is_settled && spread < 1.04, "{spread}");
            break;
        }
        assert!(plans < 200);
    }
    // Two of its four nodes were empty; zone x has a third of all copies, which is less than a half of the
    // nodes could hold.
    assert!(used(&balancer)[6] > 0 && used(&balancer)[7] > 0);
    assert!(plans > 3);
}

#[test]
fn limits_hold_and_nothing_is_called_settled_that_they_hold_back() {
    let full = || {
        let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40), server("c", "", 1 << 40)];
        let all = (0..300).map(|at| segment(at % 10, hours(i64::from(at), 1), &[0])).collect();
        balancer(cluster(&nodes, copies(1), all))
    };
    let plan = |limits: MoveLimits| full().plan_moves(&limits, 0, &TimeBox::endless());
    let none = MoveLimits::none(3);
    assert!(plan(none.clone()).moves.len() > 150);
    let few = plan(MoveLimits { moves: 7, ..none.clone() });
    assert_eq!((few.moves.len(), few.is_settled), (7, false));
    let few = plan(MoveLimits { bytes: 1_050, ..none.clone() });
    assert_eq!((few.moves.len(), few.is_settled), (10, false));
    let few = plan(MoveLimits { from_each: 12, ..none.clone() });
    assert_eq!((few.moves.len(), few.is_settled), (12, false));
    let few = plan(MoveLimits { rooms: vec![9, 5, 0], ..none.clone() });
    assert_eq!((few.moves.len(), few.is_settled), (5, false));
    assert!(few.moves.iter().all(|planned| planned.to == 1));
    let nothing = plan(MoveLimits { moves: 0, ..none });
    assert_eq!((nothing.moves.len(), nothing.is_settled), (0, false));
}

#[test]
fn what_is_busy_or_lacks_a_copy_stays_where_it_is() {
    let nodes = [server("a", "", 1 << 40), server("b", "", 1 << 40)];
    let all: Vec<_> = (0..50).map(|at| segment(0, hours(at, 1), &[0])).collect();
    let busy = all.iter().map(|segment| Segment { is_busy: true, ..segment.clone() }).collect();
    assert_eq!(settle(&mut balancer(cluster(&nodes, copies(1), busy)), 0).moves, []);
    assert_eq!(settle(&mut balancer(cluster(&nodes, copies(2), all.clone())), 0).moves, []);
    let untouched = settle(&mut balancer(cluster(&nodes, vec![Wish::Untouched], all)), 0);
    assert!(untouched.moves.len() > 15, "where it is is nobody's wish");
}

#[test]
fn one_seed_gives_one_plan() {
    let plan = |seed| {
        let mut balancer = balancer(by_chance(4, 7, 900));
        let limits = MoveLimits { moves: 50, ..MoveLimits::none(7) };
        balancer.plan_moves(&limits, seed, &TimeBox::endless())
    };
    assert_eq!(plan(1), plan(1));
    assert_eq!(plan(2), plan(2));
}

/// The clock goes on with each look at it.
#[test]
fn f_54_a_plan_that_has_not_time_for_all_does_what_it_can_and_the_next_goes_on() {
    let mut balancer = balancer(by_chance(6, 8, 4_000));
    let (mut plans, mut moves) = (0, 0);
    loop {
        let now_ms = Cell::new(0);
        let clock = || {
            now_ms.set(now_ms.get() + 1);
            now_ms.get()
        };
        let limits = MoveLimits { moves: 20, ..MoveLimits::none(8) };
        let plan = balancer.plan_moves(&limits, plans, &TimeBox::new(clock, 16));
        assert!(plan.considered <= 12 * 256 && !plan.is_settled);
        moves += plan.moves.len();
        plans += 1;
        if plans == 600 {
            break;
        }
    }
    assert!(moves > 200, "{moves}");
    check_caps(&balancer);
    // What is left is little.
    let rest = settle(&mut balancer, 0).moves.len();
    assert!(rest < moves / 4, "{rest} of {moves}");
}

/// A move is a load, and later a drop of the copy that costs most: nobody remembers which that was to be.
#[test]
fn f_70_moves_by_loading_and_dropping_come_to_an_end_too() {
    let mut cluster = by_chance(9, 6, 800);
    let mut moves = 0;
    for plan in 0.. {
        let limits = MoveLimits { moves: 30, ..MoveLimits::none(6) };
        let mut planned = balancer(cluster.clone());
        let plan = planned.plan_moves(&limits, plan, &TimeBox::endless());
        let mut loading = balancer(cluster);
        assert_eq!(loading.drop_surplus(usize::MAX, |_| true), []);
        for one in &plan.moves {
            loading.add(one.segment, one.to);
        }
        assert_eq!(loading.drop_surplus(usize::MAX, |_| true).len(), plan.moves.len());
        check_zones(&loading);
        cluster = loading.into_cluster();
        moves += plan.moves.len();
        if plan.moves.is_empty() {
            break;
        }
        assert!(moves < 1_500, "no end to it");
    }
    assert!(moves > 100, "{moves}");
}
