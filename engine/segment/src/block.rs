//! What a column hands out of one block of rows: values, ids, lists of ids, statistics.

use std::ops::Range;

use crate::error::{Result, SegmentError};
use crate::simd::GROUP;

/// Rows in a block: the size of a roaring container.
pub const BLOCK_ROWS: usize = 65_536;

/// The dictionary id of null, in every string column, whether or not null occurs.
pub const NULL_ID: u32 = 0;

/// Statistics of one block of a numeric column. Floats ignore NaN in `min` and `max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumericStats<T> {
    /// Rows that are null.
    pub null_count: u32,
    /// Smallest non-null value (unspecified when all rows are null).
    pub min: T,
    /// Largest non-null value (unspecified when all rows are null).
    pub max: T,
    /// Sum of the non-null values: `i64` sums are exact (`None` when they overflow), floats are
    /// summed in row order as `f64`.
    pub sum: Option<NumericSum>,
}

/// A block's sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumericSum {
    /// Of a LONG column.
    Long(i64),
    /// Of a FLOAT or DOUBLE column.
    Double(f64),
}

/// One decoded block of a numeric column.
#[derive(Debug, Clone, Copy)]
pub struct NumericBlock<'a, T> {
    /// Values; unspecified (but initialised) where null.
    pub values: NumericValues<'a, T>,
    /// Null rows, `None` when the block has none.
    pub nulls: Option<NullMask<'a>>,
}

impl<'a, T> NumericBlock<'a, T> {
    /// Some rows of the block; they start at a multiple of 1,024.
    pub(crate) fn cut(self, rows: Range<usize>) -> Result<Self> {
        check_start(&rows)?;
        let values = match self.values {
            NumericValues::Slice(values) => NumericValues::Slice(cut_slice(values, &rows)?),
            constant @ NumericValues::Constant(_) => constant,
        };
        let nulls = self.nulls.map(|mask| mask.cut(&rows)).transpose()?;
        Ok(Self { values, nulls })
    }
}

/// Ranges of rows start where a group of packed values does.
pub(crate) fn check_start(rows: &Range<usize>) -> Result<()> {
    match rows.start.is_multiple_of(GROUP) {
        true => Ok(()),
        false => Err(SegmentError::Invalid(format!(
            "rows from {}: a range starts at a multiple of {GROUP}",
            rows.start
        ))),
    }
}

fn cut_slice<'a, T>(values: &'a [T], rows: &Range<usize>) -> Result<&'a [T]> {
    values.get(rows.clone()).ok_or_else(|| {
        SegmentError::Invalid(format!("rows {rows:?} of a block of {}", values.len()))
    })
}

/// Values of a block.
#[derive(Debug, Clone, Copy)]
pub enum NumericValues<'a, T> {
    /// Every row has this value.
    Constant(T),
    /// One value a row; the slice's length is the block's number of rows.
    Slice(&'a [T]),
}

impl<T: Copy> NumericValues<'_, T> {
    /// The value of a row of the block.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> T {
        match self {
            Self::Constant(value) => *value,
            Self::Slice(values) => values[row],
        }
    }
}

/// A set of null rows of a block: bit `row % 64` of word `row / 64` is set when the row is null.
#[derive(Debug, Clone, Copy)]
pub struct NullMask<'a> {
    /// `rows.div_ceil(64)` words.
    pub words: &'a [u64],
}

impl<'a> NullMask<'a> {
    pub(crate) fn cut(self, rows: &Range<usize>) -> Result<Self> {
        let words = cut_slice(self.words, &(rows.start / 64..rows.end.div_ceil(64)))?;
        Ok(NullMask { words })
    }

    /// True when the row is null.
    #[inline]
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }
}

/// Dictionary ids of a block of a single-value column.
#[derive(Debug, Clone, Copy)]
pub enum IdBlock<'a> {
    /// Every row has this id.
    Constant(u32),
    /// One byte an id.
    U8(&'a [u8]),
    /// Two bytes an id.
    U16(&'a [u16]),
    /// Four bytes an id.
    U32(&'a [u32]),
}

impl<'a> IdBlock<'a> {
    /// Some rows of the block; they start at a multiple of 1,024.
    pub(crate) fn cut(self, rows: Range<usize>) -> Result<IdBlock<'a>> {
        check_start(&rows)?;
        Ok(match self {
            Self::Constant(id) => Self::Constant(id),
            Self::U8(ids) => Self::U8(cut_slice(ids, &rows)?),
            Self::U16(ids) => Self::U16(cut_slice(ids, &rows)?),
            Self::U32(ids) => Self::U32(cut_slice(ids, &rows)?),
        })
    }

    /// The id of a row of the block.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> u32 {
        match self {
            Self::Constant(id) => *id,
            Self::U8(ids) => u32::from(ids[row]),
            Self::U16(ids) => u32::from(ids[row]),
            Self::U32(ids) => ids[row],
        }
    }
}

/// Scratch space of `StringColumn::multi_block`.
#[derive(Debug, Default)]
pub struct MultiScratch {
    /// Offsets.
    pub offsets: Vec<u32>,
    /// Ids.
    pub ids: Vec<u32>,
}

/// Lists of dictionary ids of a block: row `r` holds `ids[offsets[r]..offsets[r + 1]]`.
#[derive(Debug, Clone, Copy)]
pub struct MultiBlock<'a> {
    /// `rows + 1` offsets, ascending, the first 0.
    pub offsets: &'a [u32],
    /// Ids of all rows.
    pub ids: &'a [u32],
}

impl MultiBlock<'_> {
    /// The ids of a row of the block.
    #[inline]
    #[must_use]
    pub fn row(&self, row: usize) -> &[u32] {
        &self.ids[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}
