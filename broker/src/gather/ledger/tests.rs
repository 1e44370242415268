//! Races by hand, and whatever nodes may do.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn counted(calls: &[CallId]) -> Verdict {
    Verdict { counted: calls.to_vec(), ..Verdict::default() }
}

#[test]
fn f_60_whoever_is_first_counts_and_the_other_is_dropped() {
    let mut ledger = Ledger::of(3);
    let first = ledger.ask(vec![0, 1, 2]);
    let hedges = ledger.hedge(first, vec![vec![2, 0], vec![1]]).unwrap();
    assert_eq!(ledger.hedge(first, vec![vec![0, 1, 2]]), None, "once is enough");
    assert_eq!(ledger.answered(hedges[0], &[]), Verdict::default(), "it waits for the other");
    let expected = Verdict { counted: hedges.clone(), dropped: vec![first], again: vec![] };
    assert_eq!(ledger.answered(hedges[1], &[]), expected);
    assert!(ledger.is_done() && !ledger.is_broken());
    // Late.
    let late = Verdict { dropped: vec![first], ..Verdict::default() };
    assert_eq!(ledger.answered(first, &[]), late);
    assert_eq!(ledger.failed(first), Verdict::default());
    assert!(ledger.is_done() && !ledger.is_broken());
}

#[test]
fn f_60_the_first_call_may_still_win() {
    let mut ledger = Ledger::of(2);
    let first = ledger.ask(vec![0, 1]);
    let hedges = ledger.hedge(first, vec![vec![0], vec![1]]).unwrap();
    assert_eq!(ledger.answered(hedges[1], &[]), Verdict::default());
    let expected = Verdict { counted: vec![first], dropped: hedges, again: vec![1] };
    assert_eq!(ledger.answered(first, &[1]), expected);
    assert!(!ledger.is_done());
    let again = ledger.ask(vec![1]);
    assert_eq!(ledger.answered(again, &[]), counted(&[again]));
    assert!(ledger.is_done() && !ledger.is_broken());
}

#[test]
fn f_55_what_replicas_were_asked_for_is_theirs_when_the_first_call_fails() {
    let mut ledger = Ledger::of(3);
    let first = ledger.ask(vec![0, 1, 2]);
    let hedges = ledger.hedge(first, vec![vec![0], vec![1], vec![2]]).unwrap();
    assert_eq!(ledger.answered(hedges[1], &[]), Verdict::default());
    assert_eq!(ledger.failed(first), counted(&[hedges[1]]));
    assert_eq!(ledger.answered(hedges[0], &[]), counted(&[hedges[0]]));
    assert_eq!(ledger.failed(hedges[2]), Verdict { again: vec![2], ..Verdict::default() });
    assert!(!ledger.is_done());
    ledger.give_up(&[2]);
    assert!(ledger.is_done() && !ledger.is_broken());
}

#[test]
fn a_hedge_that_lacks_something_or_fails_is_dropped_whole() {
    for fails in [false, true] {
        let mut ledger = Ledger::of(2);
        let first = ledger.ask(vec![0, 1]);
        let hedges = ledger.hedge(first, vec![vec![0], vec![1]]).unwrap();
        assert_eq!(ledger.answered(hedges[0], &[]), Verdict::default());
        let verdict = match fails {
            true => ledger.failed(hedges[1]),
            false => ledger.answered(hedges[1], &[1]),
        };
        assert_eq!(verdict, Verdict { dropped: hedges, ..Verdict::default() });
        assert_eq!(ledger.answered(first, &[]), counted(&[first]));
        assert!(ledger.is_done() && !ledger.is_broken());
    }
}

#[test]
fn parts_that_are_not_exactly_the_segments_are_no_hedge() {
    let mut ledger = Ledger::of(3);
    let first = ledger.ask(vec![0, 1]);
    for parts in [vec![], vec![vec![0]], vec![vec![0, 1], vec![1]], vec![vec![0, 2]]] {
        assert_eq!(ledger.hedge(first, parts), None);
    }
    assert_eq!(ledger.answered(first, &[]), counted(&[first]));
    assert_eq!(ledger.hedge(first, vec![vec![0, 1]]), None);
    let _ = ledger.ask(vec![0]);
    assert!(ledger.is_broken(), "it was counted already");
}

/// What happens next; numbers choose among what is there.
#[derive(Debug, Clone)]
enum Event {
    Ask {
        count: usize,
    },
    Hedge {
        which: usize,
        cut: usize,
    },
    Answer {
        which: usize,
        missing: u64,
    },
    /// A reply to a call that was made at any time, dropped or counted perhaps.
    Late {
        which: usize,
    },
    Fail {
        which: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1..5_usize).prop_map(|count| Event::Ask { count }),
        3 => any::<(usize, usize)>().prop_map(|(which, cut)| Event::Hedge { which, cut }),
        5 => any::<(usize, u64)>().prop_map(|(which, missing)| {
            // Most have all.
            Event::Answer { which, missing: if missing % 4 == 0 { missing } else { 0 } }
        }),
        1 => any::<usize>().prop_map(|which| Event::Late { which }),
        2 => any::<usize>().prop_map(|which| Event::Fail { which }),
    ]
}

