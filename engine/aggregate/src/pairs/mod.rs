//! Distinct pairs of a group and a value of 64 bits, of all groups in one set: pairs are collected in
//! partitions by a hash of the value, and repetitions dropped in a partition once many came to it. Its
//! table then fits the cache, which one table of all pairs, or one a group, would not.

mod merged;
mod once;
mod recent;

use std::sync::Arc;

use henge_vector::{
    Pairs, Places, SetPart, Sets, SpreadPart, WordKind, mixed_word, plain_word, words_by_row,
};

use once::Once;
use recent::Recent;

pub(crate) use merged::MergedPairs;

/// Pairs that are kept in one partition.
const MAX_TOGETHER: usize = 1 << 15;
/// Partitions of more.
const PARTITIONS: usize = 256;
/// Pairs that are collected in a partition before repetitions are dropped for the first time.
const MIN_COLLECTED: usize = 1 << 12;
/// Repetitions are dropped once there are so many times the pairs that were left the last time: what
/// was left is looked at again, what came is held meanwhile.
const COLLECTED_TIMES: usize = 3;
/// Pairs that wait to be put into one of many partitions.
const MAX_WAITING: usize = 1 << 10;
/// The same while there is one.
const FEW_WAITING: usize = 1 << 6;

/// Collects pairs.
#[derive(Debug)]
pub(crate) struct DistinctPairs {
    /// Pairs whose partition is not known yet, mixed, and how many these are.
    waiting: Vec<(u64, u32)>,
    waiting_count: usize,
    recent: Recent,
    /// False while all pairs are of group 0, which then is not kept.
    has_groups: bool,
    partitions: Vec<Partition>,
    once: Once,
}

#[derive(Debug)]
struct Partition {
    pairs: Pairs,
    /// The first pairs, which are all different.
    distinct: usize,
    /// Repetitions are dropped once so many pairs are here.
    drop_from: usize,
}

impl Partition {
    fn new(drop_from: usize) -> Self {
        Self { pairs: Pairs::default(), distinct: 0, drop_from }
    }

    fn drop_repeated(&mut self, once: &mut Once) {
        if self.distinct < self.pairs.words.len() {
            once.keep_first(&mut self.pairs);
            self.distinct = self.pairs.words.len();
        }
    }
}

impl Default for DistinctPairs {
    fn default() -> Self {
        Self {
            waiting: vec![(0, 0); FEW_WAITING],
            waiting_count: 0,
            recent: Recent::few(),
            has_groups: false,
            partitions: vec![Partition::new(MAX_TOGETHER)],
            once: Once::default(),
        }
    }
}

impl DistinctPairs {
    /// Adds a value to a group.
    #[inline]
    pub(crate) fn insert(&mut self, group: u32, word: u64) {
        let mixed = mixed_word(word);
        self.waiting[self.waiting_count] = (mixed, group);
        // Whether the pair came lately is hard to foretell: no branch depends on it.
        self.waiting_count += usize::from(self.recent.is_new(mixed, group));
        if self.waiting_count == self.waiting.len() {
            self.settle();
        }
    }

    /// Puts what waits into its partitions.
    fn settle(&mut self) {
        let waiting = &self.waiting[..std::mem::take(&mut self.waiting_count)];
        if !self.has_groups && waiting.iter().any(|(_, group)| *group != 0) {
            self.has_groups = true;
            self.partitions.iter_mut().for_each(|partition| name_rows(&mut partition.pairs));
        }
        if let [only] = &mut self.partitions[..] {
            only.pairs.words.extend(waiting.iter().map(|(word, _)| word));
            if self.has_groups {
                only.pairs.rows.extend(waiting.iter().map(|(_, group)| group));
            }
            if only.pairs.words.len() >= only.drop_from {
                only.drop_repeated(&mut self.once);
                if only.distinct * 2 > MAX_TOGETHER {
                    self.cut();
                }
            }
            return;
        }
        for &(word, group) in waiting {
            let partition = &mut self.partitions[partition_of(word)];
            partition.pairs.words.push(word);
            if self.has_groups {
                partition.pairs.rows.push(group);
            }
            if partition.pairs.words.len() >= partition.drop_from {
                partition.drop_repeated(&mut self.once);
                partition.drop_from = MIN_COLLECTED.max(partition.distinct * COLLECTED_TIMES);
            }
        }
    }

