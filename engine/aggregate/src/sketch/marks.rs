//! Which values occurred in which groups, before they are hashed.

use std::sync::Arc;

use henge_scan::{Dimension, IdTable, Result};
use henge_segment::NULL_ID;
use henge_sketch::HllHash;

use super::groups::GroupSketches;
use super::kind::SketchKind;

/// Largest bitmap of marks, in bits.
const MAX_DENSE_MARKS: usize = 1 << 26;
/// The same when it grows with the ids that arrive, of which there may be few.
const MAX_GROWING_MARKS: usize = 1 << 23;
/// Marks that are listed one by one: fewer than a bitmap of all ids has words to look through.
const MAX_LISTED: usize = 1 << 14;
/// Pairs that are collected before they are added to the sketches.
const MAX_PAIRS: usize = 1 << 20;
/// All values of a dictionary are hashed at once when pairs are more than one of so many values.
const HASH_ALL_OF: usize = 8;

/// Pairs of group and id that occurred.
#[derive(Debug)]
pub(crate) enum Marks {
    /// Keys are `group << 32 | id`, in the order of rows. Until there are many.
    Listed(Vec<u64>),
    /// Bit `group * stride + id`; the stride is a multiple of 64.
    Dense { words: Vec<u64>, stride: usize },
    /// Keys are `group << 32 | id`.
    Pairs(IdTable),
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self::Listed(Vec::new())
    }

    /// For marks that are not dense.
    pub(crate) fn pairs() -> Self {
        Self::Pairs(IdTable::default())
    }

    /// Bits that a bitmap takes.
    pub(crate) fn dense_bits(groups: usize, id_limit: u32) -> usize {
        groups.saturating_mul((id_limit as usize).next_multiple_of(64))
    }

    /// True while the marks are listed and may go on so.
    pub(crate) fn are_few(&self) -> bool {
        matches!(self, Self::Listed(keys) if keys.len() < MAX_LISTED)
    }

    /// Makes room; false when the marks must be drained first because a bitmap would be too large.
    pub(crate) fn resize(&mut self, groups: usize, id_limit: Option<u32>) -> bool {
        if let Self::Listed(keys) = self {
            let keys = std::mem::take(keys);
            *self = match id_limit {
                Some(limit) if Self::dense_bits(groups, limit) <= MAX_DENSE_MARKS => {
                    let stride = (limit as usize).next_multiple_of(64);
                    Self::Dense { words: vec![0; groups * stride / 64], stride }
                }
                _ => Self::pairs(),
            };
            keys.into_iter().for_each(|key| self.mark((key >> 32) as usize, key as u32));
        }
        match self {
            Self::Dense { .. } if id_limit.is_none() => false,
            Self::Dense { stride, .. } if groups.saturating_mul(*stride) > MAX_DENSE_MARKS => false,
            Self::Dense { words, stride } => {
                widen(words, stride, id_limit.map_or(0, |limit| limit as usize));
                words.resize((groups * *stride / 64).max(words.len()), 0);
                true
            }
            Self::Listed(_) | Self::Pairs(_) => true,
        }
    }

    /// Ids that a bitmap is to have room for when a dimension gives ids as values arrive, and has
    /// `id_count` after the next rows: `None` when too many.
    pub(crate) fn growing_limit(groups: usize, id_count: usize) -> Option<u32> {
        let limit = id_count.next_power_of_two().max(64);
        (groups.saturating_mul(limit) <= MAX_GROWING_MARKS).then_some(limit as u32)
    }

    /// Makes room for ids below `id_count` whatever it takes: lists may bring more ids than there
    /// are rows.
    pub(crate) fn make_room(&mut self, id_count: usize) {
        if let Self::Dense { words, stride } = self {
            widen(words, stride, id_count);
        }
    }

    /// Marks ids of one group.
    pub(crate) fn mark_all(&mut self, group: usize, ids: &[u32]) {
        match self {
            Self::Dense { words, stride } => {
                let words = &mut words[group * *stride / 64..];
                for &id in ids {
                    words[id as usize / 64] |= 1 << (id % 64);
                }
            }
            _ => ids.iter().for_each(|&id| self.mark(group, id)),
        }
    }

    #[inline]
    pub(crate) fn mark(&mut self, group: usize, id: u32) {
        let key = (group as u64) << 32 | u64::from(id);
        match self {
            Self::Dense { words, stride } => {
                let bit = group * *stride + id as usize;
                words[bit / 64] |= 1 << (bit % 64);
            }
            Self::Listed(keys) => keys.push(key),
            Self::Pairs(table) => {
                table.id_of(key);
            }
        }
    }

    /// True when pairs should go into the sketches; `id_limit` is what ids are below.
    pub(crate) fn is_full(&self, id_limit: Option<u32>) -> bool {
        let limit = id_limit.map_or(MAX_PAIRS, |ids| (ids as usize / HASH_ALL_OF).max(1 << 12));
        matches!(self, Self::Pairs(table) if table.keys().len() >= limit.min(MAX_PAIRS))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Listed(keys) => keys.capacity() * 8,
            Self::Dense { words, .. } => words.capacity() * 8,
            Self::Pairs(table) => table.memory_bytes(),
        }
    }

    /// Makes a list that grows with the pairs, for ever, of what a bitmap would be too large for.
    pub(crate) fn into_table(self) -> Self {
        let mut table = IdTable::default();
        self.for_each_key(|key| {
            table.id_of(key);
        });
        Self::Pairs(table)
    }

    /// The keys of all marks of values that are not null, each once.
    pub(crate) fn into_keys(self) -> Vec<u64> {
        let mut keys = Vec::new();
        self.listed_once().for_each_key(|key| keys.push(key));
        keys
    }

    fn listed_once(self) -> Self {
        match self {
            Self::Listed(_) => self.sorted(),
            Self::Dense { .. } | Self::Pairs(_) => self.listed(),
        }
    }

    fn for_each_key(&self, mut visit: impl FnMut(u64)) {
        self.for_each(|group, id| visit(u64::from(group) << 32 | u64::from(id)));
    }

    /// Adds the marked values to the sketches of their groups.
    pub(crate) fn drain<S: SketchKind>(
        self,
        dimension: &Dimension<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        if S::BY_HASH {
            return self.listed().add_hashes(dimension, sketches);
        }
        self.listed().sorted().add_values(dimension, sketches)
    }

    /// Keys one by one instead of in a table.
    fn listed(self) -> Self {
        match self {
            Self::Pairs(table) => Self::Listed(table.keys().to_vec()),
            marks => marks,
        }
    }

    /// Keys in order, each once.
    fn sorted(self) -> Self {
        match self {
            Self::Listed(mut keys) => {
                keys.sort_unstable();
                keys.dedup();
                Self::Listed(keys)
            }
            marks => marks,
        }
    }

    /// The group of all listed marks, when it is the same.
    fn only_group(&self) -> Option<usize> {
        let Self::Listed(keys) = self else { return None };
        let group = keys.first()? >> 32;
        keys.iter().all(|key| key >> 32 == group).then_some(group as usize)
    }

    /// Calls `visit` with all marks of values that are not null, in the order that they lie in.
    fn for_each(&self, mut visit: impl FnMut(u32, u32)) {
        match self {
            Self::Dense { words, stride } => {
                for (group, words) in (0..).zip(words.chunks(stride / 64)) {
                    for_each_bit(words, |id| {
                        if id != NULL_ID as usize {
                            visit(group, id as u32);
                        }
                    });
                }
            }
            Self::Listed(keys) => {
                for &key in keys.iter().filter(|key| **key as u32 != NULL_ID) {
                    visit((key >> 32) as u32, key as u32);
                }
            }
            Self::Pairs(_) => {}
        }
    }

    /// The ids that are marked in any group, ascending.
    fn ids(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        match self {
            Self::Dense { words, stride } => {
                let mut any = vec![0; stride / 64];
                for words in words.chunks(stride / 64) {
                    any.iter_mut().zip(words).for_each(|(any, word)| *any |= word);
                }
                for_each_bit(&any, |id| ids.push(id as u32));
            }
            marks => {
                marks.for_each(|_, id| ids.push(id));
                ids.sort_unstable();
                ids.dedup();
            }
        }
        ids
    }

    /// About how many values are marked: those of several groups are not counted twice where it
    /// costs much to know.
    fn about_count(&self, id_count: usize) -> usize {
        let marks = match self {
            Self::Dense { words, .. } => words.iter().map(|word| word.count_ones() as usize).sum(),
            Self::Listed(keys) => keys.len(),
            Self::Pairs(table) => table.keys().len(),
        };
        marks.min(id_count)
    }

    /// Hashes each value once, however many groups it is in, or not at all where hashes are kept.
    fn add_hashes<S: SketchKind>(
        self,
        dimension: &Dimension<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let about = self.about_count(dimension.id_count());
        if about == 0 {
            return Ok(());
        }
        if let Some(hashes) = dimension.kept_hashes(about)? {
            return self.add_by(sketches, |id| hashes.get(id as usize).copied());
        }
        let hashes = dimension.hashes_of_ids(&self.ids(), S::hash)?;
        if let Some(group) = self.only_group() {
            return add_all(sketches, group, &hashes);
        }
        if let Self::Listed(_) = self {
            let mut next = 0;
            return self.sorted().add_by(sketches, |id| {
                // Of one group, all follow each other.
                if hashes.get(next).is_none_or(|(at, _)| *at != id) {
                    next = hashes.binary_search_by_key(&id, |(at, _)| *at).ok()?;
                }
                next += 1;
                Some(hashes[next - 1].1)
            });
        }
        let mut by_id = vec![None; dimension.id_count()];
        hashes.into_iter().for_each(|(id, hash)| by_id[id as usize] = Some(hash));
        self.add_by(sketches, |id| by_id[id as usize])
    }

    /// Adds all marks by the hashes of ids.
    fn add_by<S: SketchKind>(
        &self,
        sketches: &mut GroupSketches<S>,
        mut hash_of: impl FnMut(u32) -> Option<HllHash>,
    ) -> Result<()> {
        if let Some(registers) = sketches.registers()? {
            self.for_each(|group, id| {
                if let Some(hash) = hash_of(id) {
                    registers.update(group as usize, hash);
                }
            });
            return Ok(());
        }
        let mut result = Ok(());
        self.for_each(|group, id| {
            if let Some(hash) = hash_of(id) {
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
        let ids = self.ids();
        let mut pairs = Vec::new();
        self.for_each(|group, id| pairs.push((id, group)));
        pairs.sort_unstable();
        let (mut next, mut result) = (0, Ok(()));
        dimension.for_each_value(Some(&ids), &mut |id, value| {
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

/// Adds hashes to a group's sketch.
fn add_all<S: SketchKind>(
    sketches: &mut GroupSketches<S>,
    group: usize,
    hashes: &[(u32, HllHash)],
) -> Result<()> {
    if hashes.is_empty() {
        return Ok(());
    }
    if let Some(registers) = sketches.registers()? {
        hashes.iter().for_each(|(_, hash)| registers.update(group, *hash));
        return Ok(());
    }
    let sketch = sketches.get(group)?;
    hashes.iter().for_each(|(_, hash)| sketch.update_hash(*hash));
    Ok(())
}

/// Gives each group room for more ids.
fn widen(words: &mut Vec<u64>, stride: &mut usize, id_count: usize) {
    if id_count <= *stride {
        return;
    }
    let wider = id_count.next_multiple_of(64);
    let (old_words, new_words) = (*stride / 64, wider / 64);
    let mut widened = vec![0; words.len() / old_words.max(1) * new_words];
    let groups = widened.chunks_exact_mut(new_words).zip(words.chunks_exact(old_words.max(1)));
    groups.for_each(|(to, from)| to[..old_words].copy_from_slice(from));
    (*words, *stride) = (widened, wider);
}

/// The hash of every value by id (that of null means nothing): then rows go into sketches one by
/// one.
pub(crate) fn all_hashes<S: SketchKind>(dimension: &Dimension<'_>) -> Result<Arc<[HllHash]>> {
    if let Some(kept) = dimension.kept_hashes(dimension.id_count())? {
        return Ok(kept);
    }
    let mut hashes = vec![HllHash::of_str(""); dimension.id_count()];
    dimension.for_each_value(None, &mut |id, value| {
        if let Some(hash) = S::hash(value) {
            hashes[id as usize] = hash;
        }
    })?;
    Ok(hashes.into())
}

fn for_each_bit(words: &[u64], mut visit: impl FnMut(usize)) {
    for (index, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            visit(index * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}
