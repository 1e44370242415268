//! The objects in deep storage against the segments that are known.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use henge_historical_node::cached_copy;
use henge_platform::metadata::manifest::Manifest;
use henge_platform::storage::DeepStorage;

use crate::data_folder::DataFolder;

/// How objects and segments fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectUse {
    /// Used segments whose object is not there or has another size: what is wrong.
    pub missing: Vec<String>,
    /// Objects that nothing names: uploads before a crash. They are never adopted.
    pub unnamed: Vec<String>,
}

/// Compares what a complete manifest says with the objects that are there, and looks in the cache for
/// copies of those that are not.
///
/// # Errors
/// When deep storage cannot be listed.
pub async fn object_use(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    all: &Manifest,
) -> Result<ObjectUse> {
    let objects = storage.list("segments").await.context("list deep storage")?;
    let mut sizes: BTreeMap<String, u64> =
        objects.into_iter().map(|object| (object.key, object.size_bytes)).collect();
    let unused: BTreeSet<_> = all.unused.iter().collect();
    let mut outcome = ObjectUse::default();
    for segment in &all.segments {
        let found = sizes.remove(&segment.object_key);
        if unused.contains(&segment.id) || found == Some(segment.size_bytes) {
            continue;
        }
        let trouble = match found {
            None => "is missing".to_owned(),
            Some(size_bytes) => format!("has {size_bytes} bytes, not {}", segment.size_bytes),
        };
        let way_out = match cached_copy(&folder.segment_cache(), segment) {
            Some(copy) => format!("; a server that runs mends it from '{}'", copy.display()),
            None => "; the cache has no copy of it".to_owned(),
        };
        outcome.missing.push(format!(
            "'{}': its object '{}' {trouble}{way_out}",
            segment.id, segment.object_key
        ));
    }
    outcome.unnamed = sizes.into_keys().collect();
    Ok(outcome)
}
