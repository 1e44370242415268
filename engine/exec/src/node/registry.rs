//! All node-wide dictionaries of a node, by datasource and column, within a budget.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use henge_segment::Dictionary;
use rustc_hash::FxHashMap;

use super::dictionary::{NodeDictionary, NodeMap};
use crate::error::Result;

/// Dictionaries of at most this many values are mapped whenever they are met: it costs next to
/// nothing.
const SMALL_DICTIONARY: u32 = 1 << 12;

/// A larger dictionary is mapped when a query met at least this share of its values.
const WORTH_MAPPING: usize = 16;

/// Bytes that a value takes in a dictionary, its text aside: table, end, maps.
const VALUE_BYTES: usize = 48;

/// The dictionaries that a segment's keys may be numbered by.
#[derive(Debug, Clone, Copy)]
pub struct NodeScope<'a> {
    /// The node's dictionaries.
    pub dictionaries: &'a NodeDictionaries,
    /// The segment's datasource.
    pub datasource: &'a Arc<str>,
}

/// By datasource and column.
type ByColumn = FxHashMap<(Arc<str>, String), Arc<NodeDictionary>>;

/// The dictionaries of a node.
#[derive(Debug)]
pub struct NodeDictionaries {
    columns: Mutex<ByColumn>,
    budget_bytes: usize,
    clock: AtomicU64,
}

impl NodeDictionaries {
    /// No dictionaries yet, at most `budget_bytes` of them later.
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        Self { columns: Mutex::default(), budget_bytes, clock: AtomicU64::new(0) }
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
    }

    /// Bytes of memory of all dictionaries, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.columns().values().map(|node| node.memory_bytes()).sum()
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
