//! What a segment would cost on every node of a tier, at once: a few rows are read from end to end.
//!
//! This finds the node to look at; the cost there is then taken exactly.

use super::model::{Balancer, scale};
use crate::cluster::{SegmentIndex, ServerIndex};

/// Room for the costs of one segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    /// What it would meet, by node.
    met: Vec<f32>,
    /// What it would cost, by node; infinitely much where it may not go.
    costs: Vec<f32>,
    /// Its copies, and the best node, by zone.
    zones: Vec<Zone>,
}

#[derive(Debug, Clone, Copy)]
struct Zone {
    copies: u32,
    best: usize,
    cost: f32,
}

const NOWHERE: Zone = Zone { copies: 0, best: usize::MAX, cost: f32::INFINITY };

impl Scratch {
    pub(super) fn new(servers: usize, zones: usize) -> Self {
        Self { met: vec![0.0; servers], costs: vec![0.0; servers], zones: vec![NOWHERE; zones] }
    }
}

/// Which nodes may take a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    pub segment: SegmentIndex,
    /// Place of the tier.
    pub tier: usize,
    /// How many more each node may be asked to load.
    pub rooms: &'a [u32],
}

/// A copy that would be better off elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Better {
    pub from: ServerIndex,
    pub to: ServerIndex,
    pub gain: f32,
}

impl Balancer {
    /// The node that a new copy costs least on, among those of the zones with fewest copies; one that has the
    /// segment on its disk rather than one that has to fetch it.
    pub(super) fn best_for_copy(&mut self, choice: Choice<'_>) -> Option<ServerIndex> {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.look(choice, &mut scratch);
        let best = match self.on_disk.is_empty() {
            true => best_of_zones(&scratch),
            false => self.best_on_disk(choice, &scratch).or_else(|| best_of_zones(&scratch)),
        };
        self.scratch = scratch;
        best.map(|at| at as ServerIndex)
    }

    fn best_on_disk(&self, choice: Choice<'_>, scratch: &Scratch) -> Option<usize> {
        let crowd = |at: usize| scratch.zones[usize::from(self.lanes.zone[at])].copies;
        let is_open = |at: &usize| scratch.costs[*at] < f32::INFINITY;
        let range = self.cluster.tiers()[choice.tier].servers.clone();
        let least = range.clone().filter(is_open).map(crowd).min()?;
        let has = |at: &usize| self.on_disk.contains(&(choice.segment, *at as ServerIndex));
        let found = range.filter(|at| is_open(at) && crowd(*at) == least && has(at));
        found.min_by(|left, right| scratch.costs[*left].total_cmp(&scratch.costs[*right]))
    }

    /// For each copy of a segment in a tier the best other node, when that is cheaper.
    pub(super) fn better_places(&mut self, choice: Choice<'_>, mut found: impl FnMut(Better)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.look(choice, &mut scratch);
        let segment = self.cluster.segment(choice.segment);
        let range = self.cluster.tiers()[choice.tier].servers.clone();
        let itself = self.near_itself(choice.segment);
        for from in segment.holders.iter().copied() {
            let node = &self.nodes[usize::from(from)];
            if !range.contains(&usize::from(from)) || !node.takes {
                continue;
            }
            let met = f64::from(scratch.met[usize::from(from)]) - itself;
            let there = (met + node.cost_with(segment)) as f32;
            let own_zone = usize::from(node.zone);
            let crowd_there = scratch.zones[own_zone].copies - 1;
            let best = scratch.zones.iter().enumerate().filter_map(|(at, zone)| {
                // No move puts more copies into one zone.
                let crowd = zone.copies - u32::from(at == own_zone);
                let freed = crowd_there.checked_sub(crowd)?;
                let freed = if self.zones > 1 { f64::from(freed) * self.weights.zone } else { 0.0 };
                Some((there - zone.cost + freed as f32, zone.best))
            });
            let best =
                best.max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(&left.1)));
            if let Some((gain, at)) = best.filter(|(gain, _)| *gain > 0.0) {
                found(Better { from, to: at as ServerIndex, gain });
            }
        }
        self.scratch = scratch;
    }

    /// What a copy adds to what it meets where it is.
    fn near_itself(&self, segment: SegmentIndex) -> f64 {
        let (all, own) = self.itself(segment);
        let (_, weight) = self.places.of(segment);
        let near = self.weights.near * all as f64 + self.weights.same_datasource * own as f64;
        near * f64::from(weight) / scale()
    }

    /// What a segment would meet and cost on the nodes of a tier, and the best of each zone.
    fn look(&self, choice: Choice<'_>, scratch: &mut Scratch) {
        let Choice { segment, tier, rooms } = choice;
        let range = self.cluster.tiers()[tier].servers.clone();
        self.meet(segment, range.clone(), scratch);
        let described = self.cluster.segment(segment);
        let costs = &mut scratch.costs[range.clone()];
        costs.copy_from_slice(&scratch.met[range.clone()]);
        self.lanes.add_costs(described, range.clone(), rooms, costs);
        scratch.zones.fill(NOWHERE);
        for holder in described.holders.iter().map(|holder| usize::from(*holder)) {
            scratch.costs[holder] = f32::INFINITY;
            scratch.zones[usize::from(self.lanes.zone[holder])].copies += 1;
        }
        if !self.barred.is_empty() {
            let is_barred = |at: &usize| self.barred.contains(&(segment, *at as ServerIndex));
            range.clone().filter(is_barred).for_each(|at| scratch.costs[at] = f32::INFINITY);
        }
        let zones = &self.lanes.zone[range.clone()];
        for ((at, cost), zone) in range.clone().zip(&scratch.costs[range]).zip(zones) {
            let zone = &mut scratch.zones[usize::from(*zone)];
            if *cost < zone.cost {
                (zone.best, zone.cost) = (at, *cost);
            }
        }
    }

    fn meet(&self, segment: SegmentIndex, range: std::ops::Range<usize>, scratch: &mut Scratch) {
        let met = &mut scratch.met[range.clone()];
        met.fill(0.0);
        let (rows, weight) = self.places.of(segment);
        let scale = f64::from(weight) / scale();
        let near = (self.weights.near * scale) as f32;
        let same_datasource = (self.weights.same_datasource * scale) as f32;
        for row in rows {
            let all = &self.all.row(row.in_all)[range.clone()];
            let own = &self.datasources.row(row.in_datasource)[range.clone()];
            for ((met, all), own) in met.iter_mut().zip(all).zip(own) {
                *met += near * *all as f32 + same_datasource * *own as f32;
            }
        }
        let together = self.weights.together as f32;
        self.chunks.others(&self.cluster, segment, |server, count| {
            if range.contains(&usize::from(server)) {
                scratch.met[usize::from(server)] += together * count as f32;
            }
        });
    }
}

/// The cheapest node of the zones with fewest copies.
fn best_of_zones(scratch: &Scratch) -> Option<usize> {
    let open = scratch.zones.iter().filter(|zone| zone.cost < f32::INFINITY);
    let best = open.min_by(|left, right| {
        left.copies.cmp(&right.copies).then(left.cost.total_cmp(&right.cost))
    });
    best.map(|zone| zone.best)
}
