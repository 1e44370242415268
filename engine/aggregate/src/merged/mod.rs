//! States by group that take in those of partials. A query's groups grow while it merges, so these
//! are no columns; they end in one without copying where all groups are wanted.

mod kept;
mod numbers;
mod sets;
mod sums;

use std::any::Any;

use henge_scan::{ExecError, Result};
use henge_vector::Column;

pub(crate) use kept::{KeptValue, KeptValues};
pub(crate) use numbers::MergedNumbers;
pub(crate) use sets::MergedSets;
pub(crate) use sums::MergedSums;

/// States of one aggregator by group. A new kind of state implements this.
pub trait MergedStates: Any + Send + Sync {
    /// Makes room for so many groups.
    fn resize(&mut self, groups: usize);

    /// Adds a partial's states; `groups[i]` is the group of its state `i`, `seen` tells the groups
    /// that were added to before.
    ///
    /// # Errors
    /// `Internal` for states of another aggregator, `Sketch` when two sketches cannot be merged.
    fn add(&mut self, name: &str, states: Column, groups: &[u32], seen: &[bool]) -> Result<()>;

    /// Adds other states of the same groups. `seen` and `other_seen` tell the groups of each.
    ///
    /// # Errors
    /// As [`MergedStates::add`].
    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        seen: &[bool],
        other_seen: &[bool],
    ) -> Result<()>;

    /// Bytes of memory.
    fn memory_bytes(&self) -> usize;

    /// The states of these groups, ascending.
    fn finish(self: Box<Self>, groups: &[u32]) -> Column;
}

/// Adds other states of the same groups by way of a column.
pub(crate) fn absorb_finished(
    states: &mut dyn MergedStates,
    name: &str,
    other: Box<dyn MergedStates>,
    seen: &[bool],
    other_seen: &[bool],
) -> Result<()> {
    let groups = (0..).zip(other_seen).filter(|(_, seen)| **seen).map(|(group, _)| group);
    let groups: Vec<u32> = groups.collect();
    states.add(name, other.finish(&groups), &groups, seen)
}

/// The error for states that are not the aggregator's.
pub(crate) fn other_states(name: &str, kind: &str) -> ExecError {
    ExecError::Internal(format!("aggregator '{name}' cannot take states of {kind}"))
}
