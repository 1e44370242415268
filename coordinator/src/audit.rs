//! Who marked and deleted what, when and why: a document for each datasource, every version of which is one
//! entry.

use std::sync::Arc;

use henge_platform::metadata::MetadataStore;
use serde::{Deserialize, Serialize};

use crate::error::{CoordinatorError, Result};

/// The kind of the documents.
const AUDIT: &str = "audit";

/// Something that was done to the segments of a datasource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// What was done, as Druid calls it: `segment.markUnused`.
    #[serde(rename = "type")]
    pub action: String,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// What was asked for, as JSON.
    pub payload: serde_json::Value,
    /// Segments that changed.
    pub segments: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
}

/// The entries.
#[derive(Debug, Clone)]
pub(crate) struct AuditLog {
    metadata: Arc<dyn MetadataStore>,
}

impl AuditLog {
    pub(crate) fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self { metadata }
    }

    pub(crate) async fn note(&self, datasource: &str, entry: &AuditEntry) -> Result<()> {
        let body = serde_json::to_string(entry)
            .map_err(|error| CoordinatorError::Internal(error.to_string()))?;
        self.metadata.put_document(AUDIT, datasource, &body).await?;
        Ok(())
    }

    /// The newest first, at most `limit`.
    pub(crate) async fn of(&self, datasource: &str, limit: usize) -> Result<Vec<AuditEntry>> {
        let versions = self.metadata.document_versions(AUDIT, datasource, u64::MAX, limit).await?;
        let entry = |document: &henge_platform::metadata::Document| {
            serde_json::from_str(&document.body_json).map_err(|error| CoordinatorError::Stored {
                kind: document.kind.clone(),
                name: document.name.clone(),
                reason: error.to_string(),
            })
        };
        versions.iter().map(entry).collect()
    }
}
