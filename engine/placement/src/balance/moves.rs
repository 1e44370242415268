//! Moves: which copies are worth moving, the best first, within what may be moved at once.
//!
//! Each move makes the whole cheaper by more than the least gain, and the cost of the whole has a floor: so
//! there is an end to moving, whatever the order. A plan over a balanced cluster is empty, also when it is
//! made anew.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;

use super::cost::Cost;
use super::model::Balancer;
use super::scan::{Better, Choice};
use super::time_box::TimeBox;
use crate::cluster::{SegmentIndex, ServerIndex};

/// Segments between two looks at the clock.
const BETWEEN_LOOKS: usize = 256;
/// Where all may move, what gains so many times what it needs to is moved first.
const COARSEST: f64 = 16.0;
/// Candidates kept for each move that may be made: those before may take their places.
const CANDIDATES_PER_MOVE: usize = 8;

/// What may be moved in one plan.
#[derive(Debug, Clone, PartialEq)]
pub struct MoveLimits {
    /// Copies.
    pub moves: usize,
    /// Bytes.
    pub bytes: u64,
    /// Copies that each node may be asked to load, by its place.
    pub rooms: Vec<u32>,
    /// Copies that leave one node.
    pub from_each: u32,
}

impl MoveLimits {
    /// As much as it takes.
    #[must_use]
    pub fn none(servers: usize) -> Self {
        let rooms = vec![u32::MAX; servers];
        Self { moves: usize::MAX, bytes: u64::MAX, rooms, from_each: u32::MAX }
    }
}

/// A copy that is to be loaded elsewhere, and dropped here after that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedMove {
    /// What.
    pub segment: SegmentIndex,
    /// Where it is.
    pub from: ServerIndex,
    /// Where it goes.
    pub to: ServerIndex,
    /// What it costs where it is.
    pub before: Cost,
    /// What it costs where it goes.
    pub after: Cost,
}

impl PlannedMove {
    /// By how much the whole is cheaper after it.
    #[must_use]
    pub fn gain(&self) -> f64 {
        self.before.total() - self.after.total()
    }
}

/// The moves of a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moves {
    /// In the order in which they are worth most.
    pub moves: Vec<PlannedMove>,
    /// Segments that were looked at.
    pub considered: usize,
    /// True when all were looked at and none is worth moving.
    pub is_settled: bool,
}

impl Balancer {
    /// Finds the moves that are worth it and makes them here. The seed says where to begin, and which of
    /// equals is first: whoever has not time for all begins elsewhere each time.
    pub fn plan_moves(&mut self, limits: &MoveLimits, seed: u64, time: &TimeBox<'_>) -> Moves {
        let mut plan = Moves::default();
        let mut left = Left::of(limits, self.nodes.len());
        let is_all = match limits.moves < self.cluster.segments().len() {
            true => self.move_best(&mut left, seed, time, &mut plan),
            false => self.move_all(&mut left, seed, time, &mut plan),
        };
        plan.is_settled =
            is_all && plan.moves.is_empty() && !left.is_held_back && !self.is_held_back(&left);
        plan
    }

    /// Looks at all, and moves what is worth it most; again, as long as there may be moves. False when there
    /// was no time to look at all.
    fn move_best(
        &mut self,
        left: &mut Left,
        seed: u64,
        time: &TimeBox<'_>,
        plan: &mut Moves,
    ) -> bool {
        let count = self.cluster.segments().len();
        loop {
            let mut found = Vec::new();
            let looked = self.show(self.begin(seed), count, time, plan, |balancer, segment, _| {
                balancer.consider(segment, left, 1.0, |better| found.push((segment, better)));
            });
            let is_all = looked == count;
            rank(&mut found, left.moves, seed);
            let before = plan.moves.len();
            for (segment, _) in found {
                if left.moves == 0 || time.is_over() {
                    left.is_held_back = true;
                    return is_all;
                }
                self.move_if_worth(segment, 1.0, left, plan);
            }
            if plan.moves.len() == before || !is_all {
                return is_all;
            }
        }
    }

