//! How good a placement is: how even, and how far the three wishes that operators have of a balancer come true:
//! few recent segments of one datasource on one node, few that overlap, many datasources on each.

use std::ops::Range;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::cluster::{Cluster, Segment, ServerState, Tier};

/// Segments that end so long before the newest of their datasource are recent.
const RECENT_MS: i64 = 24 * 3_600_000;

/// A placement in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Measures {
    /// By tier.
    pub tiers: Vec<TierMeasures>,
    /// Copies that are wanted and are nowhere.
    pub missing_copies: u64,
    /// Segments that nobody has and somebody should.
    pub missing_segments: u64,
    /// Segments of which two copies share a zone, though there are zones enough.
    pub crowded_segments: u64,
}

/// A tier in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierMeasures {
    /// The tier.
    pub tier: String,
    /// Nodes that take part.
    pub nodes: usize,
    /// Copies on them.
    pub copies: u64,
    /// Bytes on them.
    pub bytes: u64,
    /// Bytes of the fullest node over those of an average one, by its part of the capacity.
    pub bytes_largest_over_mean: f64,
    /// Work of queries on the busiest node over that on an average one.
    pub load_largest_over_mean: f64,
    /// Nodes beyond their cap.
    pub nodes_over_cap: usize,
    /// Recent segments of one datasource on one node.
    pub recent_of_datasource: PerNode,
    /// Segments of one datasource and chunk on one node.
    pub overlapping: PerNode,
    /// Datasources on a node, on average.
    pub datasources_mean: f64,
    /// Datasources on the node with the fewest.
    pub datasources_fewest: u64,
}

/// How many of a set of segments are on the node with most of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct PerNode {
    /// On average over the sets.
    pub largest_mean: f64,
    /// The least that it could be, on average.
    pub possible_mean: f64,
    /// The worst set.
    pub largest: u64,
    /// The most by which a set is worse than it could be.
    pub excess: u64,
}

/// Measures where copies are.
#[must_use]
pub(super) fn measure(cluster: &Cluster, wanted: impl Fn(&Segment, &Tier) -> u64) -> Measures {
    let tiers = cluster.tiers().iter().map(|tier| measure_tier(cluster, tier)).collect();
    let mut measures = Measures { tiers, ..Measures::default() };
    let zones = zones(cluster);
    let zone_count = zones.iter().max().map_or(0, |zone| zone + 1);
    for segment in cluster.segments() {
        let mut all_wanted = 0;
        for tier in cluster.tiers() {
            let has = segment.holders.iter().filter(|at| is_within(&tier.servers, **at)).count();
            let wanted = wanted(segment, tier);
            measures.missing_copies += wanted.saturating_sub(has as u64);
            all_wanted += wanted;
        }
        measures.missing_segments += u64::from(all_wanted > 0 && segment.holders.is_empty());
        let mut used: Vec<usize> =
            segment.holders.iter().map(|at| zones[usize::from(*at)]).collect();
        used.sort_unstable();
        used.dedup();
        let is_crowded = used.len() < segment.holders.len().min(zone_count);
        measures.crowded_segments += u64::from(is_crowded);
    }
    measures
}

fn measure_tier(cluster: &Cluster, tier: &Tier) -> TierMeasures {
    let range = tier.servers.clone();
    let servers = &cluster.servers()[range.clone()];
    let (mut bytes, mut load) = (vec![0_u64; range.len()], vec![0_u64; range.len()]);
    let mut copies = 0;
    for segment in cluster.segments() {
        for at in segment.holders.iter().filter(|at| is_within(&range, **at)) {
            bytes[usize::from(*at) - range.start] += segment.size_bytes;
            load[usize::from(*at) - range.start] += u64::from(segment.load);
            copies += 1;
        }
    }
    let over = servers.iter().zip(&bytes).filter(|(server, used)| **used > server.capacity_bytes);
    let nodes_over_cap = over.count();
    let active: Vec<usize> =
        (0..range.len()).filter(|at| servers[*at].state == ServerState::Active).collect();
    let told = active.iter().all(|at| servers[*at].capacity_bytes != u64::MAX);
    let part = |at: usize| if told { servers[at].capacity_bytes as f64 } else { 1.0 };
    let parts: f64 = active.iter().map(|at| part(*at)).sum();
    let largest_over_mean = |amounts: &[u64]| {
        let total: f64 = active.iter().map(|at| amounts[*at] as f64).sum();
        let over = |at: &usize| amounts[*at] as f64 / part(*at);
        let largest = active.iter().map(over).fold(0.0, f64::max);
        if total > 0.0 { largest * parts / total } else { 1.0 }
    };
    let datasources = datasources_by_node(cluster, &range);
    let of_active = active.iter().map(|at| datasources[*at]);
    TierMeasures {
        tier: tier.name.to_string(),
        nodes: active.len(),
        copies,
        bytes: bytes.iter().sum(),
        bytes_largest_over_mean: largest_over_mean(&bytes),
        load_largest_over_mean: largest_over_mean(&load),
        nodes_over_cap,
        recent_of_datasource: recent(cluster, &range, active.len()),
        overlapping: overlapping(cluster, &range, active.len()),
        datasources_mean: of_active.clone().sum::<u64>() as f64 / active.len().max(1) as f64,
        datasources_fewest: of_active.min().unwrap_or(0),
    }
}

