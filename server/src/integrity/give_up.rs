//! Giving up what a log lost.

use anyhow::{Context, Result};
use henge_platform::metadata::SqlMetadataStore;
use henge_platform::runtime::blocking;
use henge_platform::wal::{AcceptedLoss, accept_loss};
use henge_realtime_node::PublishedLog;

use super::logs::known_logs;
use super::marks::open_marks;
use crate::data_folder::DataFolder;

/// Keeps what a datasource's log still has, in a data folder that is ours; what the metadata know of
/// the rest is forgotten. Killed in between, it is done again.
///
/// # Errors
/// When there are no metadata or no such datasource, or something cannot be read or written.
pub async fn give_up_log_loss(folder: &DataFolder, datasource: &str) -> Result<AcceptedLoss> {
    let options = folder.metadata_store();
    anyhow::ensure!(
        !SqlMetadataStore::is_unmade(options.clone()).await?,
        "there are no metadata: see `henge metadata check`"
    );
    let store = SqlMetadataStore::open(options).await?;
    let log = known_logs(folder, &store).await?.remove(datasource);
    let log = log.with_context(|| format!("there is no datasource '{datasource}'"))?;
    let (name, marks) = (log.log.name.clone(), open_marks(folder)?);
    let work = move || accept_loss(&log.folder, log.expected, &marks);
    let given_up = blocking(work).await??;
    let published = PublishedLog::of(&store, &name).await?;
    published.forget_after(&store, given_up.last_record).await?;
    store.close().await;
    Ok(given_up)
}
