//! Which values occurred in which groups, before they are hashed.

use super::sketches::{GroupSketches, SketchKind};
use crate::column::IdTable;
use crate::error::Result;
use crate::group::Dimension;
use henge_segment::NULL_ID;

/// Largest bitmap of marks, in bits.
const MAX_DENSE_MARKS: usize = 1 << 26;
/// The same when it grows with the ids that arrive, of which there may be few.
const MAX_GROWING_MARKS: usize = 1 << 23;
/// Pairs that are collected before they are added to the sketches.
const MAX_PAIRS: usize = 1 << 20;
/// All values of a dictionary are hashed at once when pairs are more than one of so many values.
const HASH_ALL_OF: usize = 8;

/// Pairs of group and id that occurred.
#[derive(Debug)]
pub(super) enum Marks {
    /// Bit `group * id_limit + id`. The limit grows with the ids of a dimension that gives them as
    /// values arrive.
    Dense { words: Vec<u64>, id_limit: usize },
    /// Keys are `group << 32 | id`.
    Pairs(IdTable),
}

impl Marks {
    pub(super) fn new(dimension: &Dimension<'_>) -> Self {
        match dimension.id_limit() {
            Some(limit) => Self::Dense { words: Vec::new(), id_limit: limit as usize },
            None if dimension.has_lists() => Self::Pairs(IdTable::new()),
            None => Self::Dense { words: Vec::new(), id_limit: 0 },
        }
    }

    /// Makes room for ids below `id_count`; false when the marks must be drained first because the
    /// bitmap would be too large.
    pub(super) fn resize(&mut self, groups: usize, id_count: usize) -> bool {
        match self {
            Self::Dense { words, id_limit } => {
                if id_count > *id_limit {
                    let wider = id_count.next_power_of_two();
                    if groups.saturating_mul(wider) > MAX_GROWING_MARKS {
                        return false;
                    }
                    self.widen(groups, id_count);
                    return true;
                }
                if groups.saturating_mul(*id_limit) > MAX_DENSE_MARKS {
                    return false;
                }
                let needed = (groups * *id_limit).div_ceil(64);
                if words.is_empty() {
                    *words = vec![0; needed];
                }
                words.resize(needed.max(words.len()), 0);
                true
            }
            Self::Pairs(_) => true,
        }
    }

    /// Makes room for ids below `id_count` whatever it takes: lists may have brought more ids than
    /// there are rows.
    pub(super) fn widen(&mut self, groups: usize, id_count: usize) {
        if let Self::Dense { words, id_limit } = self
            && id_count > *id_limit
        {
            let wider = id_count.next_power_of_two();
            *words = widened(words, *id_limit, wider, groups);
            *id_limit = wider;
        }
    }

    /// Marks ids of one group.
    pub(super) fn mark_all(&mut self, group: usize, ids: &[u32]) {
        match self {
            Self::Dense { words, id_limit } => {
                let first = group * *id_limit;
                for &id in ids {
                    let bit = first + id as usize;
                    words[bit / 64] |= 1 << (bit % 64);
                }
            }
            Self::Pairs(_) => ids.iter().for_each(|&id| self.mark(group, id)),
        }
    }

    #[inline]
    pub(super) fn mark(&mut self, group: usize, id: u32) {
        match self {
            Self::Dense { words, id_limit } => {
                let bit = group * *id_limit + id as usize;
                words[bit / 64] |= 1 << (bit % 64);
            }
            Self::Pairs(table) => {
                table.id_of((group as u64) << 32 | u64::from(id));
            }
        }
    }

