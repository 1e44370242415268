//! Which rows a query reads: its intervals and its filter, compiled once a segment and applied
//! block by block.
//!
//! What a leaf says is [`henge_query::comparison`]'s; here are the loops over blocks.

mod block_value;
mod compile;
mod id_leaf;
mod leaf;
mod met_leaf;
mod node;
mod numeric_leaf;

use henge_query::Filter;
use henge_query::comparison::{NumericTest, Truth};
use henge_segment::NumericColumn;
use henge_types::Interval;

use crate::column::Columns;
use crate::error::Result;
use crate::selection::{BlockBits, RowSet};
use node::Node;
use numeric_leaf::NumericLeaf;

/// A filter compiled against one segment.
#[derive(Debug)]
pub struct CompiledFilter<'a> {
    root: Node<'a>,
    candidates: BlockBits,
    spare: Vec<BlockBits>,
}

impl<'a> CompiledFilter<'a> {
    /// Compiles a filter; without one every row passes.
    pub fn new(filter: Option<&'a Filter>, columns: &Columns<'a>) -> Result<Self> {
        let root = match filter {
            None => Node::Everything,
            Some(filter) => compile::compile(filter, columns)?,
        };
        Ok(Self { root, candidates: BlockBits::default(), spare: Vec::new() })
    }

    /// The same, for rows whose time lies in one of these intervals, which ascend and do not overlap.
    #[must_use]
    pub(crate) fn within(self, time: &'a dyn NumericColumn<i64>, intervals: &[Interval]) -> Self {
        let full = intervals.iter().filter(|interval| interval.start_ms < interval.end_ms);
        let ranges: Vec<_> =
            full.map(|interval| (interval.start_ms, interval.end_ms - 1)).collect();
        let test = match ranges.as_slice() {
            [(first, last)] => NumericTest::Range(*first, *last),
            _ => NumericTest::Ranges(ranges),
        };
        let leaf = NumericLeaf::new(time, test, Truth::True, false);
        Self { root: Node::and(vec![self.root, Node::Long(leaf)]), ..self }
    }

    /// True when every row passes.
    pub fn is_everything(&self) -> bool {
        matches!(self.root, Node::Everything)
    }

    /// About which part of the rows passes.
    pub(crate) fn selectivity(&self) -> f64 {
        self.root.selectivity()
    }

    /// True when no row passes.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.root, Node::Nothing)
    }

    /// The rows of a block's set that pass.
    pub(crate) fn select<'s>(&'s mut self, block: usize, rows: RowSet<'s>) -> Result<RowSet<'s>> {
        if self.is_everything() || rows.is_empty() {
            return Ok(rows);
        }
        let Self { root, candidates, spare } = self;
        match root.verdict(block)? {
            Some(true) => return Ok(rows),
            Some(false) => return Ok(RowSet::EMPTY),
            None => {}
        }
        rows.to_bits(candidates);
        root.narrow(block, candidates, spare)?;
        Ok(RowSet::of(candidates))
    }
}
