//! States of all aggregators by group, that partials are added to one after the other.

use henge_aggregate::{MergedStates, function};
use henge_query::AggregatorSpec;
use henge_scan::Result;
use henge_vector::Column;

use crate::context::ExecContext;

/// The states of a query's groups.
pub(super) struct Accumulated {
    names: Vec<String>,
    states: Vec<Box<dyn MergedStates>>,
    seen: Vec<bool>,
}

impl Accumulated {
    /// Room for so many groups.
    pub(super) fn new(aggregations: &[AggregatorSpec], groups: usize) -> Self {
        let room = |spec: &AggregatorSpec| {
            let mut states = function(&spec.kind).merged();
            states.resize(groups);
            states
        };
        Self {
            names: aggregations.iter().map(|spec| spec.name.clone()).collect(),
            states: aggregations.iter().map(room).collect(),
            seen: vec![false; groups],
        }
    }

    /// Makes room for so many groups, if there is less.
    pub(super) fn make_room(&mut self, groups: usize) {
        if groups > self.seen.len() {
            self.seen.resize(groups, false);
            self.states.iter_mut().for_each(|states| states.resize(groups));
        }
    }

    /// Adds a partial's states; `groups[i]` is the group of entry `i` of each.
    pub(super) fn add(
        &mut self,
        columns: Vec<Column>,
        groups: &[u32],
        ctx: &ExecContext,
    ) -> Result<()> {
        let Self { names, states, seen } = self;
        for ((name, states), column) in names.iter().zip(states).zip(columns) {
            ctx.cancel.check()?;
            states.add(name, column, groups, seen)?;
        }
        groups.iter().for_each(|group| seen[*group as usize] = true);
        let advice = "group by fewer values, filter more";
        ctx.check_budget(self.memory_bytes(), "merged groups", advice)
    }

    /// Adds other states of the same groups.
    pub(super) fn absorb(&mut self, mut other: Self, ctx: &ExecContext) -> Result<()> {
        let groups = self.seen.len().max(other.seen.len());
        self.make_room(groups);
        other.make_room(groups);
        let Self { names, states, seen } = self;
        for ((name, states), from) in names.iter().zip(states).zip(other.states) {
            ctx.cancel.check()?;
            states.absorb(name, from, seen, &other.seen)?;
        }
        seen.iter_mut().zip(&other.seen).for_each(|(seen, other)| *seen |= other);
        Ok(())
    }

    /// Bytes of memory, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|states| states.memory_bytes()).sum();
        states + self.seen.len()
    }

    /// The groups that were added to, ascending, with their states.
    pub(super) fn finish(self) -> (Vec<u32>, Vec<Column>) {
        let seen = (0..).zip(&self.seen).filter(|(_, seen)| **seen);
        let groups: Vec<u32> = seen.map(|(group, _)| group).collect();
        let states = self.states.into_iter().map(|states| states.finish(&groups)).collect();
        (groups, states)
    }
}
