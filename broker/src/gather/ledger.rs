//! Who was asked for which segments, and whose replies count: each segment exactly once, whatever nodes
//! do. Pure: calls are made elsewhere, and told of here.

use std::collections::BTreeMap;

use crate::route::Place;

/// Names a call of a query; calls that were made later are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(u32);

/// What follows from an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Calls whose replies count; none is ever named twice.
    pub(crate) counted: Vec<CallId>,
    /// Calls that nobody wants a reply of any more, or whose replies nobody wants.
    pub(crate) dropped: Vec<CallId>,
    /// Segments to be asked for again.
    pub(crate) again: Vec<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody is asked for it.
    Open,
    /// Somebody is.
    Asked,
    /// A reply that counts has it.
    Counted,
    /// Nobody could be asked: the answer lacks it, and says so.
    GivenUp,
}

#[derive(Debug)]
struct Call {
    places: Vec<Place>,
    part: Part,
}

/// What a call is in a race of two sides for the same segments.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// There is no race.
    Alone,
    /// The call that was made first; replicas were asked for the same, by these calls.
    First(Vec<CallId>),
    /// One of the calls to replicas. Their replies count together or not at all; one that came waits for
    /// the others.
    Hedge { first: CallId, has_come: bool },
}

/// The account of one query.
#[derive(Debug)]
pub(crate) struct Ledger {
    states: Vec<State>,
    /// Calls whose replies may still count.
    calls: BTreeMap<CallId, Call>,
    made: u32,
    settled: usize,
    is_broken: bool,
}

impl Ledger {
    /// Of a query that reads so many segments.
    #[must_use]
    pub(crate) fn of(segments: usize) -> Self {
        let states = vec![State::Open; segments];
        Self { states, calls: BTreeMap::new(), made: 0, settled: 0, is_broken: false }
    }

    /// True when every segment is in a reply that counts, or was given up.
    #[must_use]
    pub(crate) fn is_done(&self) -> bool {
        self.settled == self.states.len()
    }

    /// True when a segment was counted twice or was asked for twice beside a race, which is a bug: then
    /// there is no answer.
    #[must_use]
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// A server is asked for segments for which nobody is asked.
    #[must_use]
    pub(crate) fn ask(&mut self, places: Vec<Place>) -> CallId {
        for place in &places {
            self.change(*place, State::Open, State::Asked);
        }
        self.call(places, Part::Alone)
    }

    /// Replicas are asked for what a call asks for, each for a part of it. `None` when the call is not
    /// outstanding, or was hedged already, or the parts are not exactly its segments.
    #[must_use]
    pub(crate) fn hedge(&mut self, first: CallId, parts: Vec<Vec<Place>>) -> Option<Vec<CallId>> {
        let call = self.calls.get(&first).filter(|call| call.part == Part::Alone)?;
        let sorted = |mut places: Vec<Place>| {
            places.sort_unstable();
            places
        };
        if parts.is_empty() || sorted(parts.concat()) != sorted(call.places.clone()) {
            return None;
        }
        let hedge = |places| self.call(places, Part::Hedge { first, has_come: false });
        let hedges: Vec<CallId> = parts.into_iter().map(hedge).collect();
        if let Some(call) = self.calls.get_mut(&first) {
            call.part = Part::First(hedges.clone());
        }
        Some(hedges)
    }

    /// A reply came, that has all of the call's segments but those at `missing`, which the call has.
    #[must_use]
    pub(crate) fn answered(&mut self, id: CallId, missing: &[Place]) -> Verdict {
        let mut verdict = Verdict::default();
        match self.calls.get_mut(&id).map(|call| &mut call.part) {
            None => verdict.dropped.push(id),
            Some(Part::Alone | Part::First(_)) => {
                self.drop_hedges(id, &mut verdict);
                self.count(id, missing, &mut verdict);
            }
            Some(Part::Hedge { first, .. }) if !missing.is_empty() => {
                let first = *first;
                self.drop_hedges(first, &mut verdict);
            }
            Some(Part::Hedge { first, has_come }) => {
                *has_come = true;
                let first = *first;
                self.end_race(first, &mut verdict);
            }
        }
        verdict
    }

