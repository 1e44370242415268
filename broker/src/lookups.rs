//! The lookups that queries may name, as the metadata have them.
//!
//! They are read when a query names one and something was committed since, or some time has passed in
//! which another process may have changed them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use henge_expr::{Lookup, Lookups};
use henge_platform::metadata::{
    DEFAULT_LOOKUP_TIER, LookupDocument, LookupSpec, MetadataStore, read_lookups,
};
use henge_query::{LookupSet, lookup_of};
use parking_lot::Mutex;
use serde_json::Map;
use tokio::time::Instant;

use crate::error::{BrokerError, Result};

/// How old they may be; finds what other processes set.
const MAX_AGE: Duration = Duration::from_secs(1);

/// All lookups of the cluster.
#[derive(Debug)]
pub(crate) struct KnownLookups {
    metadata: Arc<dyn MetadataStore>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    set: Arc<LookupSet>,
    specs: Arc<HashMap<String, Entry>>,
    commits: u64,
    read_at: Instant,
}

#[derive(Debug, Clone)]
struct Entry {
    version: u64,
    spec: LookupSpec,
    lookup: Arc<Lookup>,
}

impl KnownLookups {
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self { metadata, known: Mutex::default() }
    }

    /// The lookups for a query that may name some: none are read for one that does not.
    ///
    /// # Errors
    /// When it is not known which there are.
    pub(crate) async fn for_query(&self, text: &[u8]) -> Result<Option<Arc<dyn Lookups>>> {
        /// In what expressions, dimensions, extraction functions and data sources say of lookups.
        const WORD: &str = "ookup";
        match std::str::from_utf8(text).is_ok_and(|text| text.contains(WORD)) {
            true => Ok(Some(self.all().await?)),
            false => Ok(None),
        }
    }

    /// All lookups.
    ///
    /// # Errors
    /// When it is not known which there are.
    pub(crate) async fn all(&self) -> Result<Arc<dyn Lookups>> {
        Ok(self.current().await?.set)
    }

    /// What was read last, by name, with the version of each; nothing is read.
    pub(crate) fn known(&self) -> BTreeMap<String, (u64, Arc<Lookup>)> {
        let known = self.known.lock();
        let entries = known.iter().flat_map(|known| known.specs.iter());
        let shown =
            entries.map(|(name, entry)| (name.clone(), (entry.version, Arc::clone(&entry.lookup))));
        shown.collect()
    }

    /// What was set of each, by name.
    ///
    /// # Errors
    /// When it is not known which there are.
    pub(crate) async fn specs(&self) -> Result<Vec<(String, LookupSpec)>> {
        let known = self.current().await?;
        let entries = known.specs.iter().map(|(name, entry)| (name.clone(), entry.spec.clone()));
        let mut specs: Vec<_> = entries.collect();
        specs.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(specs)
    }

    async fn current(&self) -> Result<Known> {
        let commits = *self.metadata.commits().borrow();
        let known = self.known.lock().clone();
        let is_fresh =
            |known: &Known| known.commits == commits && known.read_at.elapsed() < MAX_AGE;
        if let Some(known) = known.as_ref().filter(|known| is_fresh(known)) {
            return Ok(known.clone());
        }
        let read_at = Instant::now();
        let documents = match read_lookups(&*self.metadata).await {
            Ok(documents) => documents,
            // As with segments: what was known last holds while the metadata are away.
            Err(error) => {
                return known
                    .ok_or_else(|| BrokerError::MetadataAway { reason: error.to_string() });
            }
        };
        let before = known.map(|known| known.specs).unwrap_or_default();
        let (mut set, mut specs) = (LookupSet::default(), HashMap::new());
        for (LookupDocument { tier, id, spec }, version) in documents {
            let Some(spec) = spec.filter(|_| tier == DEFAULT_LOOKUP_TIER) else { continue };
            let entry = match before.get(&id).filter(|entry| entry.version == version) {
                Some(entry) => entry.clone(),
                None => {
                    let lookup = lookup_of(&id, spec.map().unwrap_or(&Map::new()));
                    Entry { version, spec, lookup: Arc::new(lookup) }
                }
            };
            set.insert(Arc::clone(&entry.lookup));
            specs.insert(id, entry);
        }
        let now = Known { set: Arc::new(set), specs: Arc::new(specs), commits, read_at };
        *self.known.lock() = Some(now.clone());
        Ok(now)
    }
}
