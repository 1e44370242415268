//! Which rows of a block are read on.

use std::ops::Range;

use crate::filter::bits::BlockBits;

/// Rows of one block, ascending.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Selection<'a> {
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

impl<'a> Selection<'a> {
    /// No row.
    pub(crate) const EMPTY: Self = Self::Range { start: 0, end: 0 };

    /// Chooses the representation for a set: a range when it has no holes.
    pub(crate) fn from_bits(bits: &BlockBits, rows: &'a mut Vec<u16>) -> Self {
        let span = bits.span();
        if bits.count() == span.len() {
            return Self::Range { start: span.start, end: span.end };
        }
        bits.positions(rows);
        Self::Rows(rows)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Range { start, end } => end - start,
            Self::Rows(rows) => rows.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The smallest range that holds all rows.
    pub(crate) fn span(&self) -> Range<usize> {
        match self {
            Self::Range { start, end } => *start..*end,
            Self::Rows(rows) => match (rows.first(), rows.last()) {
                (Some(&first), Some(&last)) => first as usize..last as usize + 1,
                _ => 0..0,
            },
        }
    }

    /// The part within a range of rows.
    pub(crate) fn within(&self, range: Range<usize>) -> Self {
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

    /// Calls `visit` for each row.
    #[inline]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(usize)) {
        match *self {
            Self::Range { start, end } => (start..end).for_each(visit),
            Self::Rows(rows) => rows.iter().for_each(|&row| visit(row as usize)),
        }
    }

    /// Calls `visit` for each row until it fails.
    #[inline]
    pub(crate) fn try_for_each<E>(
        &self,
        mut visit: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(), E> {
        match *self {
            Self::Range { start, end } => (start..end).try_for_each(visit),
            Self::Rows(rows) => rows.iter().try_for_each(|&row| visit(row as usize)),
        }
    }

    /// Makes `bits` the set of the selected rows.
    pub(crate) fn to_bits(self, bits: &mut BlockBits) {
        match self {
            Self::Range { start, end } => bits.set_only(start..end),
            Self::Rows(rows) => {
                bits.clear();
                rows.iter().for_each(|&row| bits.insert(row as usize));
            }
        }
    }
}
