//! Pairs of several contributions: those that lie in partitions stay there, and each partition's
//! repetitions are dropped once.

use std::sync::Arc;

use henge_vector::{Pairs, Sets, WordKind};

use super::once::Once;
use super::{COLLECTED_TIMES, DistinctPairs, PARTITIONS, name_rows, sets_of};

/// Pairs that are held before repetitions are dropped for the first time.
const MIN_HELD: usize = 1 << 22;

/// Distinct pairs of a group and a value.
#[derive(Debug)]
pub(crate) struct MergedPairs {
    kind: WordKind,
    /// Pairs that came one by one.
    single: DistinctPairs,
    /// What came in partitions, by partition.
    spread: Vec<Vec<Arc<Pairs>>>,
    held: usize,
    drop_from: usize,
    /// True when rows of one contribution may be of the same group.
    may_repeat: bool,
}

impl MergedPairs {
    /// None yet.
    pub(crate) fn new(kind: WordKind) -> Self {
        let single = DistinctPairs::default();
        let spread = Vec::new();
        Self { kind, single, spread, held: 0, drop_from: MIN_HELD, may_repeat: false }
    }

    /// Adds a value to a group.
    #[inline]
    pub(crate) fn insert(&mut self, group: u32, word: u64) {
        self.single.insert(group, word);
    }

    /// Adds partitions whose row `r` is of group `groups[r]`.
    pub(crate) fn add(&mut self, partitions: Vec<Arc<Pairs>>, groups: &[u32]) {
        if partitions.len() != PARTITIONS {
            for pairs in &partitions {
                for (row, mixed) in pairs.iter() {
                    self.insert(groups[row as usize], henge_vector::plain_word(mixed));
                }
            }
            return;
        }
        self.spread.resize_with(PARTITIONS, Vec::new);
        let in_place = (0..).zip(groups).all(|(row, group)| row == *group);
        self.may_repeat |= !in_place;
        for (own, mut pairs) in self.spread.iter_mut().zip(partitions) {
            if pairs.words.is_empty() {
                continue;
            }
            if !in_place {
                let pairs = Arc::make_mut(&mut pairs);
                name_rows(pairs);
                pairs.rows.iter_mut().for_each(|row| *row = groups[*row as usize]);
            }
            self.held += pairs.words.len();
            own.push(pairs);
        }
        if self.held >= self.drop_from {
            self.drop_repeated();
        }
    }

    /// Adds what others have.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.single.absorb(other.single);
        self.held += other.held;
        self.may_repeat |= other.may_repeat;
        match self.spread.is_empty() {
            true => self.spread = other.spread,
            false => {
                let others = self.spread.iter_mut().zip(other.spread);
                others.for_each(|(own, others)| own.extend(others));
            }
        }
        if self.held >= self.drop_from {
            self.drop_repeated();
        }
    }

    fn drop_repeated(&mut self) {
        let mut once = Once::default();
        self.held = 0;
        for partition in self.spread.iter_mut().filter(|partition| !partition.is_empty()) {
            let distinct = merged(std::mem::take(partition), self.may_repeat, &mut once);
            self.held += distinct.words.len();
            partition.push(Arc::new(distinct));
        }
        self.drop_from = MIN_HELD.max(self.held * COLLECTED_TIMES);
    }

    /// True without pairs.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0 && self.single.is_empty()
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let spread = self.spread.iter().flatten().map(|pairs| pairs.memory_bytes());
        spread.sum::<usize>() + self.single.memory_bytes()
    }

    /// The sets of some groups, each named once.
    pub(crate) fn into_sets(mut self, groups: &[u32]) -> Sets {
        if self.spread.is_empty() {
            return self.single.into_sets(self.kind, groups);
        }
        if !self.single.is_empty() {
            for (partition, pairs) in self.spread.iter_mut().zip(self.single.into_many()) {
                partition.push(Arc::new(pairs));
            }
        }
        let mut once = Once::default();
        let merged = |partition| merged(partition, self.may_repeat, &mut once);
        let partitions = self.spread.into_iter().map(merged);
        sets_of(self.kind, groups, partitions.collect())
    }
}

/// The distinct pairs of a partition. What it was made of is dropped.
fn merged(mut partition: Vec<Arc<Pairs>>, may_repeat: bool, once: &mut Once) -> Pairs {
    match (partition.len(), may_repeat) {
        (0, _) => Pairs::default(),
        (1, false) => partition.pop().map(Arc::unwrap_or_clone).unwrap_or_default(),
        _ => once.distinct(&partition.iter().map(|pairs| &**pairs).collect::<Vec<_>>()),
    }
}
