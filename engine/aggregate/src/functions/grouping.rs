//! `grouping`: which dimensions a grouping set leaves out. Rows have 0, whatever is in them; what sets have is
//! written over it when these are made.

use henge_query::AggregatorKind;
use henge_query::aggregate::Grouping;
use henge_scan::Result;
use henge_vector::Column;

use crate::accumulator::Accumulator;
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::merged::MergedStates;

impl Accumulate for Grouping {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        self.zero.accumulator(scanned)
    }
}

impl AggregateFunction for Grouping {
    fn merged(&self) -> Box<dyn MergedStates> {
        self.zero.merged()
    }

    fn is_zero_over_nothing(&self) -> bool {
        true
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        self.zero.finished(name, states, rows)
    }

    fn is_idempotent(&self) -> bool {
        self.zero.is_idempotent()
    }

    fn over_stored(&self, column: &str) -> AggregatorKind {
        self.zero.over_stored(column)
    }
}
