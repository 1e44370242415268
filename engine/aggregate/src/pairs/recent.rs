//! Pairs that came lately: a visitor's hits follow each other, so most repetitions are found here, in
//! the cache.

/// Places of few pairs.
const FEW: usize = 1 << 6;
/// Places of many, which still fit the second cache together with a partition's table.
const MANY: usize = 1 << 14;
/// No group.
const NOBODY: u32 = u32::MAX;

/// The last pair that came to each place.
#[derive(Debug)]
pub(super) struct Recent {
    pairs: Vec<(u64, u32)>,
}

impl Recent {
    /// For few pairs.
    pub(super) fn few() -> Self {
        Self { pairs: vec![(0, NOBODY); FEW] }
    }

    /// For many pairs.
    pub(super) fn many() -> Self {
        Self { pairs: vec![(0, NOBODY); MANY] }
    }

    /// False when the pair was the last one at its place; it is from now on.
    #[inline]
    pub(super) fn is_new(&mut self, mixed: u64, group: u32) -> bool {
        // The upper bits are the partition's.
        let at = mixed as usize & (self.pairs.len() - 1);
        let last = std::mem::replace(&mut self.pairs[at], (mixed, group));
        (last.0 != mixed) | (last.1 != group)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.pairs.as_slice())
    }
}
