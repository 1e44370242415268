//! Which rows a query reads: its intervals and its filter, compiled once a segment and applied
//! block by block.
//!
//! What a leaf says of null: `IsNull`, and a `Selector` or `In` that lists null, are true; all other
//! comparisons are unknown. A row of several values is true when one of them is, and false when all
//! are. A NaN is in no range.

mod bits;
mod comparison;
mod compile;
mod id_test;
mod leaf;
mod node;
mod numeric_test;
mod selection;

use std::ops::Range;

use henge_query::Filter;

use crate::column::Columns;
use crate::error::Result;

pub(crate) use bits::BlockBits;
pub(crate) use leaf::widen_shortest;
pub(crate) use selection::Selection;

/// A filter compiled against one segment.
#[derive(Debug)]
pub(crate) struct CompiledFilter<'a> {
    root: node::Node<'a>,
    candidates: BlockBits,
    spare: Vec<BlockBits>,
    rows: Vec<u16>,
}

impl<'a> CompiledFilter<'a> {
    pub(crate) fn new(filter: Option<&'a Filter>, columns: &Columns<'a>) -> Result<Self> {
        let root = match filter {
            None => node::Node::Everything,
            Some(filter) => compile::compile(filter, columns)?,
        };
        Ok(Self { root, candidates: BlockBits::new(), spare: Vec::new(), rows: Vec::new() })
    }

    /// True when every row passes.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(self.root, node::Node::Everything)
    }

    /// True when no row passes.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.root, node::Node::Nothing)
    }

    /// The rows among a range of a block's rows that pass.
    pub(crate) fn select_range(
        &mut self,
        block: usize,
        rows: Range<usize>,
    ) -> Result<Selection<'_>> {
        self.select(block, Selection::Range { start: rows.start, end: rows.end })
    }

    /// The rows among a selection that pass.
    pub(crate) fn select<'s>(
        &'s mut self,
        block: usize,
        selection: Selection<'s>,
    ) -> Result<Selection<'s>> {
        if self.is_everything() || selection.is_empty() {
            return Ok(selection);
        }
        let Self { root, candidates, spare, rows } = self;
        selection.to_bits(candidates);
        root.narrow(block, candidates, spare)?;
        Ok(Selection::from_bits(candidates, rows))
    }

    /// The rows among a set that pass, as a set.
    pub(crate) fn select_bits(&mut self, block: usize, rows: &mut BlockBits) -> Result<()> {
        self.root.narrow(block, rows, &mut self.spare)
    }
}
