//! The sums are what comparing pairs gives.

use super::*;
use crate::cluster::SegmentIndex;

/// The cost in the plainest way: pair by pair.
fn near_by_pairs(balancer: &Balancer, of: SegmentIndex, server: ServerIndex) -> (f64, f64) {
    let cluster = balancer.cluster();
    let segment = cluster.segment(of);
    let (mut all, mut own) = (0.0, 0.0);
    for (at, other) in (0..).zip(cluster.segments()) {
        if at != of && other.holders.contains(&server) {
            let near = nearness(segment.interval, other.interval);
            all += near;
            own += if other.datasource == segment.datasource { near } else { 0.0 };
        }
    }
    (all, own)
}

#[test]
fn nearness_in_buckets_is_close_to_the_integral_over_pairs() {
    let balancer = balancer(by_chance(7, 6, 1_500));
    let (mut worst, mut sum, mut count) = (0.0_f64, 0.0, 0.0);
    for of in (0..1_500).step_by(17) {
        for server in 0..6 {
            let cost = balancer.cost(of, server);
            let (all, own) = near_by_pairs(&balancer, of, server);
            for (kept, exact) in [(cost.near, all), (cost.same_datasource, own)] {
                // Where hardly anything is near, a bucket more or less is nothing to anybody.
                let off = (kept - exact).abs() / exact.max(2.0);
                worst = worst.max(off);
                (sum, count) = (sum + off, count + 1.0);
            }
        }
    }
    let mean: f64 = sum / count;
    assert!(worst < 0.35 && mean < 0.07, "worst {worst}, mean {mean}");
}

#[test]
fn whatever_comes_and_goes_the_sums_are_those_of_a_fresh_picture() {
    let mut chance = Chance(3);
    let mut changed = balancer(by_chance(3, 9, 400));
    for _ in 0..5_000 {
        let (segment, server) = (chance.below(400) as u32, chance.below(9) as u16);
        match chance.below(2) {
            0 => changed.add(segment, server),
            _ => changed.remove(segment, server),
        }
    }
    let fresh = balancer(changed.cluster().clone());
    for segment in 0..400 {
        for server in 0..9 {
            assert_eq!(changed.cost(segment, server), fresh.cost(segment, server));
        }
    }
    assert_eq!(used(&changed), used(&fresh));
    // Also of chunks with very many, whose counts are kept.
    let many = (0..200).map(|at| segment(0, hours(0, 1), &[at % 3])).collect();
    let nodes =
        [server("a", "", 1_000_000), server("b", "", 1_000_000), server("c", "", 1_000_000)];
    let mut changed = balancer(cluster(&nodes, copies(1), many));
    assert_eq!(changed.cost(0, 1).together, 8.0 * 67.0);
    assert_eq!(changed.cost(0, 0).together, 8.0 * 66.0);
    changed.remove(1, 1);
    assert_eq!(changed.cost(0, 1).together, 8.0 * 66.0);
}

#[test]
fn each_term_is_what_its_name_says() {
    let nodes = [server("a", "x", 100_000), server("b", "x", 100_000), server("c", "y", 100_000)];
    let segments = vec![
        segment(0, hours(0, 24), &[0]),
        segment(0, hours(0, 24), &[1]),
        segment(0, hours(24, 24), &[1]),
        segment(1, hours(0, 24), &[2]),
        segment(1, hours(24 * 400, 24), &[2]),
    ];
    let balancer = balancer(cluster(&nodes, copies(2), segments));
    let (empty, chunk, other) = (balancer.cost(0, 0), balancer.cost(0, 1), balancer.cost(0, 2));
    assert_eq!((empty.near, empty.same_datasource, empty.together), (0.0, 0.0, 0.0));
    assert!(
        chunk.near > 1.0 && chunk.same_datasource == chunk.near && chunk.together == 8.0,
        "{chunk:?}"
    );
    assert!(other.near > 0.5 && other.same_datasource == 0.0 && other.together == 0.0, "{other:?}");
    // The other zone is better for the second copy; what is far away in time is near to nothing.
    assert!(chunk.zone > 0.0 && other.zone == 0.0);
    assert_eq!(balancer.cost(4, 0).near, 0.0);
    assert_eq!(balancer.cost(4, 2).near, 0.0);
    let total: f64 = chunk.terms().iter().map(|(_, cost)| cost).sum();
    assert_eq!(chunk.total(), total);
}
