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
    /// Copies by zone.
    zones: Vec<u32>,
}

impl Scratch {
    pub(super) fn new(servers: usize, zones: usize) -> Self {
        Self { met: vec![0.0; servers], zones: vec![0; zones] }
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
    /// The node that a new copy costs least on, among those of the zones with fewest copies.
    pub(super) fn best_for_copy(&mut self, choice: Choice<'_>) -> Option<ServerIndex> {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.look(choice, &mut scratch);
        let best = self.candidates(choice).map(|at| {
            let crowd = scratch.zones[usize::from(self.nodes[at].zone)];
            (crowd, self.cost_at(choice.segment, at, &scratch), at)
        });
        let best = best.min_by(|left, right| left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)));
        self.scratch = scratch;
        best.map(|(_, _, at)| at as ServerIndex)
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
            let there =
                f64::from(scratch.met[usize::from(from)]) - itself + node.cost_with(segment);
            let crowd_there = scratch.zones[usize::from(node.zone)] - 1;
            let best = self.candidates(choice).filter_map(|at| {
                let zone = self.nodes[at].zone;
                let crowd = scratch.zones[usize::from(zone)] - u32::from(zone == node.zone);
                let freed = f64::from(crowd_there.checked_sub(crowd)?);
                let is_zoned = f64::from(u8::from(self.zones > 1));
                let here = self.cost_at(choice.segment, at, &scratch);
                Some((there - here + is_zoned * freed * self.weights.zone, at))
            });
            let best =
                best.max_by(|left, right| left.0.total_cmp(&right.0).then(right.1.cmp(&left.1)));
            if let Some((gain, at)) = best.filter(|(gain, _)| *gain > 0.0) {
                found(Better { from, to: at as ServerIndex, gain: gain as f32 });
            }
        }
        self.scratch = scratch;
    }

    /// Nodes of the tier that could take one more copy.
    fn candidates<'b>(&'b self, choice: Choice<'b>) -> impl Iterator<Item = usize> + 'b {
        let segment = self.cluster.segment(choice.segment);
        self.cluster.tiers()[choice.tier].servers.clone().filter(move |at| {
            let node = &self.nodes[*at];
            node.takes
                && choice.rooms[*at] > 0
                && node.has_room(segment)
                && !segment.holders.contains(&(*at as ServerIndex))
        })
    }

    fn cost_at(&self, segment: SegmentIndex, at: usize, scratch: &Scratch) -> f64 {
        f64::from(scratch.met[at]) + self.nodes[at].cost_of(self.cluster.segment(segment))
    }

    /// What a copy adds to what it meets where it is.
    fn near_itself(&self, segment: SegmentIndex) -> f64 {
        let (all, own) = self.itself(segment);
        let (_, weight) = self.places.of(segment);
        let near = self.weights.near * all as f64 + self.weights.same_datasource * own as f64;
        near * f64::from(weight) / scale()
    }

    /// What a segment would meet on the nodes of a tier, and its copies by zone.
    fn look(&self, choice: Choice<'_>, scratch: &mut Scratch) {
        let Choice { segment, tier, .. } = choice;
        let range = self.cluster.tiers()[tier].servers.clone();
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
        scratch.zones.fill(0);
        for holder in &self.cluster.segment(segment).holders {
            scratch.zones[usize::from(self.nodes[usize::from(*holder)].zone)] += 1;
        }
    }
}
