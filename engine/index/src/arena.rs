//! Many small slices, appended one behind the other and shared with snapshots.

use std::sync::Arc;

/// Slices in a full chunk.
pub(crate) const CHUNK_SLICES: usize = 4_096;

/// Slices of `T`, numbered from 0.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    sealed: Vec<Arc<Chunk<T>>>,
    tail: Chunk<T>,
    /// The tail as the latest snapshot has it, while nothing was added.
    shared_tail: Option<Arc<Chunk<T>>>,
}

#[derive(Debug, Clone)]
struct Chunk<T> {
    items: Vec<T>,
    ends: Vec<usize>,
}

impl<T> Chunk<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), ends: Vec::new() }
    }

    #[inline]
    fn get(&self, index: usize) -> &[T] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.items[start..self.ends[index]]
    }
}

impl<T: Copy> Arena<T> {
    pub(crate) fn new() -> Self {
        Self { sealed: Vec::new(), tail: Chunk::new(), shared_tail: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.sealed.len() * CHUNK_SLICES + self.tail.ends.len()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> &[T] {
        match self.sealed.get(index / CHUNK_SLICES) {
            Some(chunk) => chunk.get(index % CHUNK_SLICES),
            None => self.tail.get(index % CHUNK_SLICES),
        }
    }

    /// Adds a slice; its number is the length before. True when this filled a chunk.
    pub(crate) fn push(&mut self, slice: &[T]) -> bool {
        self.shared_tail = None;
        self.tail.items.extend_from_slice(slice);
        self.tail.ends.push(self.tail.items.len());
        let full = self.tail.ends.len() == CHUNK_SLICES;
        if full {
            let mut chunk = std::mem::replace(&mut self.tail, Chunk::new());
            chunk.items.shrink_to_fit();
            self.sealed.push(Arc::new(chunk));
        }
        full
    }

    pub(crate) fn snapshot(&mut self) -> ArenaSnapshot<T> {
        let tail = self.shared_tail.get_or_insert_with(|| Arc::new(self.tail.clone()));
        ArenaSnapshot { sealed: self.sealed.clone(), tail: Arc::clone(tail) }
    }
}

/// The slices as they were.
#[derive(Debug)]
pub(crate) struct ArenaSnapshot<T> {
    sealed: Vec<Arc<Chunk<T>>>,
    tail: Arc<Chunk<T>>,
}

impl<T> ArenaSnapshot<T> {
    pub(crate) fn len(&self) -> usize {
        self.sealed.len() * CHUNK_SLICES + self.tail.ends.len()
    }

    /// A slice by its number, which must be less than [`ArenaSnapshot::len`].
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &[T] {
        match self.sealed.get(index / CHUNK_SLICES) {
            Some(chunk) => chunk.get(index % CHUNK_SLICES),
            None => self.tail.get(index % CHUNK_SLICES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_keep_their_numbers_across_chunks() {
        let mut arena = Arena::<u32>::new();
        let slice = |index: usize| vec![index as u32; index % 4];
        let mut snapshots = Vec::new();
        for index in 0..3 * CHUNK_SLICES {
            if index % 1_000 == 0 {
                snapshots.push((index, arena.snapshot()));
            }
            assert_eq!(arena.push(&slice(index)), (index + 1) % CHUNK_SLICES == 0);
        }
        assert_eq!(arena.len(), 3 * CHUNK_SLICES);
        assert!((0..arena.len()).all(|index| arena.get(index) == slice(index)));
        for (len, snapshot) in snapshots {
            assert_eq!(snapshot.len(), len);
            assert!((0..len).all(|index| snapshot.get(index) == slice(index)));
        }
    }
}
