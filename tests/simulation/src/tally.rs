//! What happened in a run, counted.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Counts by name, and what must not be.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    state: Mutex<Counts>,
}

/// The counts of one run, or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often what happened.
    pub counts: BTreeMap<String, u64>,
    /// Broken promises, in words.
    pub violations: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&self, name: &str, times: u64) {
        if times > 0 {
            *self.state.lock().counts.entry(name.to_owned()).or_default() += times;
        }
    }

    pub(crate) fn violation(&self, what: String) {
        tracing::error!(what, "a promise was broken");
        self.state.lock().violations.push(what);
    }

    /// Everything so far.
    pub(crate) fn counts(&self) -> Counts {
        self.state.lock().clone()
    }
}

impl Counts {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        self.violations.extend(other.violations.iter().cloned());
    }
}