    /// Where everything may move, what gains much moves first, then what gains less, as it comes: so nothing
    /// needs to be ranked. False when there was no time to look at all; the next plan then goes on where this one
    /// ended, or a cluster that takes longer to look at than a plan may last would never be settled.
    fn move_all(
        &mut self,
        left: &mut Left,
        seed: u64,
        time: &TimeBox<'_>,
        plan: &mut Moves,
    ) -> bool {
        let (count, begin) = (self.cluster.segments().len(), self.begin(seed));
        let first = Sweep { at: begin, left: count, factor: COARSEST, has_moved: false };
        let mut sweep = self.cut_sweep.take().unwrap_or(first);
        loop {
            let (before, factor) = (plan.moves.len(), sweep.factor);
            let looked = self.show(sweep.at, sweep.left, time, plan, |balancer, segment, plan| {
                balancer.move_if_worth(segment, factor, left, plan);
            });
            sweep.has_moved |= plan.moves.len() > before;
            if looked < sweep.left {
                sweep.at = (sweep.at + looked) % count;
                sweep.left -= looked;
                self.cut_sweep = Some(sweep);
                return false;
            }
            if factor <= 1.0 && !sweep.has_moved {
                return true;
            }
            let factor = (factor / 4.0).max(1.0);
            sweep = Sweep { at: begin, left: count, factor, has_moved: false };
        }
    }

    /// Where a plan begins to look.
    fn begin(&self, seed: u64) -> usize {
        match self.cluster.segments().len() as u64 {
            0 => 0,
            count => (mix(seed) % count) as usize,
        }
    }

    /// Shows so many segments from one on, and then those from the first on, until the time is up; gives how many
    /// it were.
    fn show(
        &mut self,
        from: usize,
        segments: usize,
        time: &TimeBox<'_>,
        plan: &mut Moves,
        mut show: impl FnMut(&mut Self, SegmentIndex, &mut Moves),
    ) -> usize {
        let count = self.cluster.segments().len();
        for step in 0..segments {
            if step % BETWEEN_LOOKS == 0 && time.is_late() {
                return step;
            }
            plan.considered += 1;
            show(self, ((from + step) % count) as SegmentIndex, plan);
        }
        segments
    }

    /// True when a node that would take more has been asked for all it may be.
    fn is_held_back(&self, left: &Left) -> bool {
        self.nodes.iter().zip(&left.rooms).any(|(node, room)| node.takes && *room == 0)
    }

    /// What of a segment's copies would gain so many times what they need to, were it moved alone.
    fn consider(
        &mut self,
        segment: SegmentIndex,
        left: &Left,
        factor: f64,
        mut found: impl FnMut(Better),
    ) {
        if left.moved.contains(&segment) || !self.is_movable(segment) {
            return;
        }
        for tier in 0..self.cluster.tiers().len() {
            let range = self.cluster.tiers()[tier].servers.clone();
            let holders = &self.cluster.segment(segment).holders;
            let is_here = holders.iter().any(|at| range.contains(&usize::from(*at)));
            if range.len() < 2 || !is_here || self.has_away[tier] {
                continue;
            }
            let needed = (factor * self.needed_gain(segment, tier)) as f32;
            let choice = Choice { segment, tier, rooms: &left.rooms };
            self.better_places(choice, |better| {
                if better.gain > needed {
                    found(better);
                }
            });
        }
    }

    /// False while something is under way with it, and while it has too many or too few copies: that is for
    /// others to mend first.
    fn is_movable(&self, segment: SegmentIndex) -> bool {
        let is_settled = |tier| {
            let here = self.here(segment, tier);
            let wanted = self.wanted(segment, tier);
            here.draining == 0 && wanted.is_none_or(|wanted| wanted == here.staying)
        };
        !self.cluster.segment(segment).is_busy && (0..self.cluster.tiers().len()).all(is_settled)
    }

