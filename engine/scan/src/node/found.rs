//! What filters found in dictionaries: who asks again for the rows whose text contains a word need
//! not search the dictionary of each segment again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use henge_query::comparison::Truth;
use henge_segment::DictionaryInstance;
use rustc_hash::FxHashMap;

use crate::id_test::IdTest;

/// Which search: a dictionary, and all that decides which of its values pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Search {
    /// The dictionary.
    pub(crate) dictionary: DictionaryInstance,
    /// The comparison, as the filter's JSON.
    pub(crate) filter: String,
    /// Which truth passes.
    pub(crate) wanted: Truth,
}

/// Ids by search, at most so many bytes.
#[derive(Debug)]
pub(super) struct FoundIds {
    kept: Mutex<Kept>,
    budget_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    found: FxHashMap<Search, Found>,
    used_bytes: usize,
    /// How often was asked.
    clock: u64,
}

#[derive(Debug)]
struct Found {
    ids: IdTest,
    last_used: u64,
    size_bytes: usize,
}

impl FoundIds {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { kept: Mutex::default(), budget_bytes }
    }

    /// What the search found before.
    pub(super) fn get(&self, search: &Search) -> Option<IdTest> {
        let mut kept = self.kept();
        kept.clock += 1;
        let now = kept.clock;
        let found = kept.found.get_mut(search)?;
        found.last_used = now;
        Some(found.ids.clone())
    }

    /// Keeps what a search found. What was not asked for the longest makes room.
    pub(super) fn keep(&self, search: Search, ids: &IdTest) {
        let size_bytes = size_of::<(Search, Found)>() + search.filter.len() + ids.heap_bytes();
        // One that takes most of the budget would only drive out others.
        if size_bytes > self.budget_bytes / 2 {
            return;
        }
        let mut kept = self.kept();
        kept.forget_where(|other, _| *other == search);
        while kept.used_bytes + size_bytes > self.budget_bytes {
            let Some(oldest) = kept.found.values().map(|found| found.last_used).min() else {
                return;
            };
            kept.forget_where(|_, found| found.last_used == oldest);
        }
        kept.clock += 1;
        let last_used = kept.clock;
        kept.used_bytes += size_bytes;
        kept.found.insert(search, Found { ids: ids.clone(), last_used, size_bytes });
    }

    /// Forgets a segment that is no longer served.
    pub(super) fn forget(&self, segment: u64) {
        self.kept().forget_where(|search, _| search.dictionary.segment == segment);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.kept().used_bytes
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_where(&mut self, gone: impl Fn(&Search, &Found) -> bool) {
        let used_bytes = &mut self.used_bytes;
        self.found.retain(|search, found| {
            let stays = !gone(search, found);
            if !stays {
                *used_bytes -= found.size_bytes;
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(segment: u64, word: &str) -> Search {
        let dictionary = DictionaryInstance { segment, column: 1 };
        Search { dictionary, filter: word.to_owned(), wanted: Truth::True }
    }

    #[test]
    fn what_was_asked_for_least_lately_makes_room() {
        let set = |bit: u32| IdTest::Set(vec![1 << bit; 128]);
        let each = size_of::<(Search, Found)>() + 1 + set(0).heap_bytes();
        let found = FoundIds::new(3 * each);
        for (bit, word) in ["a", "b", "c"].into_iter().enumerate() {
            found.keep(search(1, word), &set(bit as u32));
        }
        assert_eq!(found.memory_bytes(), 3 * each);
        assert_eq!(found.get(&search(1, "a")), Some(set(0)));
        found.keep(search(2, "d"), &set(3));
        let kept = ["a", "b", "c"].map(|word| found.get(&search(1, word)).is_some());
        assert_eq!(kept, [true, false, true]);
        // The same search again takes no more.
        found.keep(search(2, "d"), &set(3));
        assert_eq!(found.memory_bytes(), 3 * each);
        found.keep(search(3, "e"), &IdTest::Set(vec![0; 1_000]));
        assert_eq!(found.get(&search(3, "e")), None);
        found.forget(1);
        assert_eq!((found.memory_bytes(), found.get(&search(1, "a"))), (each, None));
        assert_eq!(found.get(&search(2, "d")), Some(set(3)));
    }
}
