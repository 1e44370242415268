//! What a segment more would cost each node for its bytes and its work, for all nodes of a tier at once: the
//! numbers of nodes beside each other, so that the compiler takes several in one step.

use std::ops::Range;

use super::model::Node;
use crate::cluster::Segment;

/// Numbers by node.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    bytes: Lane,
    load: Lane,
    /// Bytes below the cap; nothing on nodes that take no segments.
    free_bytes: Vec<u64>,
    pub zone: Vec<u16>,
}

/// Shares of one kind.
#[derive(Debug, Clone, Default)]
struct Lane {
    share: Vec<f32>,
    /// What part of the share one unit is.
    unit: Vec<f32>,
    segments: Vec<f32>,
    gentle: f32,
    steep: f32,
    border: f32,
}

impl Lanes {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let mut lanes = Self {
            bytes: Lane::of(nodes, |node| node.share_of_bytes),
            load: Lane::of(nodes, |node| node.share_of_load),
            free_bytes: vec![0; nodes.len()],
            zone: nodes.iter().map(|node| node.zone).collect(),
        };
        for (at, node) in nodes.iter().enumerate() {
            lanes.set(at, node);
        }
        lanes
    }

    /// A node has more or less than before.
    pub(super) fn set(&mut self, at: usize, node: &Node) {
        self.bytes.share[at] = node.share_of_bytes.of(node.used_bytes) as f32;
        self.load.share[at] = node.share_of_load.of(node.load) as f32;
        self.free_bytes[at] = match node.takes {
            true => node.capacity_bytes.saturating_sub(node.used_bytes),
            false => 0,
        };
    }

    /// Adds to what is in `costs` what the segment would cost each node; infinitely much where it may not go.
    pub(super) fn add_costs(
        &self,
        segment: &Segment,
        range: Range<usize>,
        rooms: &[u32],
        costs: &mut [f32],
    ) {
        self.bytes.add(segment.size_bytes as f32, range.clone(), costs);
        self.load.add(segment.load as f32, range.clone(), costs);
        let least = segment.size_bytes.max(1);
        let (free, rooms) = (&self.free_bytes[range.clone()], &rooms[range]);
        for ((cost, free), room) in costs.iter_mut().zip(free).zip(rooms) {
            let is_open = (*free >= least) & (*room > 0);
            *cost = if is_open { *cost } else { f32::INFINITY };
        }
    }
}

impl Lane {
    fn of(nodes: &[Node], share: impl Fn(&Node) -> super::share::Share) -> Self {
        let shares: Vec<_> = nodes.iter().map(share).collect();
        let weight = shares.first().map(|share| share.weight);
        Self {
            share: vec![0.0; nodes.len()],
            unit: shares.iter().map(|share| share.of_amount as f32).collect(),
            segments: shares.iter().map(|share| share.segments as f32).collect(),
            gentle: weight.map_or(0.0, |weight| weight.gentle as f32),
            steep: weight.map_or(0.0, |weight| weight.steep as f32),
            border: weight.map_or(1.0, |weight| (1.0 + weight.tolerance) as f32),
        }
    }

    /// As [`Share::cost_of`](super::share::Share::cost_of), with the differences of squares taken apart.
    fn add(&self, amount: f32, range: Range<usize>, costs: &mut [f32]) {
        let (share, unit) = (&self.share[range.clone()], &self.unit[range.clone()]);
        let segments = &self.segments[range];
        for (((cost, share), unit), segments) in costs.iter_mut().zip(share).zip(unit).zip(segments)
        {
            let more = amount * unit;
            let over = share - self.border;
            let (before, after) = (over.max(0.0), (over + more).max(0.0));
            let gentle = self.gentle * more * (share + 0.5 * more);
            let steep = 0.5 * self.steep * (after - before) * (after + before);
            *cost += segments * (gentle + steep);
        }
    }
}
