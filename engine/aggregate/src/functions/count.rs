//! `count`: rows.

use henge_query::aggregate::{Count, Numeric};
use henge_query::{AggregatorInput, AggregatorKind};
use henge_scan::{Batch, ColumnSet, Result, RowSet, SlotId};
use henge_segment::simd::{Level, marked};
use henge_types::{NumericOp, ValueType};
use henge_vector::Column;

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::group_marks::GroupMarks;
use crate::kernels::LongSum;
use crate::merged::{MergedStates, MergedSums};
use crate::scatter::{add_in_lanes, lanes_pay};
use crate::table::{Layout, Place, StateTable};

impl Accumulate for Count {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        Ok(Box::new(CountAccumulator::new(scanned.layout)))
    }
}

impl AggregateFunction for Count {
    fn merged(&self) -> Box<dyn MergedStates> {
        Box::new(MergedSums::default())
    }

    fn is_zero_over_nothing(&self) -> bool {
        true
    }

    fn finished(&self, _: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        Ok(states.take(rows))
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    /// The sum of the counts.
    fn over_stored(&self, column: &str) -> AggregatorKind {
        let input = AggregatorInput::Field(column.to_owned());
        Numeric { op: NumericOp::Sum, column_type: ValueType::Long, input }.into()
    }
}

/// Counts rows by group.
#[derive(Debug)]
struct CountAccumulator {
    word: usize,
}

impl CountAccumulator {
    fn new(layout: &mut Layout) -> Self {
        let Place { state, .. } = layout.place(false);
        Self { word: state }
    }
}

impl Accumulator for CountAccumulator {
    fn slots(&self) -> Vec<SlotId> {
        Vec::new()
    }

    fn resize(&mut self, _: usize) {}

    fn update(
        &mut self,
        batch: &Batch<'_>,
        _: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<()> {
        let (words, stride) = states.rows_mut();
        let word = self.word;
        match batch {
            Batch::One { selection, group } => {
                words[*group as usize * stride + word] += selection.len() as u64;
            }
            Batch::ByRow { selection, groups } if lanes_pay(words.len() / stride, *selection) => {
                // A count is a sum of ones, of which none overflows.
                add_in_lanes::<LongSum>(states, word, *selection, groups, |_| 1);
            }
            batch => batch.visit(|_, group| words[group * stride + word] += 1),
        }
        Ok(())
    }

    fn update_packed(
        &mut self,
        group: u32,
        _: usize,
        rows: RowSet<'_>,
        _: &ColumnSet<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        *states.word_mut(group as usize, self.word) += rows.len() as u64;
        Ok(true)
    }

    fn update_by_count(&mut self, group: u32, rows: usize, states: &mut StateTable) -> bool {
        *states.word_mut(group as usize, self.word) += rows as u64;
        true
    }

    fn update_marked(
        &mut self,
        marks: &GroupMarks,
        _: &BlockInput<'_>,
        states: &mut StateTable,
    ) -> Result<bool> {
        for (group, marks) in marks.groups() {
            let count = marked::count(Level::best(), marks);
            *states.word_mut(group, self.word) += count as u64;
        }
        Ok(true)
    }

    fn seen_word(&self) -> Option<usize> {
        Some(self.word)
    }

    fn has_fixed_width(&self) -> bool {
        true
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, states: &StateTable) -> Result<Column> {
        let values = states.column(self.word, groups, |count| count as i64);
        Ok(Column::longs(values, None))
    }
}
