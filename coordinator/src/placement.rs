//! Where copies are, and where the next ones go: duties share it while a plan is made, so that what one
//! of them asks for the next one counts.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

use crate::action::Action;
use crate::snapshot::ClusterSnapshot;

/// The copies of a segment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies<'a> {
    /// Servers that announce it and keep it.
    pub here: Vec<&'a ServerId>,
    /// Servers that were asked to load it.
    pub coming: Vec<&'a ServerId>,
    /// Servers that had it when they left, a short while ago.
    pub away: Vec<&'a ServerId>,
}

impl Copies<'_> {
    /// All of them.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.here.len() + self.coming.len() + self.away.len()
    }
}

/// Copies by segment, and what each server has and will have.
#[derive(Debug)]
pub(crate) struct Placement<'a> {
    snapshot: &'a ClusterSnapshot,
    copies: BTreeMap<&'a SegmentId, Copies<'a>>,
    budgets: BTreeMap<&'a ServerId, Budget>,
    /// Segments that only lack room on a server.
    without_room: Vec<&'a SegmentId>,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    size_bytes: u64,
    room_for_loads: usize,
}

impl<'a> Placement<'a> {
    /// Of the used segments of a snapshot.
    #[must_use]
    pub(crate) fn of(snapshot: &'a ClusterSnapshot) -> Self {
        let mut copies: BTreeMap<&'a SegmentId, Copies<'a>> =
            snapshot.used.keys().map(|id| (id, Copies::default())).collect();
        for (name, server) in &snapshot.servers {
            for id in server.loaded.keys().filter(|id| !server.going.contains(id)) {
                if let Some(copies) = copies.get_mut(id) {
                    copies.here.push(name);
                }
            }
            for id in server.coming.keys().filter(|id| !server.loaded.contains_key(id)) {
                if let Some(copies) = copies.get_mut(id) {
                    copies.coming.push(name);
                }
            }
        }
        for (name, server) in &snapshot.away {
            for id in server.loaded.keys() {
                if let Some(copies) = copies.get_mut(id) {
                    copies.away.push(name);
                }
            }
        }
        let budgets = snapshot.servers.iter().map(|(name, server)| {
            let room_for_loads = server.room_for_loads;
            (name, Budget { size_bytes: server.size_bytes(), room_for_loads })
        });
        let budgets = budgets.collect();
        Self { snapshot, copies, budgets, without_room: Vec::new() }
    }