    /// True when pairs should go into the sketches; `id_limit` is what ids are below.
    pub(super) fn is_full(&self, id_limit: Option<u32>) -> bool {
        let limit = id_limit.map_or(MAX_PAIRS, |ids| (ids as usize / HASH_ALL_OF).max(1 << 12));
        matches!(self, Self::Pairs(table) if table.len() >= limit.min(MAX_PAIRS))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Dense { words, .. } => words.capacity() * 8,
            Self::Pairs(table) => table.memory_bytes(),
        }
    }

    /// Calls `visit` with all marks, by group.
    fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        match self {
            Self::Dense { words, id_limit } => {
                let (mut group, mut first) = (0, 0);
                for_each_bit(words, |bit| {
                    while bit >= first + id_limit {
                        group += 1;
                        first += id_limit;
                    }
                    visit(group, (bit - first) as u32);
                });
            }
            Self::Pairs(table) => {
                let mut keys = table.keys().to_vec();
                keys.sort_unstable();
                keys.into_iter().for_each(|key| visit((key >> 32) as u32, key as u32));
            }
        }
    }

    /// Adds the marked values to the sketches of their groups.
    pub(super) fn drain<S: SketchKind>(
        &self,
        dimension: &Dimension<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        match self {
            Self::Dense { words, .. } if sketches.len() == 1 => {
                add_to_one(words, dimension, sketches)
            }
            marks if S::BY_HASH => marks.add_hashes(dimension, sketches),
            marks => marks.add_values(dimension, sketches),
        }
    }

    /// Hashes each value once, however many groups it is in.
    fn add_hashes<S: SketchKind>(
        &self,
        dimension: &Dimension<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let mut occurs = vec![0u64; dimension.id_count().div_ceil(64)];
        self.for_each(|_, id| occurs[id as usize / 64] |= 1 << (id % 64));
        let mut hashes = vec![None; dimension.id_count()];
        dimension.for_each_value(&|id| has_bit(&occurs, id), &mut |id, value| {
            hashes[id as usize] = S::hash(value);
        })?;
        let mut result = Ok(());
        self.for_each(|group, id| {
            if let Some(hash) = hashes[id as usize] {
                match sketches.get(group as usize) {
                    Ok(sketch) => sketch.update_hash(hash),
                    Err(error) => result = Err(error),
                }
            }
        });
        result
    }

    /// Adds values in the order of their ids.
    fn add_values<S: SketchKind>(
        &self,
        dimension: &Dimension<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let mut occurs = vec![0u64; dimension.id_count().div_ceil(64)];
        let mut pairs = Vec::new();
        self.for_each(|group, id| {
            occurs[id as usize / 64] |= 1 << (id % 64);
            pairs.push((id, group));
        });
        pairs.sort_unstable();
        let (mut next, mut result) = (0, Ok(()));
        dimension.for_each_value(&|id| has_bit(&occurs, id), &mut |id, value| {
            while pairs.get(next).is_some_and(|pair| pair.0 < id) {
                next += 1;
            }
            while let Some((_, group)) = pairs.get(next).filter(|pair| pair.0 == id) {
                match sketches.get(*group as usize) {
                    Ok(sketch) => sketch.update(value),
                    Err(error) => result = Err(error),
                }
                next += 1;
            }
        })?;
        result
    }
}

/// The same marks with more room for the ids of each group.
fn widened(words: &[u64], id_limit: usize, wider: usize, groups: usize) -> Vec<u64> {
    let mut result = vec![0; (groups * wider).div_ceil(64)];
    let (mut group, mut first) = (0, 0);
    for_each_bit(words, |bit| {
        while bit >= first + id_limit {
            group += 1;
            first += id_limit;
        }
        let bit = group * wider + bit - first;
        result[bit / 64] |= 1 << (bit % 64);
    });
    result
}

/// Adds the values whose bits are set to the only sketch.
fn add_to_one<S: SketchKind>(
    words: &[u64],
    dimension: &Dimension<'_>,
    sketches: &mut GroupSketches<S>,
) -> Result<()> {
    let count = words.iter().map(|word| word.count_ones() as usize).sum();
    if count == 0 {
        return Ok(());
    }
    if let Some(hashes) = S::kept_hashes(dimension, count)? {
        let mut marked = words[..hashes.len().div_ceil(64).min(words.len())].to_vec();
        if let Some(first) = marked.first_mut() {
            *first &= !(1 << NULL_ID);
        }
        sketches.get(0)?.update_marked(&marked, &hashes);
        return Ok(());
    }
    let mut result = Ok(());
    dimension.for_each_value(&|id| has_bit(words, id), &mut |_, value| match sketches.get(0) {
        Ok(sketch) => sketch.update(value),
        Err(error) => result = Err(error),
    })?;
    result
}

/// The hash of every value, by id: then rows go into sketches one by one.
pub(super) fn all_hashes<S: SketchKind>(dimension: &Dimension<'_>) -> Result<Vec<Option<S::Hash>>> {
    if let Some(kept) = S::kept_hashes(dimension, dimension.id_count())? {
        let hashes = kept.iter().enumerate();
        return Ok(hashes.map(|(id, hash)| (id != NULL_ID as usize).then_some(*hash)).collect());
    }
    let mut hashes = vec![None; dimension.id_count()];
    dimension.for_each_value(&|_| true, &mut |id, value| hashes[id as usize] = S::hash(value))?;
    Ok(hashes)
}

#[inline]
fn has_bit(words: &[u64], bit: u32) -> bool {
    words.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

pub(super) fn for_each_bit(words: &[u64], mut visit: impl FnMut(usize)) {
    for (index, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            visit(index * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}
