//! The rows of a block that are looked at together.

use std::ops::Range;

use henge_segment::{
    BLOCK_ROWS, IdBlock, MultiBlock, MultiScratch, NumericBlock, NumericColumn, StringColumn,
};

use crate::error::Result;

/// Some rows of a block, or all of them. Whatever is loaded of a window counts rows from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    block: usize,
    start: usize,
    /// `None` is the block's end, wherever that is.
    end: Option<usize>,
}

impl Window {
    /// A whole block.
    pub fn whole(block: usize) -> Self {
        Self { block, start: 0, end: None }
    }

    /// Some rows of a block; they start at a multiple of 1,024.
    pub fn part(block: usize, rows: Range<usize>) -> Self {
        Self { block, start: rows.start, end: Some(rows.end) }
    }

    /// The block that it is of.
    #[inline]
    pub fn block(self) -> usize {
        self.block
    }

    /// The first row of the block that it covers.
    #[inline]
    pub fn start(self) -> usize {
        self.start
    }

    /// The position in the segment of one of its rows.
    #[inline]
    pub fn absolute(self, row: usize) -> usize {
        self.block * BLOCK_ROWS + self.start + row
    }

    /// Its rows are below this.
    #[inline]
    pub fn capacity(self) -> usize {
        self.end.map_or(BLOCK_ROWS, |end| end - self.start)
    }

    fn rows(self) -> Option<Range<usize>> {
        self.end.map(|end| self.start..end)
    }

    /// The numbers of a stored column.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn numbers<'s, T: Copy>(
        self,
        column: &'s dyn NumericColumn<T>,
        scratch: &'s mut Vec<T>,
    ) -> Result<NumericBlock<'s, T>> {
        Ok(match self.rows() {
            None => column.block(self.block, scratch)?,
            Some(rows) => column.rows(self.block, rows, scratch)?,
        })
    }

    /// The ids of a stored column with one value a row.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn ids<'s>(
        self,
        column: &'s dyn StringColumn,
        scratch: &'s mut Vec<u32>,
    ) -> Result<IdBlock<'s>> {
        Ok(match self.rows() {
            None => column.id_block(self.block, scratch)?,
            Some(rows) => column.id_rows(self.block, rows, scratch)?,
        })
    }

    /// The lists of ids of a stored column.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn lists<'s>(
        self,
        column: &'s dyn StringColumn,
        scratch: &'s mut MultiScratch,
    ) -> Result<MultiBlock<'s>> {
        let lists = column.multi_block(self.block, scratch)?;
        Ok(match self.rows() {
            None => lists,
            Some(rows) => {
                MultiBlock { offsets: &lists.offsets[rows.start..=rows.end], ids: lists.ids }
            }
        })
    }
}