    fn needed_gain(&self, segment: SegmentIndex, tier: usize) -> f64 {
        let mean_bytes = self.mean_bytes[tier].max(1.0);
        let relative = self.cluster.segment(segment).size_bytes as f64 / mean_bytes;
        self.weights.least_gain + self.weights.least_gain_of_size * relative
    }

    /// Looks again, now that others have moved, and moves the copy that gains most.
    fn move_if_worth(
        &mut self,
        segment: SegmentIndex,
        factor: f64,
        left: &mut Left,
        plan: &mut Moves,
    ) {
        let size_bytes = self.cluster.segment(segment).size_bytes;
        let (mut best, mut is_held_back): (Option<Better>, bool) = (None, false);
        self.consider(segment, left, factor, |better| {
            if !left.allows(better.from, size_bytes) {
                is_held_back = true;
            } else if best.is_none_or(|best| better.gain > best.gain) {
                best = Some(better);
            }
        });
        left.is_held_back |= is_held_back;
        let Some(Better { from, to, .. }) = best else { return };
        let before = self.cost(segment, from);
        self.remove(segment, from);
        let after = self.cost(segment, to);
        let tier = usize::from(self.nodes[usize::from(to)].tier);
        let planned = PlannedMove { segment, from, to, before, after };
        if planned.gain() <= self.needed_gain(segment, tier) {
            self.add(segment, from);
            return;
        }
        self.add(segment, to);
        left.take(from, to, size_bytes);
        left.moved.insert(segment);
        plan.moves.push(planned);
    }
}

/// A look at all segments that goes on in the next plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sweep {
    /// The next segment.
    at: usize,
    /// Segments that were not looked at yet.
    left: usize,
    /// What moves gains so many times what it needs to.
    factor: f64,
    /// Something moved since it began.
    has_moved: bool,
}

/// What may still be moved.
#[derive(Debug, Clone, PartialEq)]
struct Left {
    moves: usize,
    bytes: u64,
    rooms: Vec<u32>,
    from: Vec<u32>,
    /// A segment is moved once: it has to arrive before it goes on.
    moved: FxHashSet<SegmentIndex>,
    /// Something was not moved for a limit.
    is_held_back: bool,
}

impl Left {
    fn of(limits: &MoveLimits, servers: usize) -> Self {
        let MoveLimits { moves, bytes, rooms, from_each } = limits;
        let mut rooms = rooms.clone();
        rooms.resize(servers, 0);
        let from = vec![*from_each; servers];
        let moved = FxHashSet::default();
        Self { moves: *moves, bytes: *bytes, rooms, from, moved, is_held_back: false }
    }

    fn allows(&self, from: ServerIndex, size_bytes: u64) -> bool {
        self.from[usize::from(from)] > 0 && size_bytes <= self.bytes
    }

    fn take(&mut self, from: ServerIndex, to: ServerIndex, size_bytes: u64) {
        self.moves -= 1;
        self.bytes -= size_bytes;
        let less = |count: &mut u32| *count -= u32::from(*count != u32::MAX);
        less(&mut self.rooms[usize::from(to)]);
        less(&mut self.from[usize::from(from)]);
    }
}

/// Sorts by gain, the largest first, and leaves out what will not have its turn.
fn rank(found: &mut Vec<(SegmentIndex, Better)>, moves: usize, seed: u64) {
    let order = |left: &(SegmentIndex, Better), right: &(SegmentIndex, Better)| -> Ordering {
        let by_gain = right.1.gain.total_cmp(&left.1.gain);
        let tie = |of: &(SegmentIndex, Better)| mix(seed ^ u64::from(of.0)) ^ u64::from(of.1.from);
        by_gain.then_with(|| tie(left).cmp(&tie(right)))
    };
    let most = moves.saturating_mul(CANDIDATES_PER_MOVE);
    if found.len() > most && most > 0 {
        found.select_nth_unstable_by(most - 1, order);
        found.truncate(most);
    }
    found.sort_unstable_by(order);
}

/// Spreads the bits of a number (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
