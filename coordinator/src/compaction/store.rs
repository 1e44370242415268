//! What operators want compacted: a document for each datasource, every version of which says who set it, when
//! and why (ADR 26), and one for how much of the cluster it may take.

use std::sync::Arc;

use henge_compaction::CompactionConfig;
use henge_platform::metadata::{Document, Fence, MetadataError, MetadataStore};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CoordinatorError, Result};

/// What the documents of datasources are called.
const COMPACTION: &str = "compaction";
/// What the document of the cluster is called, and its name.
const LIMITS: (&str, &str) = ("compaction_limits", "cluster");
/// Versions of a document that are given at most.
const PAGE: usize = 1_000;

/// One version of what is wanted of a datasource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactionChange {
    /// From then on; `None`: it is not compacted.
    pub config: Option<Value>,
    /// Who set it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
}

/// How much of the cluster compaction may take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CompactionLimits {
    /// Tasks at once, as a share of those that run at once; one in any case, unless `max` is 0.
    pub compaction_task_slot_ratio: f64,
    /// Tasks at once.
    pub max_compaction_task_slots: u64,
}

impl Default for CompactionLimits {
    fn default() -> Self {
        Self { compaction_task_slot_ratio: 0.1, max_compaction_task_slots: i32::MAX as u64 }
    }
}

impl CompactionLimits {
    /// Tasks at once where so many run at once.
    #[must_use]
    pub(crate) fn slots(&self, all: usize) -> usize {
        let share = (all as f64 * self.compaction_task_slot_ratio).floor().max(1.0) as usize;
        share.min(usize::try_from(self.max_compaction_task_slots).unwrap_or(usize::MAX))
    }
}

/// A configuration and since when it holds.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    pub config: CompactionConfig,
    pub since_ms: i64,
}

/// The documents.
#[derive(Debug, Clone)]
pub(crate) struct CompactionStore(Arc<dyn MetadataStore>);

impl CompactionStore {
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self(metadata)
    }

    /// Sets what is wanted of a datasource; `Fenced` when somebody else leads by now.
    pub(crate) async fn set(
        &self,
        datasource: &str,
        change: &CompactionChange,
        fence: Option<&Fence>,
    ) -> Result<()> {
        self.put((COMPACTION, datasource), &as_json(change)?, fence).await
    }

    /// What is wanted of a datasource now.
    pub(crate) async fn get(&self, datasource: &str) -> Result<Option<Configured>> {
        match self.0.get_document(COMPACTION, datasource).await? {
            Some(document) => configured(&document),
            None => Ok(None),
        }
    }

    /// What is wanted of all datasources, by name.
    pub(crate) async fn all(&self) -> Result<Vec<Configured>> {
        let documents = self.0.list_documents(COMPACTION).await?;
        documents.iter().filter_map(|document| configured(document).transpose()).collect()
    }

    /// Changes of one datasource, the newest first.
    pub(crate) async fn history(&self, datasource: &str) -> Result<Vec<CompactionChange>> {
        let documents = self.0.document_versions(COMPACTION, datasource, u64::MAX, PAGE).await?;
        documents.iter().map(read).collect()
    }

    pub(crate) async fn limits(&self) -> Result<CompactionLimits> {
        let (kind, name) = LIMITS;
        let document = self.0.get_document(kind, name).await?;
        document.map_or_else(|| Ok(CompactionLimits::default()), |document| read(&document))
    }

    pub(crate) async fn set_limits(
        &self,
        limits: &CompactionLimits,
        fence: Option<&Fence>,
    ) -> Result<()> {
        self.put(LIMITS, &as_json(limits)?, fence).await
    }

    /// Whoever changes it at the same time comes before or after.
    async fn put(
        &self,
        (kind, name): (&str, &str),
        body: &str,
        fence: Option<&Fence>,
    ) -> Result<()> {
        loop {
            let known = self.0.get_document(kind, name).await?;
            let version = known.map_or(0, |document| document.version);
            match self.0.swap_document(kind, name, version, body, fence).await {
                Err(MetadataError::DocumentChanged { .. }) => {}
                swapped => return Ok(swapped.map(|_| ())?),
            }
        }
    }
}

fn configured(document: &Document) -> Result<Option<Configured>> {
    let change: CompactionChange = read(document)?;
    let Some(config) = change.config else { return Ok(None) };
    let config = CompactionConfig::parse(config.to_string().as_bytes());
    let config = config.map_err(|error| unreadable(document, &error))?;
    Ok(Some(Configured { config, since_ms: change.time_ms }))
}

fn read<T: for<'de> Deserialize<'de>>(document: &Document) -> Result<T> {
    serde_json::from_str(&document.body_json).map_err(|error| unreadable(document, &error))
}

fn unreadable(document: &Document, reason: &dyn std::fmt::Display) -> CoordinatorError {
    let (kind, name) = (document.kind.clone(), document.name.clone());
    CoordinatorError::Stored { kind, name, reason: reason.to_string() }
}

fn as_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| CoordinatorError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_at_once_are_a_share_and_one_at_least() {
        let limits = CompactionLimits::default();
        assert_eq!([0, 1, 9, 10, 35].map(|all| limits.slots(all)), [1, 1, 1, 1, 3]);
        let none = CompactionLimits { max_compaction_task_slots: 0, ..limits };
        assert_eq!(none.slots(35), 0);
    }
}
