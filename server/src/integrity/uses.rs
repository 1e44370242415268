//! The objects in deep storage against the segments that are known.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use henge_platform::metadata::manifest::Manifest;
use henge_platform::storage::DeepStorage;

/// How objects and segments fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectUse {
    /// Used segments whose object is not there or has another size: what is wrong.
    pub missing: Vec<String>,
    /// Objects that nothing names: uploads before a crash. They are never adopted.
    pub unnamed: Vec<String>,
}

/// Compares what a complete manifest says with the objects that are there.
///
/// # Errors
/// When deep storage cannot be listed.
pub async fn object_use(storage: &dyn DeepStorage, all: &Manifest) -> Result<ObjectUse> {
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
        outcome.missing.push(match found {
            None => format!("'{}': its object '{}' is missing", segment.id, segment.object_key),
            Some(size_bytes) => format!(
                "'{}': its object '{}' has {size_bytes} bytes, not {}",
                segment.id, segment.object_key, segment.size_bytes
            ),
        });
    }
    outcome.unnamed = sizes.into_keys().collect();
    Ok(outcome)
}
