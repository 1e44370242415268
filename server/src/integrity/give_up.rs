//! Giving up what a log lost.

use anyhow::{Context, Result};
use henge_platform::metadata::SqlMetadataStore;
use henge_platform::runtime::blocking;
use henge_platform::wal::{AcceptedLoss, accept_loss};
use henge_realtime_node::PublishedLog;

use super::logs::{KnownLog, known_logs, put_unknown_aside};
use super::marks::open_marks;
use crate::data_folder::DataFolder;

/// Keeps what the log of a datasource, or of each of them, still has, in a data folder that is ours; what the
/// metadata know of the rest is forgotten. The logs of a datasource that they do not know are put aside. Killed
/// in between, it is done again. Gives what was given up, by datasource.
///
/// # Errors
/// When there are no metadata or no such datasource, or something cannot be read or written.
pub async fn give_up_log_losses(
    folder: &DataFolder,
    datasource: Option<&str>,
) -> Result<Vec<(String, AcceptedLoss)>> {
    let options = folder.metadata_store();
    anyhow::ensure!(
        !SqlMetadataStore::is_unmade(options.clone()).await?,
        "there are no metadata: see `{}`",
        folder.command("check")
    );
    let store = SqlMetadataStore::open(options).await?;
    let mut logs = known_logs(folder, &store).await?;
    let mut given_up = Vec::new();
    if let Some(datasource) = datasource {
        match logs.remove_entry(datasource) {
            Some(log) => logs = [log].into(),
            None => {
                let marks = open_marks(folder)?;
                let logs = std::mem::take(&mut logs);
                let aside = put_unknown_aside(folder, &store, &logs, datasource, &marks).await?;
                given_up.extend(aside.into_iter().map(|lost| (datasource.to_owned(), lost)));
            }
        }
    }
    for (datasource, log) in logs {
        let lost = give_up_one(folder, &store, log);
        let lost = lost.await.with_context(|| format!("the log of '{datasource}'"))?;
        given_up.push((datasource, lost));
    }
    store.close().await;
    Ok(given_up)
}

async fn give_up_one(
    folder: &DataFolder,
    store: &SqlMetadataStore,
    log: KnownLog,
) -> Result<AcceptedLoss> {
    let (name, marks) = (log.log.name.clone(), open_marks(folder)?);
    let work = move || accept_loss(&log.folder, log.expected, &marks);
    let given_up = blocking(work).await??;
    let published = PublishedLog::of(store, &name).await?;
    published.forget_after(store, given_up.last_record).await?;
    Ok(given_up)
}
