//! All node-wide dictionaries of a node, by datasource and column, within a budget.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use henge_segment::Dictionary;
use henge_sketch::HllHash;
use rustc_hash::FxHashMap;

use super::dictionary::{NodeDictionary, NodeMap};
use super::found::{FoundIds, Search};
use super::hashes::TextHashes;
use crate::error::Result;
use crate::id_test::IdTest;

/// Dictionaries of at most this many values are mapped whenever they are met: it costs next to
/// nothing.
const SMALL_DICTIONARY: u32 = 1 << 12;

/// A larger dictionary is mapped when a query met at least this share of its values.
const WORTH_MAPPING: usize = 16;

/// The share of the budget that is for hashes.
const HASHES_SHARE: usize = 4;

/// The share of the budget that is for what filters found.
const FOUND_SHARE: usize = 16;

/// Bytes that a value takes in a dictionary, its text aside: table, end, maps.
const VALUE_BYTES: usize = 48;

/// The dictionaries that a segment's keys may be numbered by.
#[derive(Debug, Clone, Copy)]
pub struct NodeScope<'a> {
    /// The node's dictionaries.
    pub dictionaries: &'a NodeDictionaries,
    /// The segment's datasource.
    pub datasource: &'a Arc<str>,
    /// About how many groups of the segment are to be named in all, if it is known to be more than
    /// those at hand.
    pub expected_groups: usize,
}

/// By datasource and column.
type ByColumn = FxHashMap<(Arc<str>, String), Arc<NodeDictionary>>;

/// The dictionaries of a node.
#[derive(Debug)]
pub struct NodeDictionaries {
    columns: Mutex<ByColumn>,
    hashes: TextHashes,
    found: FoundIds,
    budget_bytes: usize,
    clock: AtomicU64,
}

