//! Distinct pairs of a group and a value, of all groups in one set: pairs are collected in partitions
//! by their hash, and repetitions dropped once many came. Each partition's table then fits the cache,
//! which one table of all pairs, or one a group, would not.

use henge_types::narrow::narrow;

/// Pairs that are kept in one partition.
const MAX_TOGETHER: usize = 1 << 15;
/// Partitions of more.
const PARTITIONS: usize = 256;
/// Pairs that are collected in all partitions before repetitions are dropped for the first time.
const MIN_HELD: usize = 1 << 20;

/// A group and a value in the bits of a number.
pub(crate) trait DistinctKey: Copy + Eq {
    /// What tells values apart.
    type Word: Copy + Default;
    /// The key of a value of a group.
    fn new(group: u32, word: Self::Word) -> Self;
    /// The group.
    fn group(self) -> u32;
    /// The value.
    fn word(self) -> Self::Word;
    /// A number whose bits all depend on all bits of the key.
    fn hash(self) -> u64;
}

/// Values by their ids.
impl DistinctKey for u64 {
    type Word = u32;

    #[inline]
    fn new(group: u32, id: u32) -> Self {
        Self::from(group) << 32 | Self::from(id)
    }

    #[inline]
    fn group(self) -> u32 {
        (self >> 32) as u32
    }

    #[inline]
    fn word(self) -> u32 {
        self as u32
    }

    #[inline]
    fn hash(self) -> u64 {
        mixed(self)
    }
}

/// Values by 64 bits of their own.
impl DistinctKey for u128 {
    type Word = u64;

    #[inline]
    fn new(group: u32, word: u64) -> Self {
        Self::from(group) << 64 | Self::from(word)
    }

    #[inline]
    fn group(self) -> u32 {
        (self >> 64) as u32
    }

    #[inline]
    fn word(self) -> u64 {
        self as u64
    }

