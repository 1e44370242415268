//! What was sent and what was acknowledged: every answer lies between the two.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// An event that a pusher sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Day of January 2020, from 1.
    pub(crate) day: i64,
    /// A dimension of few values.
    pub(crate) city: i64,
    /// Its own number, above 0.
    pub(crate) number: i64,
}

/// Counts and sums of numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) rows: i64,
    pub(crate) sum: i64,
}

/// The rows of a day and a city.
pub(crate) type Cells = BTreeMap<(i64, i64), Totals>;

#[derive(Debug, Default)]
struct Known {
    sent: Cells,
    acknowledged: Cells,
    next_number: i64,
    /// The last replacing task that was begun, and the last that succeeded.
    replacing: u64,
    replaced: u64,
}

/// All events of a run.
#[derive(Debug, Default)]
pub(crate) struct Model {
    known: Mutex<Known>,
}

impl Model {
    /// A number for an event that nobody else has.
    pub(crate) fn number(&self) -> i64 {
        let mut known = self.known.lock();
        known.next_number += 1;
        known.next_number
    }

    /// These may be in answers from now on.
    pub(crate) fn sent(&self, events: &[Event]) {
        add(&mut self.known.lock().sent, events);
    }

    /// These must be in answers to what is asked from now on.
    pub(crate) fn acknowledged(&self, events: &[Event]) {
        add(&mut self.known.lock().acknowledged, events);
    }

    /// The rows of this task may be answered from now on.
    pub(crate) fn replacing(&self, task: u64) {
        self.known.lock().replacing = task;
    }

    /// The rows of tasks before this one must not be answered any more.
    pub(crate) fn replaced(&self, task: u64) {
        self.known.lock().replaced = task;
    }

    /// The first and the last task whose rows may be answered.
    pub(crate) fn replacements(&self) -> (u64, u64) {
        let known = self.known.lock();
        (known.replaced, known.replacing)
    }

    /// What must be answered, at least.
    pub(crate) fn least(&self) -> Cells {
        self.known.lock().acknowledged.clone()
    }

    /// What may be answered, at most.
    pub(crate) fn most(&self) -> Cells {
        self.known.lock().sent.clone()
    }
}

fn add(cells: &mut Cells, events: &[Event]) {
    for event in events {
        let totals = cells.entry((event.day, event.city)).or_default();
        totals.rows += 1;
        totals.sum += event.number;
    }
}

/// The cells that a question covers, added up.
pub(crate) fn total(cells: &Cells, wanted: impl Fn(i64, i64) -> bool) -> Totals {
    let covered = cells.iter().filter(|((day, city), _)| wanted(*day, *city));
    covered.fold(Totals::default(), |sum, (_, totals)| Totals {
        rows: sum.rows + totals.rows,
        sum: sum.sum + totals.sum,
    })
}
