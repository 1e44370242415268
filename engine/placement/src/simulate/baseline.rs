//! The placements that Henge's is compared with: by chance, and one node after the other. Both keep to caps and
//! zones, as anybody would.

use super::synthetic::Chance;
use crate::balance::mix;
use crate::cluster::{Cluster, SegmentIndex, ServerIndex, Wish};

/// Who chooses the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Baseline {
    Random,
    RoundRobin,
}

/// Tries before a copy is given up: the cluster is full then.
const MOST_TRIES: usize = 1_000;

/// Puts all copies that are wanted somewhere, in the order in which segments come.
pub(super) fn place(cluster: &mut Cluster, baseline: Baseline, seed: u64) {
    let mut chance = Chance(seed);
    let mut used: Vec<u64> = vec![0; cluster.servers().len()];
    let mut next = vec![0; cluster.tiers().len()];
    let zones = zones(cluster);
    let is_one_zone = zones.iter().all(|zone| *zone == 0);
    for segment in as_they_come(cluster, seed) {
        for (tier, next) in next.iter_mut().enumerate() {
            let range = cluster.tiers()[tier].servers.clone();
            let wanted = wanted(cluster, segment, tier).min(range.len());
            let size_bytes = cluster.segment(segment).size_bytes;
            for _ in 0..wanted {
                let chosen = (0..MOST_TRIES).find_map(|attempt| {
                    let step = match baseline {
                        Baseline::Random => chance.below(range.len()),
                        Baseline::RoundRobin => {
                            *next = (*next + 1) % range.len();
                            *next
                        }
                    };
                    let at = range.start + step;
                    let holders = &cluster.segment(segment).holders;
                    let is_other = |other: &ServerIndex| usize::from(*other) != at;
                    // In another zone, unless there is none.
                    let is_apart = |other: &ServerIndex| {
                        is_one_zone
                            || zones[usize::from(*other)] != zones[at]
                            || attempt > MOST_TRIES / 2
                    };
                    let fits = used[at] + size_bytes <= cluster.servers()[at].capacity_bytes;
                    let may = fits && holders.iter().all(is_other) && holders.iter().all(is_apart);
                    may.then_some(at)
                });
                let Some(at) = chosen else { continue };
                used[at] += size_bytes;
                cluster.holders_mut(segment).push(at as ServerIndex);
            }
        }
    }
}

/// By time; what ends together comes in any order.
fn as_they_come(cluster: &Cluster, seed: u64) -> Vec<SegmentIndex> {
    let mut order: Vec<SegmentIndex> = (0..cluster.segments().len() as SegmentIndex).collect();
    order.sort_by_cached_key(|at| {
        (cluster.segment(*at).interval.end_ms, mix(seed ^ u64::from(*at)))
    });
    order
}

fn wanted(cluster: &Cluster, segment: SegmentIndex, tier: usize) -> usize {
    let tier = &cluster.tiers()[tier];
    match &cluster.wishes()[usize::from(cluster.segment(segment).wish)] {
        Wish::Copies(copies) => {
            let asked = copies.iter().find(|(name, _)| *name == tier.name);
            asked.map_or(0, |(_, count)| *count as usize)
        }
        Wish::Everywhere => tier.servers.len(),
        Wish::Untouched => 0,
    }
}

fn zones(cluster: &Cluster) -> Vec<usize> {
    let servers = cluster.servers();
    let first = |zone| servers.iter().position(|server| server.zone == zone).unwrap_or(0);
    servers.iter().map(|server| first(server.zone.clone())).collect()
}