    #[cold]
    fn cut(&mut self) {
        let all = std::mem::take(&mut self.partitions);
        self.recent = Recent::many();
        self.waiting = vec![(0, 0); MAX_WAITING];
        self.partitions = (0..PARTITIONS).map(|_| Partition::new(MIN_COLLECTED)).collect();
        for pairs in all.iter().map(|partition| &partition.pairs) {
            for (group, word) in pairs.iter() {
                let to = &mut self.partitions[partition_of(word)];
                to.pairs.words.push(word);
                if self.has_groups {
                    to.pairs.rows.push(group);
                }
            }
        }
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let partitions = self.partitions.iter().map(|partition| partition.pairs.memory_bytes());
        let around = self.once.memory_bytes() + self.recent.memory_bytes();
        partitions.sum::<usize>() + size_of_val(self.waiting.as_slice()) + around
    }

    /// The pairs, all different, in their partitions.
    fn into_partitions(mut self) -> Vec<Pairs> {
        self.settle();
        self.partitions.iter_mut().for_each(|partition| partition.drop_repeated(&mut self.once));
        self.partitions.into_iter().map(|partition| partition.pairs).collect()
    }

    /// As [`DistinctPairs::into_partitions`], in all of them even if there are few.
    fn into_many(mut self) -> Vec<Pairs> {
        self.settle();
        if self.partitions.len() == 1 {
            self.cut();
        }
        self.into_partitions()
    }

    /// True without pairs.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting_count == 0
            && self.partitions.iter().all(|partition| partition.pairs.words.is_empty())
    }

    /// Gives all values other words.
    pub(crate) fn renamed(self, word: impl Fn(u64) -> u64) -> Self {
        let mut renamed = Self::default();
        renamed.insert_all(&self.into_partitions(), word);
        renamed
    }

    /// Adds the pairs of others.
    pub(crate) fn absorb(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        self.insert_all(&other.into_partitions(), |word| word);
    }

    fn insert_all(&mut self, partitions: &[Pairs], word: impl Fn(u64) -> u64) {
        for (group, mixed) in partitions.iter().flat_map(Pairs::iter) {
            self.insert(group, word(plain_word(mixed)));
        }
    }

    /// How many values some groups have, and the values in the order of the groups.
    pub(crate) fn into_groups(self, groups: &[u32]) -> (Vec<usize>, Vec<u64>) {
        let partitions = self.into_partitions();
        let (counts, mut words) = words_by_row(partitions.iter().flat_map(Pairs::iter), groups);
        words.iter_mut().for_each(|word| *word = plain_word(*word));
        (counts, words)
    }

    /// The sets of some groups, each named once.
    pub(crate) fn into_sets(self, kind: WordKind, groups: &[u32]) -> Sets {
        if self.partitions.len() > 1 {
            return sets_of(kind, groups, self.into_partitions());
        }
        let (counts, words) = self.into_groups(groups);
        Sets::new(groups.len(), vec![SetPart::new(counts, kind.column(words.into_iter()))])
    }
}

/// The sets of some groups, each named once, out of partitions of pairs that are all different.
fn sets_of(kind: WordKind, groups: &[u32], mut partitions: Vec<Pairs>) -> Sets {
    let places = Places::of(groups);
    partitions.iter_mut().for_each(|pairs| number_rows(pairs, &places));
    let partitions = partitions.into_iter().map(Arc::new).collect();
    Sets::new(groups.len(), Vec::new()).with(SpreadPart::new(kind, groups.len(), partitions))
}

/// Gives pairs the places of their groups as rows, and drops those of groups that have none.
fn number_rows(pairs: &mut Pairs, places: &Places) {
    let named = |group: &u32| places.get(*group).is_some();
    let all_named = match pairs.rows.is_empty() {
        true => pairs.words.is_empty() || named(&0),
        false => pairs.rows.iter().all(named),
    };
    if all_named && places.in_place() {
        return;
    }
    name_rows(pairs);
    let mut kept = 0;
    for at in 0..pairs.words.len() {
        if let Some(place) = places.get(pairs.rows[at]) {
            (pairs.words[kept], pairs.rows[kept]) = (pairs.words[at], place);
            kept += 1;
        }
    }
    pairs.words.truncate(kept);
    pairs.rows.truncate(kept);
}

/// Says of each pair that it is of row 0, where that was not said.
fn name_rows(pairs: &mut Pairs) {
    pairs.rows.resize(pairs.words.len(), 0);
}

#[inline]
fn partition_of(mixed: u64) -> usize {
    (mixed >> (64 - PARTITIONS.ilog2())) as usize
}

#[cfg(test)]
mod tests;