const SEGMENTS: usize = 6;

/// What a broker would have by the ledger's word.
struct Model {
    ledger: Ledger,
    /// Every call that was made.
    made: Vec<(CallId, Vec<Place>)>,
    /// Those that are outstanding, as far as who makes them knows.
    outstanding: Vec<CallId>,
    /// What replies that came lack.
    replies: BTreeMap<CallId, Vec<Place>>,
    open: Vec<Place>,
    /// How often each segment is in a reply that counts.
    times: [usize; SEGMENTS],
}

impl Model {
    fn new() -> Self {
        Self {
            ledger: Ledger::of(SEGMENTS),
            made: Vec::new(),
            outstanding: Vec::new(),
            replies: BTreeMap::new(),
            open: (0..SEGMENTS).collect(),
            times: [0; SEGMENTS],
        }
    }

    fn places(&self, id: CallId) -> Vec<Place> {
        self.made.iter().find(|(made, _)| *made == id).unwrap().1.clone()
    }

    fn begin(&mut self, id: CallId, places: Vec<Place>) {
        self.made.push((id, places));
        self.outstanding.push(id);
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Ask { count } => {
                let places: Vec<Place> = self.open.drain(..self.open.len().min(*count)).collect();
                if !places.is_empty() {
                    let id = self.ledger.ask(places.clone());
                    self.begin(id, places);
                }
            }
            Event::Hedge { which, cut } => self.hedge(*which, *cut),
            Event::Answer { which, missing } => {
                let Some(id) = self.take(*which) else { return };
                let missing: Vec<Place> =
                    self.places(id).into_iter().filter(|place| missing >> place & 1 == 1).collect();
                self.replies.insert(id, missing.clone());
                let verdict = self.ledger.answered(id, &missing);
                self.follow(verdict);
            }
            Event::Late { which } => {
                let late: Vec<_> =
                    self.made.iter().filter(|(id, _)| !self.outstanding.contains(id)).collect();
                let Some((id, _)) = late.get(*which % late.len().max(1)) else { return };
                // It is not one of a race that waits for the others.
                if !self.replies.contains_key(id) {
                    let verdict = self.ledger.answered(*id, &[]);
                    assert_eq!(verdict, Verdict { dropped: vec![*id], ..Verdict::default() });
                }
            }
            Event::Fail { which } => {
                let Some(id) = self.take(*which) else { return };
                let verdict = self.ledger.failed(id);
                self.follow(verdict);
            }
        }
    }

    fn hedge(&mut self, which: usize, cut: usize) {
        if self.outstanding.is_empty() {
            return;
        }
        let first = self.outstanding[which % self.outstanding.len()];
        let places = self.places(first);
        let (left, right) = places.split_at(cut % (places.len() + 1));
        let parts: Vec<Vec<Place>> = [left, right]
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.to_vec())
            .collect();
        if let Some(hedges) = self.ledger.hedge(first, parts.clone()) {
            hedges.into_iter().zip(parts).for_each(|(id, places)| self.begin(id, places));
        }
    }

    fn take(&mut self, which: usize) -> Option<CallId> {
        let count = self.outstanding.len();
        (count > 0).then(|| self.outstanding.remove(which % count))
    }

    fn follow(&mut self, Verdict { counted, dropped, again }: Verdict) {
        for id in counted {
            let missing = self.replies.remove(&id).expect("a reply that came counts");
            for place in self.places(id).into_iter().filter(|place| !missing.contains(place)) {
                self.times[place] += 1;
            }
        }
        for id in dropped {
            self.outstanding.retain(|outstanding| *outstanding != id);
            self.replies.remove(&id);
        }
        self.open.extend(again);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever nodes do, no segment counts twice, none is forgotten, and done means all.
    #[test]
    fn f_55_f_57_f_60_every_segment_counts_exactly_once(
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut model = Model::new();
        for event in &events {
            model.step(event);
            prop_assert!(!model.ledger.is_broken());
            prop_assert!(model.times.iter().all(|times| *times <= 1), "{:?}", model.times);
            let is_done = model.times.iter().all(|times| *times == 1);
            prop_assert_eq!(model.ledger.is_done(), is_done);
            // What does not count is open, or somebody is asked for it or has answered.
            for place in 0..SEGMENTS {
                let waits = model.outstanding.iter().chain(model.replies.keys());
                let is_asked = waits.copied().any(|id| model.places(id).contains(&place));
                let is_somewhere = model.times[place] == 1 || model.open.contains(&place) || is_asked;
                prop_assert!(is_somewhere, "{place} is forgotten");
                prop_assert!(!(model.times[place] == 1 && model.open.contains(&place)));
            }
        }
        // Nodes that answer in the end complete it.
        while !model.ledger.is_done() {
            model.step(&Event::Ask { count: SEGMENTS });
            model.step(&Event::Answer { which: 0, missing: 0 });
        }
        prop_assert_eq!(model.times, [1; SEGMENTS]);
    }
}
