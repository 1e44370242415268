//! What one evaluation may take: steps, bytes of results, and whether somebody has stopped it.
//!
//! The engine has no clock and no threads: who evaluates says how to learn that the work is to stop.

use std::cell::Cell;
use std::sync::Arc;

use crate::error::{ExprError, Result};
use crate::value::ExprValue;

/// Steps between two questions whether the work is to stop: well below a millisecond.
const PROBE_STEPS: u64 = 1 << 14;
/// Bytes of text that are worked on in about the time of one step.
const STEP_BYTES: u64 = 16;

/// Tells that the work is to stop.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// What one evaluation may take, and several together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps of one evaluation: nodes of a lambda's body for each element, sixteen bytes of text.
    pub steps: u64,
    /// Bytes of the texts and arrays that one evaluation makes, whether or not they are kept.
    pub bytes: u64,
    /// Steps of all evaluations until the budget is made anew.
    pub total_steps: u64,
}

impl Limits {
    /// For one row of a query, which has a deadline besides: some ten milliseconds of work.
    pub const ROW: Self = Self { steps: 5_000_000, bytes: 64 << 20, total_steps: u64::MAX };
    /// For one event of a batch, which has no deadline: the batch ends in seconds.
    pub const EVENT: Self = Self { steps: 1_000_000, bytes: 16 << 20, total_steps: 500_000_000 };

    /// For folding the constants of a text of some length.
    pub(crate) fn folding(text_bytes: usize) -> Self {
        let text_bytes = text_bytes as u64;
        Self { steps: 1000 + 16 * text_bytes, bytes: kept_bytes(text_bytes), total_steps: u64::MAX }
    }
}

/// Bytes that a folded constant of a text of some length may have.
fn kept_bytes(text_bytes: u64) -> u64 {
    256 + 32 * text_bytes
}

/// What is left of an evaluation's [`Limits`]. Not shared between threads: each worker has its own.
pub struct Budget {
    limits: Limits,
    steps_left: Cell<u64>,
    bytes_left: Cell<u64>,
    total_left: Cell<u64>,
    /// Steps since `stop` was last asked, over all evaluations.
    unasked: Cell<u64>,
    stop: Option<Stop>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Default for Budget {
    /// One row's, without anything that stops it.
    fn default() -> Self {
        Self::new(Limits::ROW, None)
    }
}

impl Budget {
    /// All of some limits.
    #[must_use]
    pub fn new(limits: Limits, stop: Option<Stop>) -> Self {
        Self {
            limits,
            steps_left: Cell::new(limits.steps.min(limits.total_steps)),
            bytes_left: Cell::new(limits.bytes),
            total_left: Cell::new(limits.total_steps),
            unasked: Cell::new(0),
            stop,
        }
    }

    /// Starts the next evaluation.
    pub fn renew(&self) {
        let Limits { steps, bytes, total_steps } = self.limits;
        if total_steps != u64::MAX {
            let granted = steps.min(self.total_left.get());
            let used = granted.saturating_sub(self.steps_left.get());
            self.total_left.set(self.total_left.get().saturating_sub(used));
        }
        self.steps_left.set(steps.min(self.total_left.get()));
        self.bytes_left.set(bytes);
    }

    /// Takes steps.
    #[inline]
    pub(crate) fn step(&self, steps: u64) -> Result<()> {
        let Some(left) = self.steps_left.get().checked_sub(steps) else {
            self.steps_left.set(0);
            return Err(ExprError::over("steps", self.limits.steps));
        };
        self.steps_left.set(left);
        let unasked = self.unasked.get() + steps;
        if unasked < PROBE_STEPS {
            self.unasked.set(unasked);
            return Ok(());
        }
        self.unasked.set(0);
        match &self.stop {
            Some(stop) if stop() => Err(ExprError::Stopped),
            _ => Ok(()),
        }
    }

    /// Takes the steps of reading values: none for numbers.
    #[inline]
    pub(crate) fn read(&self, value: &ExprValue) -> Result<()> {
        match value {
            ExprValue::String(_) | ExprValue::Array(_) => self.step(value.bytes() / STEP_BYTES),
            _ => Ok(()),
        }
    }

    /// Takes the bytes of a text or array that is about to be made, or was.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<()> {
        let Some(left) = self.bytes_left.get().checked_sub(bytes) else {
            return Err(ExprError::over("bytes of intermediate values", self.limits.bytes));
        };
        self.bytes_left.set(left);
        self.step(bytes / STEP_BYTES)
    }

    /// Takes the bytes of a value that was made: none for numbers.
    #[inline]
    pub(crate) fn made(&self, value: &ExprValue) -> Result<()> {
        match value {
            ExprValue::String(_) | ExprValue::Array(_) => self.reserve(value.bytes()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn evaluations_have_their_own_steps_and_share_the_total() {
        let limits = Limits { steps: 10, bytes: 32, total_steps: 15 };
        let budget = Budget::new(limits, None);
        budget.step(10).unwrap();
        assert!(budget.step(1).is_err());
        budget.renew();
        budget.step(5).unwrap();
        assert!(budget.step(1).is_err(), "the total is used up");
        budget.renew();
        assert!(budget.step(1).is_err());
        assert!(Budget::new(limits, None).reserve(33).is_err());
    }

    #[test]
    fn whoever_stops_the_work_is_asked_across_evaluations() {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let stop: Stop = Arc::new(move || count.fetch_add(1, Ordering::Relaxed) == 2);
        let budget = Budget::new(Limits::ROW, Some(stop));
        let mut rounds = 0;
        while budget.step(100).is_ok() {
            rounds += 1;
            budget.renew();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3);
        assert_eq!(rounds, 3 * PROBE_STEPS.div_ceil(100) - 1);
    }
}
