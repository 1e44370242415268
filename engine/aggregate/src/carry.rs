//! What sums of integers have beyond 64 bits. States wrap around so rarely that inner loops only say
//! that one of a batch did; the batch is then taken back and added again with care.

use henge_scan::{Batch, Loaded};
use henge_segment::{NullMask, NumericBlock};
use henge_vector::{Array, Column};
use rustc_hash::FxHashMap;

use crate::kernels::Input;
use crate::table::{Place, StateTable};

/// What is to be added to the states of some groups. Such a group's state is never left at 0, which
/// would be that of a group without values.
#[derive(Debug, Default)]
pub(crate) struct Carries {
    beyond: FxHashMap<u32, i128>,
}

impl Carries {
    /// Adds to a group's sum.
    pub(crate) fn add(&mut self, states: &mut StateTable, place: Place, group: usize, value: i128) {
        let word = states.word_mut(group, place.state);
        let sum = i128::from(*word as i64) + value;
        match i64::try_from(sum) {
            Ok(sum) => *word = sum as u64,
            Err(_) => {
                *self.beyond.entry(group as u32).or_default() += sum - 1;
                *word = 1;
            }
        }
    }

    /// Adds a batch again, whose values the states took in wrapping around.
    pub(crate) fn redo(
        &mut self,
        states: &mut StateTable,
        place: Place,
        batch: &Batch<'_>,
        input: Loaded<'_>,
    ) {
        match input {
            Loaded::Long(block) => self.redo_block(states, place, batch, block),
            Loaded::Float(block) => self.redo_block(states, place, batch, block),
            Loaded::Double(block) => self.redo_block(states, place, batch, block),
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => {}
        }
    }

    fn redo_block<T: Input<i64>>(
        &mut self,
        states: &mut StateTable,
        place: Place,
        batch: &Batch<'_>,
        block: NumericBlock<'_, T>,
    ) {
        let is_null = |row| block.nulls.is_some_and(|nulls: NullMask<'_>| nulls.is_null(row));
        let value = |row: usize| (!is_null(row)).then(|| block.values.get(row).convert());
        // The fold of a batch of one group was not added.
        if !matches!(batch, Batch::One { .. }) {
            batch.visit(|row, group| {
                let word = states.word_mut(group, place.state);
                *word = word.wrapping_sub(value(row).unwrap_or(0) as u64);
            });
        }
        batch.visit(|row, group| {
            if let Some(value) = value(row) {
                self.add(states, place, group, i128::from(value));
            }
        });
    }

    /// The finished column, wide when a sum needs it.
    pub(crate) fn column(&self, groups: Option<&[u32]>, column: Column) -> Column {
        let Column::Long(longs) = &column else { return column };
        if self.beyond.is_empty() {
            return column;
        }
        let group = |at: usize| groups.map_or(at as u32, |groups| groups[at]);
        let beyond = |at: usize| self.beyond.get(&group(at)).copied().unwrap_or(0);
        let values = longs.values().iter().enumerate();
        let values = values.map(|(at, value)| i128::from(*value) + beyond(at)).collect();
        Column::of_wide(values, longs.nulls().cloned())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.beyond.capacity() * size_of::<(u32, i128)>()
    }
}
