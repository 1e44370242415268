//! Opening deep storage: the folder in the data folder, or the bucket or folder that the settings name.

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
    if let Some(root) = folder.object_folder() {
        let storage = LocalDeepStorage::open(root);
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
    if let Some(root) = folder.object_folder() {
        ensure!(
            root.is_dir(),
            "there is no deep storage at '{}'; where it is a bucket or another folder, --config or \
             HENGE_STORAGE__URL names it",
            root.display()
        );
    }
    open_deep_storage(config, folder).await
}
