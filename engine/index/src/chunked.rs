//! A growing column whose past is shared with snapshots.
//!
//! Full blocks, then full pieces of the last block, then a tail that only the writer sees. A
//! snapshot shares blocks and pieces and copies the tail, which is at most one piece. Changing a
//! value that is shared copies its block or piece first.

use std::sync::{Arc, OnceLock};

use henge_segment::BLOCK_ROWS;

/// Rows in a piece: what a snapshot copies of a column at most.
pub(crate) const PIECE_ROWS: usize = 8_192;

/// A growing column.
#[derive(Debug)]
pub(crate) struct Chunked<T, const BLOCK: usize = BLOCK_ROWS, const PIECE: usize = PIECE_ROWS> {
    blocks: Vec<Arc<Vec<T>>>,
    pieces: Vec<Arc<Vec<T>>>,
    tail: Vec<T>,
}

impl<T: Clone, const BLOCK: usize, const PIECE: usize> Chunked<T, BLOCK, PIECE> {
    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new(), pieces: Vec::new(), tail: Vec::new() }
    }

    /// A column that starts with `len` equal values; full blocks and pieces of them are one.
    pub(crate) fn filled(len: usize, value: &T) -> Self {
        let mut column = Self::new();
        // The tail holds what is left, and is empty only when there is nothing at all.
        let sealed = len.saturating_sub(1);
        let (blocks, pieces) = (sealed / BLOCK, sealed % BLOCK / PIECE);
        if blocks > 0 {
            let block = Arc::new(vec![value.clone(); BLOCK]);
            column.blocks = std::iter::repeat_n(block, blocks).collect();
        }
        if pieces > 0 {
            let piece = Arc::new(vec![value.clone(); PIECE]);
            column.pieces = std::iter::repeat_n(piece, pieces).collect();
        }
        column.tail = vec![value.clone(); len - blocks * BLOCK - pieces * PIECE];
        column
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if self.tail.len() == PIECE {
            self.seal_tail();
        }
        self.tail.push(value);
    }

    pub(crate) fn extend(&mut self, mut values: &[T]) {
        while !values.is_empty() {
            if self.tail.len() == PIECE {
                self.seal_tail();
            }
            let (first, rest) = values.split_at(values.len().min(PIECE - self.tail.len()));
            self.tail.extend_from_slice(first);
            values = rest;
        }
    }

    #[cold]
    fn seal_tail(&mut self) {
        let piece = std::mem::replace(&mut self.tail, Vec::with_capacity(PIECE));
        self.pieces.push(Arc::new(piece));
        if self.pieces.len() == BLOCK / PIECE {
            self.blocks.push(Arc::new(concat(&self.pieces, &[])));
            self.pieces.clear();
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> &T {
        if let Some(block) = self.blocks.get(index / BLOCK) {
            return &block[index % BLOCK];
        }
        let index = index - self.blocks.len() * BLOCK;
        match self.pieces.get(index / PIECE) {
            Some(piece) => &piece[index % PIECE],
            None => &self.tail[index - self.pieces.len() * PIECE],
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> &mut T {
        let (blocks, pieces) = (self.blocks.len(), self.pieces.len());
        if let Some(block) = self.blocks.get_mut(index / BLOCK) {
            return &mut Arc::make_mut(block)[index % BLOCK];
        }
        let index = index - blocks * BLOCK;
        match self.pieces.get_mut(index / PIECE) {
            Some(piece) => &mut Arc::make_mut(piece)[index % PIECE],
            None => &mut self.tail[index - pieces * PIECE],
        }
    }

    pub(crate) fn snapshot(&self) -> ChunkedSnapshot<T, BLOCK> {
        ChunkedSnapshot {
            blocks: self.blocks.clone(),
            pieces: self.pieces.clone(),
            tail: self.tail.clone(),
            last: OnceLock::new(),
        }
    }
}

/// A column as it was.
#[derive(Debug)]
pub(crate) struct ChunkedSnapshot<T, const BLOCK: usize = BLOCK_ROWS> {
    blocks: Vec<Arc<Vec<T>>>,
    pieces: Vec<Arc<Vec<T>>>,
    tail: Vec<T>,
    /// The last block in one piece, for those who read it.
    last: OnceLock<Vec<T>>,
}

impl<T: Clone, const BLOCK: usize> ChunkedSnapshot<T, BLOCK> {
    /// The values of a block; none beyond the last.
    pub(crate) fn block(&self, block: usize) -> &[T] {
        match block.checked_sub(self.blocks.len()) {
            None => &self.blocks[block],
            Some(0) if self.pieces.is_empty() => &self.tail,
            Some(0) => self.last.get_or_init(|| concat(&self.pieces, &self.tail)),
            Some(_) => &[],
        }
    }
}

fn concat<T: Clone>(pieces: &[Arc<Vec<T>>], tail: &[T]) -> Vec<T> {
    let len = pieces.iter().map(|piece| piece.len()).sum::<usize>() + tail.len();
    let mut all = Vec::with_capacity(len);
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    all.extend_from_slice(tail);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = Chunked<u32, 12, 4>;

    fn values(snapshot: &ChunkedSnapshot<u32, 12>) -> Vec<u32> {
        (0..20).flat_map(|block| snapshot.block(block).to_vec()).collect()
    }

    #[test]
    fn snapshots_show_what_was_there_when_they_were_taken() {
        let mut column = Small::new();
        let mut expected = Vec::new();
        let mut taken = Vec::new();
        for value in 0..60 {
            column.push(value);
            expected.push(value);
            taken.push((column.snapshot(), expected.clone()));
            let changed = (value * 7 / 3) as usize % expected.len();
            *column.get_mut(changed) += 1_000;
            expected[changed] += 1_000;
        }
        for (snapshot, expected) in taken {
            assert_eq!(values(&snapshot), expected);
        }
        assert!((0..60).all(|index| *column.get(index) == expected[index]));
    }

    #[test]
    fn filled_columns_equal_pushed_ones() {
        for len in 0..40 {
            let mut filled = Small::filled(len, &7);
            let mut pushed = Small::new();
            (0..len).for_each(|_| pushed.push(7));
            for column in [&mut filled, &mut pushed] {
                column.push(8);
            }
            assert_eq!(values(&filled.snapshot()), values(&pushed.snapshot()), "{len}");
            assert_eq!(*filled.get(len), 8);
        }
    }

    #[test]
    fn extended_columns_equal_pushed_ones() {
        for length in [1, 3, 4, 5, 11, 12, 13, 30] {
            let (mut extended, mut pushed) = (Small::new(), Small::new());
            for start in 0..3 {
                let values: Vec<u32> = (start * 100..).take(length).collect();
                extended.extend(&values);
                values.iter().for_each(|value| pushed.push(*value));
            }
            assert_eq!(values(&extended.snapshot()), values(&pushed.snapshot()), "{length}");
        }
    }

    #[test]
    fn all_blocks_but_the_last_are_full() {
        let mut column = Small::new();
        (0..30).for_each(|value| column.push(value));
        let snapshot = column.snapshot();
        let lengths: Vec<usize> = (0..4).map(|block| snapshot.block(block).len()).collect();
        assert_eq!(lengths, [12, 12, 6, 0]);
    }
}
