//! What was sent and what was acknowledged: every answer lies between the two.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The datasource whose pushes are acknowledged when a second node has them.
pub(crate) const REPLICATED: &str = "t";
/// The one whose pushes are acknowledged when one node has them.
pub(crate) const LOCAL: &str = "u";
pub(crate) const DATASOURCES: [&str; 2] = [REPLICATED, LOCAL];

/// Days of January 2020, from 1.
pub(crate) const DAYS: i64 = 4;
/// Values of the dimension; events of the last are pushed without a key, once.
pub(crate) const CITIES: i64 = 5;
pub(crate) const WITHOUT_KEY: i64 = CITIES - 1;

/// Whether an answer contains all that was acknowledged before its query was asked, however short a while ago.
const AT_ONCE: bool = true;
/// Otherwise brokers hear of it within so long.
const HEARD_WITHIN: Duration = Duration::from_secs(8);

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

/// The rows of a datasource.
#[derive(Debug, Default)]
struct Known {
    sent: Cells,
    acknowledged: Cells,
    /// Acknowledged a moment ago.
    recent: VecDeque<(Instant, Vec<Event>)>,
}

/// All events of a run.
#[derive(Debug, Default)]
pub(crate) struct Model {
    known: Mutex<BTreeMap<String, Known>>,
    next_number: Mutex<i64>,
    /// The last replacing task that was begun, and the last that succeeded.
    replacements: Mutex<(u64, u64)>,
}

impl Model {
    /// A number for an event that nobody else has.
    pub(crate) fn number(&self) -> i64 {
        let mut next = self.next_number.lock();
        *next += 1;
        *next
    }

    /// These may be in answers from now on.
    pub(crate) fn sent(&self, datasource: &str, events: &[Event]) {
        self.change(datasource, |known| add(&mut known.sent, events));
    }

    /// These must be in answers to what is asked from now on.
    pub(crate) fn acknowledged(&self, datasource: &str, events: &[Event]) {
        let recent = (Instant::now(), events.to_vec());
        self.change(datasource, |known| known.recent.push_back(recent));
    }

    /// What must be answered, at least, if it is asked now.
    pub(crate) fn least(&self, datasource: &str) -> Cells {
        let within = if AT_ONCE { Duration::ZERO } else { HEARD_WITHIN };
        self.change(datasource, |known| {
            while known.recent.front().is_some_and(|(at, _)| at.elapsed() >= within) {
                let heard = known.recent.pop_front();
                heard.iter().for_each(|(_, events)| add(&mut known.acknowledged, events));
            }
            known.acknowledged.clone()
        })
    }

    /// What was acknowledged so far.
    pub(crate) fn all_acknowledged(&self, datasource: &str) -> Cells {
        self.change(datasource, |known| {
            let mut all = known.acknowledged.clone();
            known.recent.iter().for_each(|(_, events)| add(&mut all, events));
            all
        })
    }

    /// What may be answered, at most.
    pub(crate) fn most(&self, datasource: &str) -> Cells {
        self.change(datasource, |known| known.sent.clone())
    }

    /// The rows of this task may be answered from now on.
    pub(crate) fn replacing(&self, task: u64) {
        self.replacements.lock().1 = task;
    }

    /// The rows of tasks before this one must not be answered any more.
    pub(crate) fn replaced(&self, task: u64) {
        self.replacements.lock().0 = task;
    }

    /// The first and the last task whose rows may be answered.
    pub(crate) fn replacements(&self) -> (u64, u64) {
        *self.replacements.lock()
    }

    fn change<T>(&self, datasource: &str, change: impl FnOnce(&mut Known) -> T) -> T {
        change(self.known.lock().entry(datasource.to_owned()).or_default())
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
