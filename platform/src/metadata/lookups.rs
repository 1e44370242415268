//! What is kept of a lookup: a document each, of which the newest version holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Document, MetadataStore, Result};

/// What the documents are called.
pub const LOOKUP: &str = "lookup";
/// The tier that every process is of.
pub const DEFAULT_LOOKUP_TIER: &str = "__default";
/// Bytes of one lookup's specification: queries take it along to the nodes.
pub const MAX_LOOKUP_BYTES: usize = 4 << 20;
/// Bytes of all lookups together.
pub const MAX_LOOKUPS_BYTES: usize = 64 << 20;

/// A lookup of a tier, as it was set or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookupDocument {
    /// Whose processes have it.
    pub tier: String,
    /// Its name.
    pub id: String,
    /// What was set; `None` once it was removed.
    pub spec: Option<LookupSpec>,
}

/// Druid's `LookupExtractorFactoryMapContainer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LookupSpec {
    /// Given by whoever set it; a later one is larger as text.
    pub version: Option<String>,
    /// `{"type":"map","map":{..}}`.
    pub lookup_extractor_factory: Map<String, Value>,
}

impl LookupDocument {
    /// The document's name in the store.
    #[must_use]
    pub fn name(tier: &str, id: &str) -> String {
        match tier {
            DEFAULT_LOOKUP_TIER => id.to_owned(),
            tier => format!("{tier}@{id}"),
        }
    }

    /// What a document says; `None` when it is none of this version's.
    #[must_use]
    pub fn of(document: &Document) -> Option<Self> {
        serde_json::from_str(&document.body_json).ok()
    }
}

impl LookupSpec {
    /// Keys and values.
    #[must_use]
    pub fn map(&self) -> Option<&Map<String, Value>> {
        self.lookup_extractor_factory.get("map")?.as_object()
    }
}

/// The lookups that there are, each with the version of its document.
///
/// # Errors
/// When the store cannot be read.
pub async fn read_lookups(metadata: &dyn MetadataStore) -> Result<Vec<(LookupDocument, u64)>> {
    let documents = metadata.list_documents(LOOKUP).await?;
    let read = documents.iter().filter_map(|d| Some((LookupDocument::of(d)?, d.version)));
    Ok(read.filter(|(lookup, _)| lookup.spec.is_some()).collect())
}
