//! The hashes of segments' dictionaries: a distinct count over a column hashes each value of a
//! segment once, not once a query.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use henge_segment::{Dictionary, DictionaryInstance};
use henge_sketch::HllHash;
use rustc_hash::FxHashMap;

use crate::error::Result;

/// All values are hashed when a query met at least this share of them.
const WORTH_HASHING: usize = 16;

/// Hashes by dictionary, at most so many bytes.
#[derive(Debug)]
pub(super) struct TextHashes {
    kept: Mutex<FxHashMap<DictionaryInstance, Arc<[HllHash]>>>,
    budget_bytes: usize,
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
        if let Some(hashes) = self.kept().get(&instance) {
            return Ok(Some(Arc::clone(hashes)));
        }
        let count = dictionary.len() as usize;
        if wanted.saturating_mul(WORTH_HASHING) < count {
            return Ok(None);
        }
        let mut hashes = Vec::with_capacity(count);
        dictionary.for_each(0..dictionary.len(), &mut |_, text| {
            hashes.push(HllHash::of_str(text.unwrap_or_default()));
        })?;
        let hashes: Arc<[HllHash]> = hashes.into();
        let mut kept = self.kept();
        if bytes(&kept) + size_of_val(&*hashes) <= self.budget_bytes {
            kept.insert(instance, Arc::clone(&hashes));
        }
        Ok(Some(hashes))
    }

    /// Forgets a segment that is no longer served.
    pub(super) fn forget(&self, segment: u64) {
        self.kept().retain(|instance, _| instance.segment != segment);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        bytes(&self.kept())
    }

    fn kept(&self) -> MutexGuard<'_, FxHashMap<DictionaryInstance, Arc<[HllHash]>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(kept: &FxHashMap<DictionaryInstance, Arc<[HllHash]>>) -> usize {
    kept.values().map(|hashes| size_of_val(&**hashes)).sum()
}