    /// A call failed.
    #[must_use]
    pub(crate) fn failed(&mut self, id: CallId) -> Verdict {
        let mut verdict = Verdict::default();
        match self.calls.get_mut(&id).map(|call| std::mem::replace(&mut call.part, Part::Alone)) {
            None => {}
            Some(Part::Alone) => {
                let call = self.calls.remove(&id);
                for place in call.into_iter().flat_map(|call| call.places) {
                    self.change(place, State::Asked, State::Open);
                    verdict.again.push(place);
                }
            }
            Some(Part::First(hedges)) => {
                self.calls.remove(&id);
                hedges.into_iter().for_each(|hedge| self.promote(hedge, &mut verdict));
            }
            Some(Part::Hedge { first, .. }) => self.drop_hedges(first, &mut verdict),
        }
        verdict
    }

    /// Nobody can be asked for these segments: the answer is without them.
    pub(crate) fn give_up(&mut self, places: &[Place]) {
        for place in places {
            self.change(*place, State::Open, State::GivenUp);
            self.settled += 1;
        }
    }

    fn call(&mut self, places: Vec<Place>, part: Part) -> CallId {
        self.made += 1;
        let id = CallId(self.made);
        self.calls.insert(id, Call { places, part });
        id
    }

    /// The replicas win once all of them have answered.
    fn end_race(&mut self, first: CallId, verdict: &mut Verdict) {
        let Some(Part::First(hedges)) = self.calls.get(&first).map(|call| &call.part) else {
            return;
        };
        let has_come = |hedge: &CallId| {
            let part = self.calls.get(hedge).map(|call| &call.part);
            matches!(part, Some(Part::Hedge { has_come: true, .. }))
        };
        if !hedges.iter().all(has_come) {
            return;
        }
        let hedges = hedges.clone();
        self.calls.remove(&first);
        verdict.dropped.push(first);
        hedges.into_iter().for_each(|hedge| self.count(hedge, &[], verdict));
    }

    /// The first call failed: what replicas were asked for is theirs alone.
    fn promote(&mut self, hedge: CallId, verdict: &mut Verdict) {
        let Some(call) = self.calls.get_mut(&hedge) else { return };
        let part = std::mem::replace(&mut call.part, Part::Alone);
        if matches!(part, Part::Hedge { has_come: true, .. }) {
            self.count(hedge, &[], verdict);
        }
    }

    /// The first call goes on, or has won, without the calls to replicas.
    fn drop_hedges(&mut self, first: CallId, verdict: &mut Verdict) {
        let Some(call) = self.calls.get_mut(&first) else { return };
        if let Part::First(hedges) = std::mem::replace(&mut call.part, Part::Alone) {
            hedges.iter().for_each(|hedge| drop(self.calls.remove(hedge)));
            verdict.dropped.extend(hedges);
        }
    }

    fn count(&mut self, id: CallId, missing: &[Place], verdict: &mut Verdict) {
        let Some(call) = self.calls.remove(&id) else { return };
        verdict.counted.push(id);
        let mut missing = missing.to_vec();
        missing.sort_unstable();
        for place in call.places {
            if missing.binary_search(&place).is_ok() {
                self.change(place, State::Asked, State::Open);
                verdict.again.push(place);
            } else {
                self.change(place, State::Asked, State::Counted);
                self.settled += 1;
            }
        }
    }

    fn change(&mut self, place: Place, from: State, to: State) {
        match self.states.get_mut(place) {
            Some(state) if *state == from => *state = to,
            _ => self.is_broken = true,
        }
    }
}

#[cfg(test)]
mod tests;