    #[inline]
    fn hash(self) -> u64 {
        mixed(self as u64 ^ u64::from(self.group()).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[inline]
fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (word ^ word >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Pairs of groups and values.
#[derive(Debug)]
pub(crate) struct DistinctKeys<K> {
    partitions: Vec<Vec<K>>,
    /// Repetitions are dropped once so many pairs are held.
    drop_from: usize,
    held: usize,
}

impl<K> Default for DistinctKeys<K> {
    fn default() -> Self {
        Self { partitions: vec![Vec::new()], drop_from: MAX_TOGETHER, held: 0 }
    }
}

impl<K: DistinctKey> DistinctKeys<K> {
    /// Adds a value to a group.
    #[inline]
    pub(crate) fn insert(&mut self, group: u32, word: K::Word) {
        self.push(K::new(group, word));
    }

    #[inline]
    fn push(&mut self, key: K) {
        let partition = match self.partitions.len() {
            1 => 0,
            _ => partition_of(key),
        };
        self.partitions[partition].push(key);
        self.held += 1;
        if self.held >= self.drop_from {
            self.make_room();
        }
    }

    #[cold]
    fn make_room(&mut self) {
        self.drop_repeated();
        if self.partitions.len() > 1 {
            self.drop_from = MIN_HELD.max(self.held.saturating_mul(2));
        } else if self.held * 2 > MAX_TOGETHER {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let keys = std::mem::take(&mut self.partitions);
        self.partitions = vec![Vec::new(); PARTITIONS];
        self.drop_from = MIN_HELD;
        for key in keys.into_iter().flatten() {
            self.partitions[partition_of(key)].push(key);
        }
    }

    fn drop_repeated(&mut self) {
        let mut slots = Vec::new();
        self.partitions.iter_mut().for_each(|keys| keep_first(keys, &mut slots));
        self.held = self.partitions.iter().map(Vec::len).sum();
    }

    /// Adds the pairs of others.
    pub(crate) fn absorb(&mut self, other: Self) {
        if self.held == 0 {
            *self = other;
            return;
        }
        if other.partitions.len() == 1 || self.partitions.len() == 1 {
            other.partitions.into_iter().flatten().for_each(|key| self.push(key));
            return;
        }
        self.held += other.held;
        for (own, others) in self.partitions.iter_mut().zip(other.partitions) {
            own.extend(others);
        }
    }

    /// Gives all values other words.
    pub(crate) fn renamed(self, word: impl Fn(K::Word) -> K::Word) -> Self {
        let mut renamed = Self::default();
        for key in self.partitions.into_iter().flatten() {
            renamed.insert(key.group(), word(key.word()));
        }
        renamed
    }

    /// True without pairs.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.partitions.iter().map(Vec::capacity).sum::<usize>() * size_of::<K>()
    }

    /// How many values some groups have, and the values in the order of the groups.
    pub(crate) fn into_groups(mut self, groups: &[u32]) -> (Vec<usize>, Vec<K::Word>) {
        self.drop_repeated();
        of_groups(&self.partitions, groups)
    }
}

/// How many values some groups have of pairs that are all different, and the values in the order of
/// the groups. Each group is named once.
pub(crate) fn of_groups<K: DistinctKey>(
    keys: &[Vec<K>],
    groups: &[u32],
) -> (Vec<usize>, Vec<K::Word>) {
    let end = groups.iter().max().map_or(0, |group| *group as usize + 1);
    let mut places = vec![u32::MAX; end];
    for (place, group) in (0..).zip(groups) {
        places[*group as usize] = place;
    }
    let place_of = |key: K| {
        let place = places.get(key.group() as usize).copied();
        place.filter(|place| *place != u32::MAX).map(|place| place as usize)
    };
    let mut counts = vec![0; groups.len()];
    for place in keys.iter().flatten().filter_map(|key| place_of(*key)) {
        counts[place] += 1;
    }
    let mut next = 0;
    let mut ends: Vec<usize> = Vec::with_capacity(counts.len());
    for count in &counts {
        ends.push(next);
        next += count;
    }
    let mut words = vec![K::Word::default(); next];
    for key in keys.iter().flatten() {
        if let Some(place) = place_of(*key) {
            words[ends[place]] = key.word();
            ends[place] += 1;
        }
    }
    (counts, words)
}

#[inline]
fn partition_of<K: DistinctKey>(key: K) -> usize {
    (key.hash() >> (64 - PARTITIONS.ilog2())) as usize
}

/// Keeps each key once. `slots` is scratch space.
fn keep_first<K: DistinctKey>(keys: &mut Vec<K>, slots: &mut Vec<u32>) {
    let capacity = (keys.len() * 2).next_power_of_two();
    let mask = capacity as u64 - 1;
    slots.clear();
    slots.resize(capacity, 0);
    let mut kept = 0;
    for at in 0..keys.len() {
        let key = keys[at];
        // The upper bits chose the partition.
        let mut slot = (key.hash() >> 16 & mask) as usize;
        loop {
            match slots[slot] {
                0 => {
                    keys[kept] = key;
                    kept += 1;
                    slots[slot] = narrow(kept);
                    break;
                }
                number if keys[number as usize - 1] == key => break,
                _ => slot = (slot + 1) & mask as usize,
            }
        }
    }
    keys.truncate(kept);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Pairs of 7 groups and of values that come again.
    fn pairs(count: u64, from: u64) -> impl Iterator<Item = (u32, u64)> {
        (from..from + count).map(|n| ((n % 7) as u32, (n * n % 80_021) << 40))
    }

    #[test]
    fn pairs_are_kept_once_however_many_come() {
        for count in [0, 10, 40_000, 1_500_000] {
            let mut keys = DistinctKeys::<u128>::default();
            let mut others = DistinctKeys::<u128>::default();
            pairs(count, 0).for_each(|(group, word)| keys.insert(group, word));
            pairs(count / 2, count).for_each(|(group, word)| others.insert(group, word));
            keys.absorb(others);
            let expected: BTreeSet<(u32, u64)> =
                pairs(count, 0).chain(pairs(count / 2, count)).collect();
            let groups = [5, 0, 9, 3];
            let (counts, words) = keys.into_groups(&groups);
            let mut words = words.into_iter();
            for (group, count) in groups.into_iter().zip(counts) {
                let found: BTreeSet<u64> = words.by_ref().take(count).collect();
                assert_eq!(found.len(), count, "each once");
                let of_group = expected.iter().filter(|pair| pair.0 == group);
                assert_eq!(found, of_group.map(|pair| pair.1).collect());
            }
            assert_eq!(words.next(), None);
        }
    }

    #[test]
    fn values_are_renamed() {
        let mut keys = DistinctKeys::<u64>::default();
        [(1, 4), (0, 2), (1, 3)].into_iter().for_each(|(group, id)| keys.insert(group, id));
        let (counts, words) = keys.renamed(|id| id / 2).into_groups(&[0, 1]);
        assert_eq!((counts, words.len()), (vec![1, 2], 3));
    }
}
