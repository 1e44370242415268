//! One column's values over all segments of a node.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use henge_segment::{Dictionary, DictionaryInstance};
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::table::HashIds;
use super::values::{Chunk, NodeValues};
use crate::error::Result;

/// Values looked up together.
const BATCH: usize = 128;

/// Distinct values with ids that never change.
#[derive(Debug)]
pub struct NodeDictionary {
    state: Mutex<State>,
    maps: Mutex<FxHashMap<DictionaryInstance, Arc<NodeMap>>>,
    memory_bytes: AtomicUsize,
    pub(super) last_used: AtomicU64,
    refused: bool,
}

/// A segment's ids as ids of the node.
#[derive(Debug)]
pub struct NodeMap {
    /// By the segment's id; null stays 0.
    pub ids: Vec<u32>,
    /// Values of at least all those ids.
    pub values: Arc<NodeValues>,
}

#[derive(Debug)]
struct State {
    table: HashIds,
    values: Arc<NodeValues>,
}

impl Default for NodeDictionary {
    fn default() -> Self {
        let values = Arc::new(NodeValues::default());
        Self {
            state: Mutex::new(State { table: HashIds::new(), values }),
            maps: Mutex::default(),
            memory_bytes: AtomicUsize::new(0),
            last_used: AtomicU64::new(0),
            refused: false,
        }
    }
}

/// A panic while a lock was held leaves whole batches behind, never half a value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeDictionary {
    /// Stands for a column whose values outgrow the budget of all dictionaries.
    pub(super) fn refused() -> Self {
        Self { refused: true, ..Self::default() }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    /// The map of a segment's dictionary, if it was made.
    #[must_use]
    pub fn map(&self, instance: DictionaryInstance) -> Option<Arc<NodeMap>> {
        lock(&self.maps).get(&instance).cloned()
    }

    /// The map of a segment's dictionary, made now if need be.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn map_of(
        &self,
        instance: DictionaryInstance,
        dictionary: &dyn Dictionary,
    ) -> Result<Arc<NodeMap>> {
        if let Some(map) = self.map(instance) {
            return Ok(map);
        }
        let mut state = lock(&self.state);
        // Another thread may have made it while this one waited.
        if let Some(map) = self.map(instance) {
            return Ok(map);
        }
        let mut ids = vec![0; dictionary.len() as usize];
        let mut writer = Writer::new(&mut state, dictionary.len() as usize);
        let mut batch = Batch::default();
        let mut next = 1;
        dictionary.for_each(1..dictionary.len(), &mut |_, text| {
            batch.push(text.unwrap_or_default());
            if batch.ends.len() == BATCH {
                next += writer.ids_of(&mut batch, &mut ids[next..]);
            }
        })?;
        writer.ids_of(&mut batch, &mut ids[next..]);
        let values = writer.finish();
        let map = Arc::new(NodeMap { ids, values });
        let mut maps = lock(&self.maps);
        maps.insert(instance, Arc::clone(&map));
        let mapped: usize = maps.values().map(|map| map.ids.len() * 4).sum();
        let chunks = state.values.memory_bytes();
        self.memory_bytes.store(mapped + chunks + state.table.memory_bytes(), Ordering::Relaxed);
        Ok(map)
    }

    /// The ids of some values, new ones where they are not known, and values that cover them.
    pub fn intern<'v>(
        &self,
        values: impl ExactSizeIterator<Item = &'v str>,
    ) -> (Vec<u32>, Arc<NodeValues>) {
        let mut state = lock(&self.state);
        let mut ids = vec![0; values.len()];
        let mut writer = Writer::new(&mut state, values.len());
        let mut batch = Batch::default();
        let mut next = 0;
        for value in values {
            batch.push(value);
            if batch.ends.len() == BATCH {
                next += writer.ids_of(&mut batch, &mut ids[next..]);
            }
        }
        writer.ids_of(&mut batch, &mut ids[next..]);
        (ids, writer.finish())
    }

    /// Forgets a segment that is no longer served.
    pub(super) fn forget(&self, segment: u64) {
        lock(&self.maps).retain(|instance, _| instance.segment != segment);
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes.load(Ordering::Relaxed)
    }
}

/// Values that are looked up together.
#[derive(Default)]
struct Batch {
    bytes: String,
    ends: Vec<usize>,
    hashes: Vec<u64>,
}

impl Batch {
    fn push(&mut self, value: &str) {
        self.bytes.push_str(value);
        self.ends.push(self.bytes.len());
        self.hashes.push(xxh3_64(value.as_bytes()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.hashes.clear();
    }
}

/// Adds values to a dictionary: new ones go to one chunk.
struct Writer<'s> {
    state: &'s mut State,
    chunk: Chunk,
    touched: u64,
}

impl<'s> Writer<'s> {
    fn new(state: &'s mut State, expected: usize) -> Self {
        let chunk = Chunk::new(state.values.id_count() as u32);
        state.table.reserve(expected.min(BATCH));
        Self { state, chunk, touched: 0 }
    }

    /// Writes the ids of a batch and empties it. Gives their number.
    fn ids_of(&mut self, batch: &mut Batch, ids: &mut [u32]) -> usize {
        let Self { state, chunk, touched } = self;
        let State { table, values } = &mut **state;
        table.reserve(batch.ends.len());
        *touched ^= table.touch(&batch.hashes);
        let mut start = 0;
        for ((&end, &hash), id) in batch.ends.iter().zip(&batch.hashes).zip(ids) {
            let value = &batch.bytes[start..end];
            start = end;
            let is_equal = |id: u32| match id < chunk.first_id() {
                true => values.get(id) == Some(value),
                false => chunk.get(id) == value,
            };
            *id = match table.find(hash, is_equal) {
                Ok(id) => id,
                Err(at) => {
                    let id = chunk.push(value);
                    table.put(at, hash, id);
                    id
                }
            };
        }
        let count = batch.ends.len();
        batch.clear();
        count
    }

    /// Shows the new values.
    fn finish(self) -> Arc<NodeValues> {
        std::hint::black_box(self.touched);
        if self.chunk.next_id() > self.chunk.first_id() {
            self.state.values = Arc::new(self.state.values.with(self.chunk));
        }
        Arc::clone(&self.state.values)
    }
}