impl NodeDictionaries {
    /// No dictionaries yet, at most `budget_bytes` of them, of values' hashes and of what filters
    /// found later.
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        let hashes_bytes = budget_bytes / HASHES_SHARE;
        let found_bytes = budget_bytes / FOUND_SHARE;
        Self {
            columns: Mutex::default(),
            hashes: TextHashes::new(hashes_bytes),
            found: FoundIds::new(found_bytes),
            budget_bytes: budget_bytes - hashes_bytes - found_bytes,
            clock: AtomicU64::new(0),
        }
    }

    /// The hash of each of a dictionary's values by id (that of null means nothing), when they are
    /// kept or worth keeping for a query that met `wanted` of the values.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn hashes_of(
        &self,
        dictionary: &dyn Dictionary,
        wanted: usize,
    ) -> Result<Option<Arc<[HllHash]>>> {
        self.hashes.of(dictionary, wanted)
    }

    /// Some ids of a dictionary, which ascend and are not that of null, with their hashes: those that
    /// no query met before are made by `hash`, which is given their ids.
    ///
    /// # Errors
    /// Those of `hash`.
    pub fn hashes_of_ids(
        &self,
        dictionary: &dyn Dictionary,
        ids: &[u32],
        hash: impl FnOnce(&[u32]) -> Result<Vec<(u32, HllHash)>>,
    ) -> Result<Vec<(u32, HllHash)>> {
        self.hashes.of_ids(dictionary, ids, hash)
    }

    /// The ids that a search in a dictionary found, when it is kept.
    pub(crate) fn found(&self, search: &Search) -> Option<IdTest> {
        self.found.get(search)
    }

    /// Keeps the ids that a search in a dictionary found.
    pub(crate) fn keep_found(&self, search: Search, ids: &IdTest) {
        self.found.keep(search, ids);
    }

    /// The map of a segment's dictionary, when there is one or it is worth making for a query that
    /// met `group_count` of its values.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn map_of(
        &self,
        datasource: &Arc<str>,
        column: &str,
        dictionary: &dyn Dictionary,
        group_count: usize,
    ) -> Result<Option<(Arc<NodeDictionary>, Arc<NodeMap>)>> {
        let Some(instance) = dictionary.instance() else { return Ok(None) };
        let length = dictionary.len() as usize;
        if length.saturating_mul(VALUE_BYTES) > self.budget_bytes {
            return Ok(None);
        }
        let node = self.dictionary(datasource, column);
        if node.is_refused() {
            return Ok(None);
        }
        if let Some(map) = node.map(instance) {
            return Ok(Some((node, map)));
        }
        let worth = dictionary.len() <= SMALL_DICTIONARY
            || group_count.saturating_mul(WORTH_MAPPING) >= length;
        if !worth {
            return Ok(None);
        }
        let map = node.map_of(instance, dictionary)?;
        self.keep_to_budget();
        Ok(Some((node, map)))
    }

    /// Forgets a segment, by its instance number, that is no longer served.
    pub fn forget(&self, segment: u64) {
        let mut columns = self.columns();
        columns.retain(|_, node| !node.is_refused());
        columns.values().for_each(|node| node.forget(segment));
        self.hashes.forget(segment);
        self.found.forget(segment);
    }

    /// Bytes of memory of all that is kept, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let dictionaries: usize = self.columns().values().map(|node| node.memory_bytes()).sum();
        dictionaries + self.hashes.memory_bytes() + self.found.memory_bytes()
    }

    fn columns(&self) -> MutexGuard<'_, ByColumn> {
        self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dictionary(&self, datasource: &Arc<str>, column: &str) -> Arc<NodeDictionary> {
        let mut columns = self.columns();
        let node = columns.entry((Arc::clone(datasource), column.to_owned())).or_default();
        node.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Arc::clone(node)
    }

    /// Drops the dictionaries that were used longest ago. Queries that hold one keep it until they
    /// end.
    fn keep_to_budget(&self) {
        let mut columns = self.columns();
        let mut used: usize = columns.values().map(|node| node.memory_bytes()).sum();
        while used > self.budget_bytes {
            let oldest = columns
                .iter()
                .min_by_key(|(_, node)| node.last_used.load(Ordering::Relaxed))
                .map(|(key, node)| (key.clone(), node.memory_bytes()));
            let Some((key, bytes)) = oldest else { return };
            columns.remove(&key);
            used -= bytes;
            if bytes > self.budget_bytes {
                // It would be built and dropped by every query.
                columns.insert(key, Arc::new(NodeDictionary::refused()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use henge_segment::DictionaryInstance;

    use super::*;

    /// Some sorted values of the segment of a number.
    struct Values(u64, Vec<String>);

    impl Dictionary for Values {
        fn len(&self) -> u32 {
            self.1.len() as u32 + 1
        }
        fn is_sorted(&self) -> bool {
            true
        }
        fn get(&self, id: u32) -> henge_segment::Result<Option<Cow<'_, str>>> {
            Ok((id > 0).then(|| self.1[id as usize - 1].as_str().into()))
        }
        fn lookup(&self, _: &str) -> henge_segment::Result<Option<u32>> {
            Ok(None)
        }
        fn lower_bound(&self, _: &str) -> henge_segment::Result<u32> {
            Ok(1)
        }
        fn for_each(
            &self,
            ids: std::ops::Range<u32>,
            visit: &mut dyn FnMut(u32, Option<&str>),
        ) -> henge_segment::Result<()> {
            ids.for_each(|id| {
                visit(id, self.1.get((id as usize).wrapping_sub(1)).map(String::as_str));
            });
            Ok(())
        }
        fn instance(&self) -> Option<DictionaryInstance> {
            Some(DictionaryInstance { segment: self.0, column: 0 })
        }
    }

    fn segment(number: u64, values: std::ops::Range<u32>) -> Values {
        Values(number, values.map(|value| format!("value {value:06}")).collect())
    }

    #[test]
    fn equal_values_of_all_segments_have_one_id() {
        let dictionaries = NodeDictionaries::new(1 << 24);
        let datasource: Arc<str> = "t".into();
        let first = segment(1, 0..1_000);
        let second = segment(2, 500..2_000);
        let map = |segment: &Values| {
            let mapped = dictionaries.map_of(&datasource, "c", segment, 1).unwrap().unwrap();
            assert_eq!(mapped.1.ids.len(), segment.len() as usize);
            for id in 0..segment.len() {
                let text = segment.get(id).unwrap();
                assert_eq!(mapped.1.values.get(mapped.1.ids[id as usize]), text.as_deref());
            }
            mapped
        };
        let (node, maps) = map(&first);
        let (same, other) = map(&second);
        assert!(Arc::ptr_eq(&node, &same));
        assert_eq!(maps.ids[501], other.ids[1]);
        assert_eq!(other.values.id_count(), 2_001);
        assert!(node.memory_bytes() > 0);
        dictionaries.forget(1);
        assert!(node.map(DictionaryInstance { segment: 1, column: 0 }).is_none());
        assert!(node.map(DictionaryInstance { segment: 2, column: 0 }).is_some());
    }

    #[test]
    fn large_dictionaries_are_mapped_only_for_queries_that_meet_much_of_them() {
        let dictionaries = NodeDictionaries::new(1 << 24);
        let large = segment(1, 0..10_000);
        let mapped = |groups| dictionaries.map_of(&"t".into(), "c", &large, groups).unwrap();
        assert!(mapped(10).is_none());
        assert!(mapped(1_000).is_some());
        assert!(mapped(10).is_some(), "it is there now");
    }

    #[test]
    fn a_value_is_hashed_once_and_many_that_were_met_make_all_worth_it() {
        let dictionaries = NodeDictionaries::new(1 << 20);
        let values = segment(1, 0..1_000);
        let hash_of = |id: u32| HllHash::of_str(&values.1[id as usize - 1]);
        let hashes = |ids: &[u32], new: &[u32]| {
            let made = dictionaries.hashes_of_ids(&values, ids, |missing| {
                assert_eq!(missing, new);
                Ok(missing.iter().map(|&id| (id, hash_of(id))).collect())
            });
            let expected: Vec<_> = ids.iter().map(|&id| (id, hash_of(id))).collect();
            assert_eq!(made.unwrap(), expected);
        };
        hashes(&[3, 5, 900], &[3, 5, 900]);
        hashes(&[1, 3, 5, 700, 900, 1_000], &[1, 700, 1_000]);
        hashes(&[3, 1_000], &[]);
        assert!(dictionaries.hashes_of(&values, 6).unwrap().is_none());
        hashes(&Vec::from_iter(100..160), &Vec::from_iter(100..160));
        let all = dictionaries.hashes_of(&values, 1).unwrap().unwrap();
        assert!(all.len() == 1_001 && all[900] == hash_of(900));
        hashes(&[899, 900], &[]);
        dictionaries.forget(1);
        assert_eq!(dictionaries.memory_bytes(), 0);
    }

    #[test]
    fn hashes_beyond_the_budget_are_made_again() {
        let dictionaries = NodeDictionaries::new(4 * 100 * 16);
        let values = segment(1, 0..1_000);
        for (ids, kept) in [(1..101, true), (101..102, false)] {
            let ids: Vec<u32> = ids.collect();
            let make = |missing: &[u32]| {
                Ok(missing.iter().map(|&id| (id, HllHash::of_str("x"))).collect())
            };
            assert_eq!(dictionaries.hashes_of_ids(&values, &ids, make).unwrap().len(), ids.len());
            let again = dictionaries.hashes_of_ids(&values, &ids, |missing| {
                assert_eq!(missing.is_empty(), kept);
                make(missing)
            });
            assert_eq!(again.unwrap().len(), ids.len());
        }
    }

    #[test]
    fn the_budget_holds_and_what_alone_exceeds_it_is_not_built_again() {
        let dictionaries = NodeDictionaries::new(266_666);
        let datasource: Arc<str> = "t".into();
        for (number, column) in ["a", "b", "c"].into_iter().enumerate() {
            let values = segment(number as u64, 0..2_000);
            dictionaries.map_of(&datasource, column, &values, 2_000).unwrap();
            assert!(dictionaries.memory_bytes() <= 200_000, "{column}");
        }
        // Segment by segment it grows beyond the budget.
        for number in 10..20 {
            let values = segment(number, number as u32 * 3_000..number as u32 * 3_000 + 3_000);
            dictionaries.map_of(&datasource, "d", &values, 3_000).unwrap();
            assert!(dictionaries.memory_bytes() <= 200_000);
        }
        let again = segment(10, 30_000..33_000);
        assert!(dictionaries.map_of(&datasource, "d", &again, 3_000).unwrap().is_none());
        dictionaries.forget(10);
        assert!(dictionaries.map_of(&datasource, "d", &again, 3_000).unwrap().is_some());
    }
}
