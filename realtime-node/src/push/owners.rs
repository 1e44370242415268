//! Which node owns which idempotency keys of a datasource (ADR 30).
//!
//! A key is of one of 64 slots, and each slot has one owner, as a document of the metadata says. It changes
//! when its owner gives it away, having published all that it holds of such keys; or when whoever goes on
//! with the owner's log has replayed it.

use std::collections::BTreeSet;
use std::sync::Arc;

use henge_platform::metadata::{Fence, MetadataError, MetadataStore};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{RealtimeError, Result};
use crate::options::FIRST_NODE;

/// The kind of the documents.
const KIND: &str = "push-keys";
const SLOTS: usize = 64;

/// Who owns the keys of a datasource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyOwners {
    datasource: Arc<str>,
    version: u64,
    /// By slot.
    owners: Vec<Arc<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    owners: Vec<Arc<str>>,
}

impl KeyOwners {
    /// As the metadata have it; the first who asks says how it is.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub(crate) async fn of(
        metadata: &dyn MetadataStore,
        datasource: &Arc<str>,
        node: &Arc<str>,
        live: impl IntoIterator<Item = Arc<str>>,
    ) -> Result<Self> {
        if let Some(known) = Self::read(metadata, datasource).await? {
            return Ok(known);
        }
        // Before there was this document, the first node took all keys, and its log may still hold some.
        let nodes: Vec<Arc<str>> = match metadata.log_marks().await?.contains_key(&**datasource) {
            true => vec![FIRST_NODE.into()],
            false => BTreeSet::from_iter(live.into_iter().chain([Arc::clone(node)]))
                .into_iter()
                .collect(),
        };
        let owners = (0..SLOTS).map(|slot| Arc::clone(&nodes[slot % nodes.len()])).collect();
        let none = Self { datasource: Arc::clone(datasource), version: 0, owners: Vec::new() };
        match none.swap(metadata, owners, None).await {
            Err(RealtimeError::Metadata(MetadataError::DocumentChanged { .. })) => {
                let known = Self::read(metadata, datasource).await?;
                known.ok_or_else(|| RealtimeError::Unavailable("owners of keys are gone".into()))
            }
            made => made,
        }
    }

    /// As the metadata have it, if they have it.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn read(
        metadata: &dyn MetadataStore,
        datasource: &Arc<str>,
    ) -> Result<Option<Self>> {
        let Some(document) = metadata.get_document(KIND, datasource).await? else {
            return Ok(None);
        };
        let stored: Result<Stored, _> = serde_json::from_str(&document.body_json);
        let owners = stored.map(|stored| stored.owners).unwrap_or_default();
        if owners.len() != SLOTS {
            return Err(RealtimeError::Unavailable(format!(
                "who owns the keys of '{datasource}' was written by a newer version: use that one"
            )));
        }
        Ok(Some(Self { datasource: Arc::clone(datasource), version: document.version, owners }))
    }

    /// Counts its changes.
    #[must_use]
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The owners, by slot.
    #[must_use]
    pub(crate) fn owners(&self) -> &[Arc<str>] {
        &self.owners
    }

    /// The owner of a key.
    #[must_use]
    pub(crate) fn owner(&self, key: &str) -> &Arc<str> {
        &self.owners[xxh3_64(key.as_bytes()) as usize % SLOTS]
    }

    /// True when a node owns any.
    #[must_use]
    pub(crate) fn has(&self, node: &str) -> bool {
        self.owners.iter().any(|owner| **owner == *node)
    }

    /// Who would own which keys if those of `from` went to others, in turn.
    #[must_use]
    pub(crate) fn without(&self, from: &str, to: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut next = to.iter().cycle();
        let given = |owner: &Arc<str>| match **owner == *from {
            true => Arc::clone(next.next().unwrap_or(owner)),
            false => Arc::clone(owner),
        };
        self.owners.iter().map(given).collect()
    }

    /// Who would own which of the keys of `node` if all nodes owned as many: those that it has beyond its
    /// share go to nodes that have fewer. `None` when nothing is to be given.
    #[must_use]
    pub(crate) fn beyond_share(
        &self,
        node: &str,
        live: &BTreeSet<Arc<str>>,
    ) -> Option<Vec<Arc<str>>> {
        let share = SLOTS.div_ceil(live.len().max(1));
        let count =
            |owners: &[Arc<str>], of: &str| owners.iter().filter(|owner| ***owner == *of).count();
        let mut owners = self.owners.clone();
        for slot in 0..SLOTS {
            let fewest = live.iter().min_by_key(|other| count(&owners, other))?;
            if *owners[slot] == *node
                && count(&owners, node) > share
                && count(&owners, fewest) + 1 < count(&owners, node)
            {
                owners[slot] = Arc::clone(fewest);
            }
        }
        (owners != self.owners).then_some(owners)
    }

    /// Makes these the owners.
    ///
    /// # Errors
    /// When the metadata cannot be written, or somebody else changed it, or `fence` says who writes leads no
    /// more.
    pub(crate) async fn swap(
        &self,
        metadata: &dyn MetadataStore,
        owners: Vec<Arc<str>>,
        fence: Option<&Fence>,
    ) -> Result<Self> {
        let stored = Stored { owners };
        let json = serde_json::to_string(&stored).unwrap_or_default();
        let swapped = metadata.swap_document(KIND, &self.datasource, self.version, &json, fence);
        let version = swapped.await?;
        Ok(Self { datasource: Arc::clone(&self.datasource), version, owners: stored.owners })
    }
}
