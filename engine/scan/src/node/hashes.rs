//! The hashes of segments' dictionaries: a distinct count over a column hashes each value of a
//! segment once, not once a query.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use henge_segment::{Dictionary, DictionaryInstance};
use henge_sketch::HllHash;
use rustc_hash::FxHashMap;

use crate::error::Result;

/// All values are hashed when queries met at least this share of them.
const WORTH_HASHING: usize = 16;
/// What a hash that is kept by its id takes, with the table's free places.
const ENTRY_BYTES: usize = 16;

/// Hashes by dictionary, at most so many bytes.
#[derive(Debug)]
pub(super) struct TextHashes {
    kept: Mutex<FxHashMap<DictionaryInstance, Kept>>,
    budget_bytes: usize,
}

/// What is kept of one dictionary.
#[derive(Debug)]
enum Kept {
    /// The values that queries met: those who look at the last hours meet the same ones again.
    Some(FxHashMap<u32, HllHash>),
    /// All values, by id.
    All(Arc<[HllHash]>),
}

impl Kept {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Some(hashes) => hashes.len() * ENTRY_BYTES,
            Self::All(hashes) => size_of_val(&**hashes),
        }
    }
}

impl TextHashes {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { kept: Mutex::default(), budget_bytes }
    }

    /// The hash of each value by its id (that of null means nothing), when they are kept or worth
    /// keeping for a query that met `wanted` of the values.
    pub(super) fn of(
        &self,
        dictionary: &dyn Dictionary,
        wanted: usize,
    ) -> Result<Option<Arc<[HllHash]>>> {
        let Some(instance) = dictionary.instance() else { return Ok(None) };
        let met = match self.kept().get(&instance) {
            Some(Kept::All(hashes)) => return Ok(Some(Arc::clone(hashes))),
            Some(Kept::Some(hashes)) => hashes.len().max(wanted),
            None => wanted,
        };
        let count = dictionary.len() as usize;
        if met.saturating_mul(WORTH_HASHING) < count {
            return Ok(None);
        }
        let mut hashes = Vec::with_capacity(count);
        dictionary.for_each(0..dictionary.len(), &mut |_, text| {
            hashes.push(HllHash::of_str(text.unwrap_or_default()));
        })?;
        let hashes: Arc<[HllHash]> = hashes.into();
        let mut kept = self.kept();
        kept.remove(&instance);
        if memory_bytes(&kept) + size_of_val(&*hashes) <= self.budget_bytes {
            kept.insert(instance, Kept::All(Arc::clone(&hashes)));
        }
        Ok(Some(hashes))
    }

    /// Some ids, which ascend and are not that of null, with their hashes. Those that no query met
    /// before are made by `hash`, which is given their ids.
    pub(super) fn of_ids(
        &self,
        dictionary: &dyn Dictionary,
        ids: &[u32],
        hash: impl FnOnce(&[u32]) -> Result<Vec<(u32, HllHash)>>,
    ) -> Result<Vec<(u32, HllHash)>> {
        let Some(instance) = dictionary.instance() else { return hash(ids) };
        let (mut hashes, missing) = self.known(instance, ids);
        if missing.is_empty() {
            return Ok(hashes);
        }
        let made = hash(&missing)?;
        self.keep(instance, &made);
        hashes.extend(made);
        hashes.sort_unstable_by_key(|(id, _)| *id);
        Ok(hashes)
    }

    /// The ids whose hashes are kept, and the others.
    fn known(&self, instance: DictionaryInstance, ids: &[u32]) -> (Vec<(u32, HllHash)>, Vec<u32>) {
        let kept = self.kept();
        let Some(kept) = kept.get(&instance) else { return (Vec::new(), ids.to_vec()) };
        let (mut known, mut missing) = (Vec::with_capacity(ids.len()), Vec::new());
        for &id in ids {
            let hash = match kept {
                Kept::Some(hashes) => hashes.get(&id),
                Kept::All(hashes) => hashes.get(id as usize),
            };
            match hash {
                Some(hash) => known.push((id, *hash)),
                None => missing.push(id),
            }
        }
        (known, missing)
    }

    fn keep(&self, instance: DictionaryInstance, hashes: &[(u32, HllHash)]) {
        let mut kept = self.kept();
        if memory_bytes(&kept) + hashes.len() * ENTRY_BYTES > self.budget_bytes {
            return;
        }
        let place = kept.entry(instance).or_insert_with(|| Kept::Some(FxHashMap::default()));
        if let Kept::Some(known) = place {
            known.extend(hashes.iter().copied());
        }
    }

    /// Forgets a segment that is no longer served.
    pub(super) fn forget(&self, segment: u64) {
        self.kept().retain(|instance, _| instance.segment != segment);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        memory_bytes(&self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, FxHashMap<DictionaryInstance, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn memory_bytes(kept: &FxHashMap<DictionaryInstance, Kept>) -> usize {
    kept.values().map(Kept::memory_bytes).sum()
}
