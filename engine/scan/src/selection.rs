//! Which rows of a block are read on: as a set of the block, and window by window.

mod bits;

use std::ops::Range;

use henge_segment::BLOCK_ROWS;

pub use bits::BlockBits;

/// Rows of a whole block.
#[derive(Debug, Clone, Copy)]
pub enum RowSet<'a> {
    /// All rows from `start` up to `end`.
    Range {
        /// First row.
        start: usize,
        /// One past the last row.
        end: usize,
    },
    /// So many rows, all within the span.
    Bits {
        /// The rows.
        bits: &'a BlockBits,
        /// How many they are.
        count: usize,
        /// First row, and one past the last.
        span: (usize, usize),
    },
}

impl<'a> RowSet<'a> {
    /// No row.
    pub const EMPTY: Self = Self::Range { start: 0, end: 0 };

    /// Chooses the representation: a range when there are no holes.
    #[inline]
    pub fn of(bits: &'a BlockBits) -> Self {
        let (span, count) = (bits.span(), bits.count());
        if count == span.len() {
            return Self::Range { start: span.start, end: span.end };
        }
        Self::Bits { bits, count, span: (span.start, span.end) }
    }

    /// True when there is no row.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Range { start, end } => end - start,
            Self::Bits { count, .. } => *count,
        }
    }

    /// The smallest range that holds all rows.
    #[inline]
    pub fn span(&self) -> Range<usize> {
        match *self {
            Self::Range { start, end } | Self::Bits { span: (start, end), .. } => start..end,
        }
    }

    /// The rows within a range, counted from its start, which is a multiple of 64.
    #[inline]
    pub fn within<'s>(&self, range: Range<usize>, rows: &'s mut Vec<u16>) -> Selection<'s> {
        match *self {
            Self::Range { start, end } => {
                let start = start.clamp(range.start, range.end) - range.start;
                let end = end.clamp(range.start, range.end) - range.start;
                Selection::Range { start, end: end.max(start) }
            }
            Self::Bits { bits, .. } => {
                bits.positions_within(range.clone(), rows);
                if rows.len() == range.len() {
                    return Selection::Range { start: 0, end: range.len() };
                }
                Selection::Rows(rows)
            }
        }
    }

    /// All rows, as positions in the block.
    pub fn selection<'s>(&self, rows: &'s mut Vec<u16>) -> Selection<'s> {
        self.within(0..BLOCK_ROWS, rows)
    }

    /// The rows within a range; `scratch` holds them when they are cut off.
    #[inline]
    pub fn clip<'s>(self, range: Range<usize>, scratch: &'s mut BlockBits) -> RowSet<'s>
    where
        'a: 's,
    {
        match self {
            Self::Range { start, end } => {
                let start = start.max(range.start);
                Self::Range { start, end: end.min(range.end).max(start) }
            }
            Self::Bits { span, .. } if range.start <= span.0 && range.end >= span.1 => self,
            Self::Bits { bits, .. } => {
                scratch.set_only(range);
                scratch.intersect(bits);
                RowSet::of(scratch)
            }
        }
    }

    /// Makes `bits` the same set.
    pub fn to_bits(self, bits: &mut BlockBits) {
        match self {
            Self::Range { start, end } => bits.set_only(start..end),
            Self::Bits { bits: other, .. } => bits.copy_from(other),
        }
    }
}

/// Rows of a block or of a window, ascending.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// All rows from `start` up to `end`.
    Range {
        /// First row.
        start: usize,
        /// One past the last row.
        end: usize,
    },
    /// These positions.
    Rows(&'a [u16]),
}

impl Selection<'_> {
    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Range { start, end } => end - start,
            Self::Rows(rows) => rows.len(),
        }
    }

    /// True when there is no row.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The smallest range that holds all rows.
    #[inline]
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Range { start, end } => *start..*end,
            Self::Rows(rows) => match (rows.first(), rows.last()) {
                (Some(&first), Some(&last)) => first as usize..last as usize + 1,
                _ => 0..0,
            },
        }
    }

    /// The part within a range of rows.
    #[inline]
    pub fn within(&self, range: Range<usize>) -> Self {
        match *self {
            Self::Range { start, end } => {
                let start = start.max(range.start);
                Self::Range { start, end: end.min(range.end).max(start) }
            }
            Self::Rows(rows) => {
                let from = rows.partition_point(|&row| (row as usize) < range.start);
                let rest = &rows[from..];
                Self::Rows(&rest[..rest.partition_point(|&row| (row as usize) < range.end)])
            }
        }
    }

    /// The same rows in parts of so many.
    pub fn parts(self, rows: usize) -> impl Iterator<Item = Self> {
        (0..self.len()).step_by(rows).map(move |first| match self {
            Self::Range { start, end } => {
                Self::Range { start: start + first, end: end.min(start + first + rows) }
            }
            Self::Rows(all) => Self::Rows(&all[first..all.len().min(first + rows)]),
        })
    }

    /// Calls `visit` for each row.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize)) {
        match *self {
            Self::Range { start, end } => (start..end).for_each(visit),
            Self::Rows(rows) => rows.iter().for_each(|&row| visit(row as usize)),
        }
    }

    /// Calls `visit` for each row until it fails.
    #[inline]
    pub fn try_for_each<E>(&self, mut visit: impl FnMut(usize) -> Result<(), E>) -> Result<(), E> {
        match *self {
            Self::Range { start, end } => (start..end).try_for_each(visit),
            Self::Rows(rows) => rows.iter().try_for_each(|&row| visit(row as usize)),
        }
    }
}