    /// The copies of a used segment.
    #[must_use]
    pub(crate) fn copies(&self, id: &SegmentId) -> Copies<'a> {
        self.copies.get(id).cloned().unwrap_or_default()
    }

    /// The used segments with their copies.
    pub(crate) fn segments(
        &self,
    ) -> impl Iterator<Item = (&'a Arc<PublishedSegment>, &Copies<'a>)> + '_ {
        self.snapshot.used.values().zip(self.copies.values())
    }

    /// The zones of servers.
    #[must_use]
    pub(crate) fn zones<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ServerId>,
    ) -> BTreeSet<&'a str> {
        names.into_iter().filter_map(|name| self.zone(name)).collect()
    }

    /// All zones of servers that are here.
    #[must_use]
    pub(crate) fn all_zones(&self) -> BTreeSet<&'a str> {
        self.snapshot.servers.values().map(|server| &*server.zone).collect()
    }

    fn zone(&self, name: &ServerId) -> Option<&'a str> {
        let here = self.snapshot.servers.get(name).map(|server| &*server.zone);
        here.or_else(|| self.snapshot.away.get(name).map(|server| &*server.zone))
    }

    /// False when no server may be asked for another load now.
    #[must_use]
    pub(crate) fn takes_loads(&self) -> bool {
        self.budgets.values().any(|budget| budget.room_for_loads > 0)
    }

    /// Segments that no server has room for, so far.
    #[must_use]
    pub(crate) fn without_room(&self) -> &[&'a SegmentId] {
        &self.without_room
    }

    /// Asks the best server for one more copy of a segment, not one in `avoided` zones. `None` when there
    /// is none that does not have it, has room, and did not fail just now.
    pub(crate) fn place(
        &mut self,
        segment: &'a Arc<PublishedSegment>,
        avoided: &BTreeSet<&str>,
    ) -> Option<Action> {
        let copies = self.copies(&segment.id);
        let best = self.candidates(segment, &copies, avoided).min_by(|left, right| {
            let (left, right) = (*left, *right);
            let crowd = |name| self.crowd(&copies, name);
            let by_disk =
                || self.remembers(right, &segment.id).cmp(&self.remembers(left, &segment.id));
            crowd(left)
                .cmp(&crowd(right))
                .then_with(by_disk)
                .then_with(|| self.fullness(left, right))
        });
        let Some(best) = best else {
            if self.lacks_room(segment, &copies, avoided) {
                self.without_room.push(&segment.id);
            }
            return None;
        };
        if let Some(budget) = self.budgets.get_mut(best) {
            budget.size_bytes += segment.size_bytes;
            budget.room_for_loads -= 1;
        }
        self.copies.entry(&segment.id).or_default().coming.push(best);
        Some(Action::Load { server: ServerId::clone(best), segment: Arc::clone(segment) })
    }

    /// Servers that could be asked.
    fn candidates<'s>(
        &'s self,
        segment: &'s PublishedSegment,
        copies: &'s Copies<'a>,
        avoided: &'s BTreeSet<&str>,
    ) -> impl Iterator<Item = &'a ServerId> + 's {
        self.budgets
            .iter()
            .filter(|(_, budget)| budget.room_for_loads > 0)
            .map(|(name, _)| *name)
            .filter(move |name| self.lacks(name, &segment.id, copies, avoided))
            .filter(move |name| self.fits(name, segment))
            .filter(move |name| !self.rests(name, &segment.id))
    }

    /// True when it is only for room that nobody takes the segment.
    fn lacks_room(
        &self,
        segment: &PublishedSegment,
        copies: &Copies<'a>,
        avoided: &BTreeSet<&str>,
    ) -> bool {
        let others = self.budgets.keys();
        let mut others =
            others.filter(|name| self.lacks(name, &segment.id, copies, avoided)).peekable();
        others.peek().is_some() && others.all(|name| !self.fits(name, segment))
    }

    fn lacks(
        &self,
        name: &ServerId,
        id: &SegmentId,
        copies: &Copies<'a>,
        avoided: &BTreeSet<&str>,
    ) -> bool {
        let has = copies.here.contains(&name) || copies.coming.contains(&name);
        let is_going = self.snapshot.servers.get(name).is_some_and(|s| s.going.contains(id));
        !has && !is_going && !self.zone(name).is_some_and(|zone| avoided.contains(zone))
    }

    fn rests(&self, name: &ServerId, id: &SegmentId) -> bool {
        let resting = &self.snapshot.resting_loads;
        !resting.is_empty() && resting.contains(&(name.clone(), id.clone()))
    }

    fn fits(&self, name: &ServerId, segment: &PublishedSegment) -> bool {
        let size_bytes = self.budgets.get(name).map_or(0, |budget| budget.size_bytes);
        let server = self.snapshot.servers.get(name);
        server.is_some_and(|s| size_bytes.saturating_add(segment.size_bytes) <= s.capacity_bytes)
    }

    /// Copies in the zone of a server.
    fn crowd(&self, copies: &Copies<'a>, name: &ServerId) -> usize {
        let zone = self.zone(name);
        let all = copies.here.iter().chain(&copies.coming).chain(&copies.away);
        all.filter(|other| self.zone(other) == zone).count()
    }

    fn remembers(&self, name: &ServerId, id: &SegmentId) -> bool {
        self.snapshot.servers.get(name).is_some_and(|s| s.remembered.contains_key(id))
    }

    /// Which of two servers has the smaller share of its capacity taken.
    pub(crate) fn fullness(&self, left: &ServerId, right: &ServerId) -> Ordering {
        let share = |name: &ServerId, of: &ServerId| {
            let size_bytes = self.budgets.get(name).map_or(0, |budget| budget.size_bytes);
            let capacity_bytes = self.snapshot.servers.get(of).map_or(0, |s| s.capacity_bytes);
            u128::from(size_bytes) * u128::from(capacity_bytes)
        };
        share(left, right).cmp(&share(right, left))
    }
}
