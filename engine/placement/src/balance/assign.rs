//! Assigning: copies that are missing, on the nodes where they cost least; what nobody has comes first, then
//! the hottest tier, then the newest time.

use std::sync::Arc;

use super::model::Balancer;
use super::scan::Choice;
use super::time_box::TimeBox;
use crate::cluster::{SegmentIndex, ServerIndex, ServerState, Wish};

/// Copies between two looks at the clock.
const BETWEEN_LOOKS: usize = 256;

/// What may be asked for in one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadLimits {
    /// Copies of segments that have one already: these can wait, and must not keep a cluster busy that has just
    /// lost a node.
    pub further_copies: usize,
    /// Copies that each node may be asked to load, by its place.
    pub rooms: Vec<u32>,
}

impl LoadLimits {
    /// As much as it takes.
    #[must_use]
    pub fn none(servers: usize) -> Self {
        Self { further_copies: usize::MAX, rooms: vec![u32::MAX; servers] }
    }
}

/// A copy to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedLoad {
    /// What.
    pub segment: SegmentIndex,
    /// Where.
    pub server: ServerIndex,
    /// True when nobody has it.
    pub is_first: bool,
}

/// The loads of a plan, and what they leave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assigned {
    /// The most urgent first.
    pub loads: Vec<PlannedLoad>,
    /// Copies that wait for their turn.
    pub waiting: usize,
    /// Segments that lack a copy for which no node of the tier has room.
    pub without_room: Vec<SegmentIndex>,
    /// Tiers that rules name and that have no nodes, with how many segments want them.
    pub without_nodes: Vec<(Arc<str>, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Missing {
    has_copies: bool,
    /// The rank of the tier: the hottest is the smallest.
    rank: u16,
    /// Milliseconds before the end of time: the newest is the smallest.
    age_ms: u64,
    segment: SegmentIndex,
}

impl Balancer {
    /// Finds a place for each copy that is missing and puts it there here.
    pub fn assign(&mut self, limits: &LoadLimits, time: &TimeBox<'_>) -> Assigned {
        let mut plan = Assigned { without_nodes: self.without_nodes(), ..Assigned::default() };
        let ranks = self.tiers_by_rank();
        let mut rooms = limits.rooms.clone();
        rooms.resize(self.nodes.len(), 0);
        let mut further = limits.further_copies;
        let mut is_over = false;
        for (step, missing) in self.missing(&ranks).into_iter().enumerate() {
            is_over = is_over || (step % BETWEEN_LOOKS == 0 && time.is_over());
            let Missing { has_copies, rank, segment, .. } = missing;
            if is_over || (has_copies && further == 0) {
                plan.waiting += 1;
                continue;
            }
            let choice = Choice { segment, tier: ranks[usize::from(rank)], rooms: &rooms };
            match self.best_for_copy(choice) {
                Some(server) => {
                    self.add(segment, server);
                    rooms[usize::from(server)] -= 1;
                    further -= usize::from(has_copies);
                    plan.loads.push(PlannedLoad { segment, server, is_first: !has_copies });
                }
                None if self.lacks_room(choice) => plan.without_room.push(segment),
                None => plan.waiting += 1,
            }
        }
        plan
    }

    /// Copies that are missing, the most urgent first.
    fn missing(&self, ranks: &[usize]) -> Vec<Missing> {
        let mut missing = Vec::new();
        for (index, segment) in (0..).zip(self.cluster.segments()) {
            let mut has_copies = segment.holders.iter().any(|holder| self.answers(*holder));
            for (rank, tier) in (0..).zip(ranks) {
                let wanted = self.wanted(index, *tier).unwrap_or(0);
                let lacking = wanted.saturating_sub(self.here(index, *tier).staying);
                // Who is away may come back with it; until then somebody is to have it.
                let at_least = u32::from(!has_copies && wanted > 0);
                for _ in 0..lacking.max(at_least) {
                    let age_ms = i64::MAX.abs_diff(segment.interval.end_ms);
                    missing.push(Missing { has_copies, rank, age_ms, segment: index });
                    has_copies = true;
                }
            }
        }
        missing.sort_unstable();
        missing
    }

    fn answers(&self, server: ServerIndex) -> bool {
        self.cluster.server(server).state != ServerState::Away
    }

    /// Places of the tiers, the hottest first.
    fn tiers_by_rank(&self) -> Vec<usize> {
        let tiers = self.cluster.tiers();
        let mut ranks: Vec<usize> = (0..tiers.len()).collect();
        ranks.sort_by_key(|at| std::cmp::Reverse(tiers[*at].priority));
        ranks
    }

    /// True when it is for room that no node takes a copy.
    fn lacks_room(&self, choice: Choice<'_>) -> bool {
        let segment = self.cluster.segment(choice.segment);
        let range = self.cluster.tiers()[choice.tier].servers.clone();
        let is_other =
            |at: &usize| self.nodes[*at].takes && !segment.holders.contains(&(*at as ServerIndex));
        let mut others = range.filter(is_other).peekable();
        others.peek().is_some() && others.all(|at| !self.nodes[at].has_room(segment))
    }

    fn without_nodes(&self) -> Vec<(Arc<str>, usize)> {
        let mut counts = vec![0; self.cluster.wishes().len()];
        for segment in self.cluster.segments() {
            counts[usize::from(segment.wish)] += 1;
        }
        let mut missing: std::collections::BTreeMap<Arc<str>, usize> = Default::default();
        for (wish, count) in self.cluster.wishes().iter().zip(counts) {
            let Wish::Copies(copies) = wish else { continue };
            let has_nodes =
                |tier: &str| self.cluster.tiers().iter().any(|known| *known.name == *tier);
            for (tier, _) in copies.iter().filter(|(tier, asked)| *asked > 0 && !has_nodes(tier)) {
                *missing.entry(Arc::clone(tier)).or_default() += count;
            }
        }
        missing.retain(|_, count| *count > 0);
        missing.into_iter().collect()
    }
}
