//! The manifests that deep storage has.

use super::record::{MANIFEST_FOLDER, Manifest, manifest_key};
use crate::metadata::error::{MetadataError, Result};
use crate::storage::DeepStorage;

/// The numbers of the manifests in deep storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManifestList {
    /// In ascending order.
    pub numbers: Vec<u64>,
}

impl ManifestList {
    /// The last one's number; 0 when there is none.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.numbers.last().copied().unwrap_or(0)
    }
}

/// Lists them.
///
/// # Errors
/// When deep storage cannot be read.
pub async fn list_manifests(storage: &dyn DeepStorage) -> Result<ManifestList> {
    let objects = storage.list(MANIFEST_FOLDER).await.map_err(|e| unavailable(&e))?;
    let number = |key: &str| -> Option<u64> {
        let name = key.strip_prefix(MANIFEST_FOLDER)?.strip_prefix('/')?;
        name.strip_suffix(".json")?.parse().ok()
    };
    let mut numbers: Vec<u64> = objects.iter().filter_map(|object| number(&object.key)).collect();
    numbers.sort_unstable();
    Ok(ManifestList { numbers })
}

/// Reads one.
///
/// # Errors
/// `Corrupt` when a byte of it changed; `Unavailable` when it cannot be read.
pub async fn read_manifest(storage: &dyn DeepStorage, number: u64) -> Result<Manifest> {
    let manifest = read_any(storage, number).await?;
    if manifest.number != number {
        return Err(MetadataError::Corrupt(format!(
            "manifest '{}' says that it is number {}",
            manifest_key(number),
            manifest.number
        )));
    }
    Ok(manifest)
}

/// The number of the manifest that another one is a copy of: somebody copied the object, and what it
/// says is said under its own number. `None` when it is no copy.
///
/// # Errors
/// As [`read_manifest`].
pub async fn copy_of(storage: &dyn DeepStorage, number: u64) -> Result<Option<u64>> {
    let copy = read_any(storage, number).await?;
    if copy.number == number {
        return Ok(None);
    }
    match read_any(storage, copy.number).await {
        Ok(own) if own == copy => Ok(Some(copy.number)),
        Ok(_) | Err(MetadataError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an object says, whatever its number is.
async fn read_any(storage: &dyn DeepStorage, number: u64) -> Result<Manifest> {
    let key = manifest_key(number);
    let bytes = storage.read(&key).await.map_err(|e| unavailable(&e))?;
    Manifest::decode(&key, &bytes)
}

pub(super) fn unavailable(error: &crate::storage::StorageError) -> MetadataError {
    MetadataError::Unavailable(format!("manifests in deep storage: {error}"))
}
