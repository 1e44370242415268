//! What must be seen: a model that knows what was acknowledged and what a replace took.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// A sequence of numbers that a seed determines.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows may come one after the other until the push is answered.
    Push,
    /// Rows come together.
    Append,
    /// Rows come together, and in the same instant others go.
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Here,
    /// In the scope of a replace; surely published, or perhaps still buffered and then to stay.
    Leaving {
        surely: bool,
    },
    Gone,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    hour: u64,
    state: State,
    published: bool,
}

/// The states of all rows at one instant.
#[derive(Debug, Clone, Default)]
pub(super) struct States {
    change: Option<(u64, Kind)>,
    rows: BTreeMap<u64, Row>,
    changes: u64,
}

/// Shared between the one who acts and the one who looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Model(Arc<Mutex<States>>);

impl Model {
    pub(super) fn states(&self) -> States {
        self.0.lock().unwrap().clone()
    }

    /// `rows` (ids and hours) come; those already here whose hour is in the scope may go.
    pub(super) fn begin(&self, rows: &[(u64, u64)], kind: Kind, scope: impl Fn(u64) -> bool) {
        let mut states = self.0.lock().unwrap();
        states.changes += 1;
        states.change = Some((states.changes, kind));
        for row in states.rows.values_mut() {
            if row.state == State::Here && scope(row.hour) {
                row.state = State::Leaving { surely: row.published };
            }
        }
        let published = kind != Kind::Push;
        states.rows.extend(
            rows.iter().map(|&(id, hour)| (id, Row { hour, state: State::Coming, published })),
        );
    }

    /// What was begun has happened, and this is what was seen after it.
    pub(super) fn settle(&self, seen: &[u64]) {
        let seen: BTreeSet<u64> = seen.iter().copied().collect();
        let mut states = self.0.lock().unwrap();
        states.change = None;
        for (id, row) in &mut states.rows {
            row.state = match row.state {
                State::Coming => State::Here,
                State::Leaving { surely: false } if seen.contains(id) => State::Here,
                State::Leaving { .. } => State::Gone,
                other => other,
            };
        }
    }

    /// Everything that is here is published.
    pub(super) fn flushed(&self) {
        let mut states = self.0.lock().unwrap();
        states.rows.values_mut().for_each(|row| row.published = true);
    }
}

/// What is wrong with a look that began at one state and ended at another.
pub(super) fn judge(before: &States, seen: &[u64], after: &States) -> Result<(), String> {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    seen.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    if let Some((id, count)) = counts.iter().find(|(_, count)| **count > 1) {
        return Err(format!("row {id} ({:?}) is counted {count} times", after.rows.get(id)));
    }
    for (id, row) in &before.rows {
        let is_seen = counts.contains_key(id);
        let later = after.rows[id].state;
        if row.state == State::Here && later == State::Here && !is_seen {
            return Err(format!("row {id} ({row:?}) is lost"));
        }
        if row.state == State::Gone && is_seen {
            return Err(format!("row {id} ({row:?}) came back"));
        }
    }
    match (before.change, after.change) {
        (Some((one, kind)), Some((other, _))) if one == other && kind != Kind::Push => {
            one_instant(before, &counts)
        }
        _ => Ok(()),
    }
}

/// All that leaves is there and nothing that comes, or the other way round.
fn one_instant(states: &States, counts: &BTreeMap<u64, u64>) -> Result<(), String> {
    let seen_of = |state: State| -> (usize, usize) {
        let rows: Vec<_> = states.rows.iter().filter(|(_, row)| row.state == state).collect();
        (rows.iter().filter(|(id, _)| counts.contains_key(id)).count(), rows.len())
    };
    let (coming, all_coming) = seen_of(State::Coming);
    let (leaving, all_leaving) = seen_of(State::Leaving { surely: true });
    let is_old = coming == 0 && leaving == all_leaving;
    let is_new = coming == all_coming && leaving == 0;
    if is_old || is_new {
        return Ok(());
    }
    Err(format!(
        "{coming} of {all_coming} new rows are seen beside {leaving} of {all_leaving} old ones"
    ))
}
