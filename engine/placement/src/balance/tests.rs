//! The balancer over small clusters: that its sums are what pairs give, that it comes to an end, and that it
//! keeps to caps, zones and limits on the way.

mod assigning;
mod balancing;
mod sums;

use henge_types::Interval;

use super::*;
use crate::cluster::{Cluster, Segment, Server, ServerIndex, ServerState, Wish};

pub(super) const HOUR_MS: i64 = 3_600_000;

pub(super) fn hours(start: i64, length: i64) -> Interval {
    Interval { start_ms: start * HOUR_MS, end_ms: (start + length) * HOUR_MS }
}

/// A node of the one tier.
pub(super) fn server(name: &str, zone: &str, capacity_bytes: u64) -> Server {
    Server {
        name: name.into(),
        tier: "t".into(),
        zone: zone.into(),
        capacity_bytes,
        priority: 0,
        state: ServerState::Active,
    }
}

/// A segment of a hundred bytes.
pub(super) fn segment(datasource: u32, interval: Interval, holders: &[ServerIndex]) -> Segment {
    Segment {
        datasource,
        interval,
        size_bytes: 100,
        load: 10,
        wish: 0,
        is_busy: false,
        holders: holders.to_vec(),
    }
}

pub(super) fn copies(count: u32) -> Vec<Wish> {
    vec![Wish::Copies(vec![("t".into(), count)])]
}

pub(super) fn cluster(
    servers: &[Server],
    wishes: Vec<Wish>,
    mut segments: Vec<Segment>,
) -> Cluster {
    segments.sort_by_key(|segment| (segment.datasource, segment.interval));
    Cluster::new(servers.to_vec()).unwrap().with_segments(wishes, segments).unwrap()
}

pub(super) fn balancer(cluster: Cluster) -> Balancer {
    Balancer::new(cluster, Weights::default())
}

/// All moves that are worth it, plan by plan.
pub(super) fn settle(balancer: &mut Balancer, seed: u64) -> Moves {
    let limits = MoveLimits::none(balancer.cluster().servers().len());
    let mut all = Moves::default();
    for plan in 0..100 {
        let plan = balancer.plan_moves(&limits, seed + plan, &TimeBox::endless());
        let is_over = plan.moves.is_empty();
        all.moves.extend(plan.moves);
        all.is_settled = plan.is_settled;
        if is_over {
            break;
        }
    }
    all
}

pub(super) fn used(balancer: &Balancer) -> Vec<u64> {
    (0..balancer.cluster().servers().len() as ServerIndex)
        .map(|at| balancer.used_bytes(at))
        .collect()
}

/// Numbers by a seed.
pub(super) struct Chance(pub u64);

impl Chance {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % bound
    }
}

/// A cluster of three zones with skewed sizes and work, in which copies are where chance put them, two each in
/// different zones.
pub(super) fn by_chance(seed: u64, servers: u64, segments: u64) -> Cluster {
    let mut chance = Chance(seed);
    let zones = ["x", "y", "z"];
    let nodes: Vec<Server> = (0..servers)
        .map(|at| server(&format!("n{at:03}"), zones[at as usize % 3], segments * 2_000 / servers))
        .collect();
    let all = (0..segments).map(|_| {
        let first = chance.below(servers);
        let second = loop {
            let second = chance.below(servers);
            if second % 3 != first % 3 {
                break second;
            }
        };
        let holders = [first as ServerIndex, second as ServerIndex];
        let length = [1, 1, 24, 24, 720][chance.below(5) as usize];
        let interval = hours(chance.below(60) as i64 * 24, length);
        Segment {
            size_bytes: 10 << chance.below(7),
            load: 1 << chance.below(10),
            ..segment(chance.below(6) as u32, interval, &holders)
        }
    });
    let all = all.collect();
    cluster(&nodes, copies(2), all)
}
