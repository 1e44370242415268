//! What is known of each group's value: what was sent of it, and how much may be missing.

use super::Standing;
use super::measure::Measure;
use crate::ranking::{Combined, LeftOut, Ranking, Wanted};
use crate::top_cut::nth_of;

/// All groups that were sent, by their numbers.
pub(super) struct Tally<T> {
    combined: Combined,
    wanted: Wanted,
    /// Null may come before all values.
    keeps_nulls: bool,
    known: Vec<T>,
    /// Of the nodes that left groups out and sent this one: how many, and their bounds.
    sent_by: Vec<u32>,
    sent_above: Vec<T>,
    sent_below: Vec<T>,
    state: Vec<Seen>,
    /// The bounds of all nodes that left groups out, and how many these are.
    all_above: T,
    all_below: T,
    leaving_out: u32,
    /// A value came that nothing can be compared with.
    is_void: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nobody sent it.
    Not,
    Valued,
    /// With null for its value on some node, and so perhaps altogether.
    WithNull,
}

/// What a node that did not send a group can have of it: it may have none.
fn bounds<T: Measure>(left_out: &LeftOut) -> Option<(T, T)> {
    let above = T::of(left_out.at_most)?;
    let below = T::of(left_out.at_least)?;
    let above = if above > T::ZERO { above } else { T::ZERO };
    let below = if below < T::ZERO { below } else { T::ZERO };
    Some((above, below))
}

/// False for what cannot be compared, too.
fn is_below<T: Measure>(value: T, bar: T) -> bool {
    value < bar
}

impl<T: Measure> Tally<T> {
    /// Nothing yet of groups whose numbers are below `limit`. `None` when bounds say nothing.
    pub(super) fn of(
        ranking: &Ranking,
        left_out: &[Option<LeftOut>],
        limit: usize,
    ) -> Option<Self> {
        let mut tally = Self {
            combined: ranking.combined,
            wanted: ranking.wanted,
            keeps_nulls: ranking.is_smallest_first,
            known: vec![if ranking.combined == Combined::Sum { T::ZERO } else { T::LEAST }; limit],
            sent_by: vec![0; limit],
            sent_above: vec![T::ZERO; limit],
            sent_below: vec![T::ZERO; limit],
            state: vec![Seen::Not; limit],
            all_above: if ranking.combined == Combined::Sum { T::ZERO } else { T::LEAST },
            all_below: T::ZERO,
            leaving_out: 0,
            is_void: false,
        };
        for left_out in left_out.iter().flatten() {
            tally.leaving_out += 1;
            match ranking.combined {
                Combined::Sum => {
                    let (above, below) = bounds::<T>(left_out)?;
                    tally.all_above = tally.all_above.plus(above);
                    tally.all_below = tally.all_below.plus(below);
                }
                Combined::Best => {
                    let above = T::of(left_out.at_most)?;
                    tally.all_above = if above > tally.all_above { above } else { tally.all_above };
                }
            }
        }
        Some(tally)
    }

    /// Adds what a node sent: a value a group, and the groups' numbers.
    pub(super) fn add(
        &mut self,
        values: Vec<Option<T>>,
        numbers: &[u32],
        left_out: Option<&LeftOut>,
    ) {
        let bounds = left_out.and_then(bounds::<T>);
        for (value, number) in values.into_iter().zip(numbers) {
            let at = *number as usize;
            match value {
                None => self.state[at] = Seen::WithNull,
                Some(value) => {
                    self.is_void |= !value.is_plain();
                    if self.state[at] == Seen::Not {
                        self.state[at] = Seen::Valued;
                    }
                    let known = self.known[at];
                    self.known[at] = match self.combined {
                        Combined::Sum => known.plus(value),
                        Combined::Best if value > known => value,
                        Combined::Best => known,
                    };
                }
            }
            if left_out.is_some() {
                self.sent_by[at] += 1;
            }
            if let Some((above, below)) = bounds {
                self.sent_above[at] = self.sent_above[at].plus(above);
                self.sent_below[at] = self.sent_below[at].plus(below);
            }
        }
    }

    /// The value that a group needs to be in the answer: so many have it at least. `None` when fewer groups
    /// than are wanted are known, or their values have no plain order.
    pub(super) fn bar(&self) -> Option<T> {
        if self.is_void {
            return None;
        }
        match self.wanted {
            Wanted::From(value) => T::of(value),
            Wanted::First(count) => {
                let all = (0..self.state.len()).filter(|at| self.state[*at] == Seen::Valued);
                let least: Vec<T> = all.map(|at| self.at_least(at)).collect();
                nth_of(&least, count, |a, b| a > b)
            }
        }
    }

    /// True when a group that nobody sent could reach the bar.
    pub(super) fn may_be_unseen(&self, bar: T) -> bool {
        if self.leaving_out == 0 {
            return false;
        }
        !is_below(self.all_above.plus(self.margin(bar)), bar)
    }

    /// How each group stands.
    pub(super) fn standing(&self, bar: T) -> Vec<Standing> {
        let margin = self.margin(bar);
        let standing = |at: usize| {
            let may_win = match self.state[at] {
                Seen::Not => false,
                Seen::WithNull if self.keeps_nulls => true,
                Seen::WithNull | Seen::Valued => !is_below(self.at_most(at).plus(margin), bar),
            };
            if !may_win {
                Standing::Out
            } else if self.sent_by[at] < self.leaving_out {
                Standing::Open
            } else {
                Standing::Known
            }
        };
        (0..self.state.len()).map(standing).collect()
    }

    /// What sums near the bar may be off by. Extremes are exact.
    fn margin(&self, bar: T) -> T {
        match self.combined {
            Combined::Sum => {
                let sizes = bar.size().plus(self.all_above.size()).plus(self.all_below.size());
                sizes.margin()
            }
            Combined::Best => T::ZERO,
        }
    }

    fn at_least(&self, at: usize) -> T {
        match self.combined {
            Combined::Sum => self.known[at].plus(self.all_below.minus(self.sent_below[at])),
            Combined::Best => self.known[at],
        }
    }

    fn at_most(&self, at: usize) -> T {
        match self.combined {
            Combined::Sum => self.known[at].plus(self.all_above.minus(self.sent_above[at])),
            // Whatever else may be of it is below the bar.
            Combined::Best => self.known[at],
        }
    }
}
