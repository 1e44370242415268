//! Opening deep storage: the folder in the data folder, or the bucket that the settings name.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use henge_platform::config::StorageConfig;
use henge_platform::storage::{DeepStorage, LocalDeepStorage, ObjectDeepStorage, TransferOptions};

use crate::data_folder::DataFolder;

/// Opens deep storage; a folder is made when it is missing, a bucket is not.
///
/// # Errors
/// When the folder cannot be made, or the bucket cannot be reached; the error names it and the fix.
pub(crate) async fn open_deep_storage(
    config: &StorageConfig,
    folder: &DataFolder,
) -> Result<Arc<dyn DeepStorage>> {
    if config.url.is_empty() {
        let storage = LocalDeepStorage::open(folder.deep_storage());
        return Ok(Arc::new(storage.context("open deep storage")?));
    }
    let storage = ObjectDeepStorage::open(config, TransferOptions::default())?;
    storage.reach().await.context("reach deep storage")?;
    Ok(Arc::new(storage))
}

/// The same, for whoever looks at what is there or mends it: nothing is made.
///
/// # Errors
/// Also when the folder is not there.
pub async fn open_existing_deep_storage(
    config: &StorageConfig,
    folder: &DataFolder,
) -> Result<Arc<dyn DeepStorage>> {
    let root = folder.deep_storage();
    let is_there = !config.url.is_empty() || root.is_dir();
    ensure!(
        is_there,
        "there is no deep storage at '{}'; where it is a bucket, --config or HENGE_STORAGE__URL names it",
        root.display()
    );
    open_deep_storage(config, folder).await
}