/// The recent segments of each datasource.
fn recent(cluster: &Cluster, range: &Range<usize>, nodes: usize) -> PerNode {
    let segments = cluster.segments();
    let of_datasources = segments.chunk_by(|left, right| left.datasource == right.datasource);
    let sets = of_datasources.map(|of_one| {
        let newest_ms = of_one.iter().map(|segment| segment.interval.end_ms).max().unwrap_or(0);
        let is_recent = move |s: &&Segment| s.interval.end_ms > newest_ms.saturating_sub(RECENT_MS);
        of_one.iter().filter(is_recent)
    });
    per_node(sets, range, nodes)
}

/// The segments of each chunk that has more than one.
fn overlapping(cluster: &Cluster, range: &Range<usize>, nodes: usize) -> PerNode {
    let segments = cluster.segments();
    let chunks = segments.chunk_by(|left, right| {
        (left.datasource, left.interval) == (right.datasource, right.interval)
    });
    per_node(chunks.filter(|chunk| chunk.len() > 1).map(<[Segment]>::iter), range, nodes)
}

fn per_node<'s, S: Iterator<Item = &'s Segment>>(
    sets: impl Iterator<Item = S>,
    range: &Range<usize>,
    nodes: usize,
) -> PerNode {
    let mut found = PerNode::default();
    let (mut count, mut largest_sum, mut possible_sum) = (0_u64, 0_u64, 0_u64);
    let mut on_node: FxHashMap<u16, u64> = FxHashMap::default();
    for set in sets {
        on_node.clear();
        let holders = set.flat_map(|segment| &segment.holders);
        for at in holders.filter(|at| is_within(range, **at)) {
            *on_node.entry(*at).or_default() += 1;
        }
        let copies: u64 = on_node.values().sum();
        let Some(largest) = on_node.values().copied().max() else { continue };
        let possible = copies.div_ceil(nodes.max(1) as u64);
        (count, largest_sum, possible_sum) =
            (count + 1, largest_sum + largest, possible_sum + possible);
        found.largest = found.largest.max(largest);
        found.excess = found.excess.max(largest.saturating_sub(possible));
    }
    found.largest_mean = largest_sum as f64 / count.max(1) as f64;
    found.possible_mean = possible_sum as f64 / count.max(1) as f64;
    found
}

fn datasources_by_node(cluster: &Cluster, range: &Range<usize>) -> Vec<u64> {
    let mut counts = vec![0; range.len()];
    let mut last_seen = vec![u32::MAX; range.len()];
    for segment in cluster.segments() {
        for at in segment.holders.iter().filter(|at| is_within(range, **at)) {
            let at = usize::from(*at) - range.start;
            counts[at] += u64::from(last_seen[at] != segment.datasource);
            last_seen[at] = segment.datasource;
        }
    }
    counts
}

fn is_within(range: &Range<usize>, server: u16) -> bool {
    range.contains(&usize::from(server))
}

/// The zones of nodes, as numbers without gaps.
fn zones(cluster: &Cluster) -> Vec<usize> {
    let mut names: Vec<&str> = cluster.servers().iter().map(|server| &*server.zone).collect();
    names.sort_unstable();
    names.dedup();
    let zone = |name: &str| names.binary_search(&name).unwrap_or_default();
    cluster.servers().iter().map(|server| zone(&server.zone)).collect()
}
