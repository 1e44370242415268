//! Which rows of a numeric column are null. Columns without nulls pay nothing.

use henge_segment::{BLOCK_ROWS, NullMask};

use crate::chunked::{Chunked, ChunkedSnapshot, PIECE_ROWS};

const BLOCK_WORDS: usize = BLOCK_ROWS / 64;
const PIECE_WORDS: usize = PIECE_ROWS / 64;

/// The null rows of a growing column.
#[derive(Debug)]
pub(crate) struct Nulls {
    words: Option<Chunked<u64, BLOCK_WORDS, PIECE_WORDS>>,
    count: usize,
}

impl Nulls {
    pub(crate) fn new() -> Self {
        Self { words: None, count: 0 }
    }

    /// The first `rows` rows are null.
    pub(crate) fn all(rows: usize) -> Self {
        if rows == 0 {
            return Self::new();
        }
        let mut words = Chunked::filled(rows.div_ceil(64), &u64::MAX);
        if !rows.is_multiple_of(64) {
            *words.get_mut(rows / 64) = (1 << (rows % 64)) - 1;
        }
        Self { words: Some(words), count: rows }
    }

    /// Records row number `row`, the next one.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, is_null: bool) {
        if !is_null && self.words.is_none() {
            return;
        }
        self.count += usize::from(is_null);
        let words = self.words.get_or_insert_with(|| Chunked::filled(row.div_ceil(64), &0));
        if row.is_multiple_of(64) {
            words.push(u64::from(is_null));
        } else if is_null {
            *words.get_mut(row / 64) |= 1 << (row % 64);
        }
    }

    /// Records that so many rows from `row` on, the next ones, have values.
    pub(crate) fn push_values(&mut self, row: usize, count: usize) {
        if self.words.is_some() {
            (row..row + count).for_each(|row| self.push(row, false));
        }
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.words.as_ref().is_some_and(|words| words.get(row / 64) >> (row % 64) & 1 == 1)
    }

    /// A null row got a value.
    pub(crate) fn clear(&mut self, row: usize) {
        if let Some(words) = &mut self.words {
            *words.get_mut(row / 64) &= !(1 << (row % 64));
            self.count -= 1;
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.count > 0
    }

    pub(crate) fn snapshot(&self) -> NullsSnapshot {
        let words = self.words.as_ref().filter(|_| self.count > 0);
        NullsSnapshot { words: words.map(Chunked::snapshot) }
    }
}

/// The null rows of a snapshot.
#[derive(Debug)]
pub(crate) struct NullsSnapshot {
    words: Option<ChunkedSnapshot<u64, BLOCK_WORDS>>,
}

impl NullsSnapshot {
    pub(crate) fn block(&self, block: usize) -> Option<NullMask<'_>> {
        let words = self.words.as_ref()?.block(block);
        words.iter().any(|word| *word != 0).then_some(NullMask { words })
    }

    pub(crate) fn any(&self) -> bool {
        self.words.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_where_they_were_put() {
        for start in [0, 1, 63, 64, 65, 200] {
            for leading_null in [false, true] {
                let mut nulls = if leading_null { Nulls::all(start) } else { Nulls::new() };
                for row in start..start + 300 {
                    nulls.push(row, row.is_multiple_of(3));
                }
                let expected =
                    |row: usize| if row < start { leading_null } else { row.is_multiple_of(3) };
                let snapshot = nulls.snapshot();
                let mask = snapshot.block(0).unwrap();
                assert_eq!(mask.words.len(), (start + 300).div_ceil(64));
                for row in 0..start + 300 {
                    assert_eq!(nulls.is_null(row), expected(row), "{start} {row}");
                    assert_eq!(mask.is_null(row), expected(row));
                }
            }
        }
    }

    #[test]
    fn a_column_whose_nulls_were_all_filled_has_none() {
        let mut nulls = Nulls::new();
        nulls.push(0, true);
        nulls.push(1, false);
        assert!(nulls.any());
        nulls.clear(0);
        assert!(!nulls.any() && !nulls.is_null(0));
        assert!(nulls.snapshot().block(0).is_none());
    }
}
