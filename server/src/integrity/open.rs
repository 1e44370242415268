//! Opening the metadata: only when everything fits.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use henge_platform::metadata::manifest::ManifestedStore;
use henge_platform::metadata::{
    MetadataError, MetadataStore, SqlMetadataStore, SqlOptions, SqliteOptions,
};
use henge_platform::storage::DeepStorage;
use henge_platform::wal::LogMarks;

use super::manifests::Listing;
use super::{DoesNotFit, Report, content, examine, identity, logs, manifests, marks};
use crate::data_folder::DataFolder;

/// Opens the metadata of a data folder that is ours, or makes them in a new one. A folder from
/// before there were identities and manifests gets them once.
///
/// # Errors
/// [`DoesNotFit`] with everything that does not; or when something cannot be read or written.
pub(crate) async fn open_metadata(
    folder: &DataFolder,
    storage: Arc<dyn DeepStorage>,
    log_marks: &LogMarks,
) -> Result<Arc<dyn MetadataStore>> {
    let store = open_store(folder, &*storage, log_marks).await?;
    let mut report = Report::default();
    let listed = Listing::of(&*storage, &store).await?;
    identity::compare(folder, &*storage, &store, &listed, &mut report).await?;
    manifests::compare(&*storage, &store, &listed, &mut report).await?;
    let readable = match report.findings.is_empty() {
        // PostgreSQL watches over its own pages, and each process that starts would read all of it again.
        true if store.is_shared() => true,
        true => content::compare(&*storage, &store, &mut report).await?,
        false => false,
    };
    marks::compare(folder, &store, &mut report).await?;
    logs::compare_names(folder, &store, &mut report).await?;
    if !report.fits() {
        store.close().await;
    }
    refuse(folder, &report)?;
    for note in &report.notes {
        tracing::warn!("{note}");
    }
    logs::put_aside_empty(folder, &store, log_marks).await?;
    identity::mark(folder, &*storage, &store.cluster_uuid().await?).await?;
    let incomplete = !readable || store.manifest_state().await?.complete == 0;
    // The first manifest of a store says everything, and so does one after some were lost.
    if incomplete || listed.first_missing().is_some() {
        store.make_complete_manifest().await?;
    }
    with_manifests(store, storage).await
}

/// The store itself, made when nothing in the folder says that there was one.
async fn open_store(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    log_marks: &LogMarks,
) -> Result<SqlMetadataStore> {
    let options = folder.metadata_store().with_marks(log_marks.clone());
    let is_unmade = || SqlMetadataStore::is_unmade(options.clone());
    if is_unmade().await.context("open the metadata store")? {
        let left = examine(folder, storage, None).await?;
        // Another process of the cluster may have made it while this one looked.
        if !left.fits() && is_unmade().await.context("open the metadata store")? {
            refuse(folder, &left)?;
        }
    }
    match SqlMetadataStore::open(options).await {
        Err(MetadataError::Corrupt(reason)) => {
            let report = Report { findings: vec![reason], ..Report::default() };
            Err(DoesNotFit::new(folder, report).into())
        }
        opened => opened.context("open the metadata store"),
    }
}

/// The store that writes manifests to deep storage, with those written that wait for it.
async fn with_manifests(
    store: SqlMetadataStore,
    storage: Arc<dyn DeepStorage>,
) -> Result<Arc<dyn MetadataStore>> {
    let marked = store.manifest_state().await?.marked;
    let store = Arc::new(store);
    let written = ManifestedStore::new(store.clone(), storage);
    match written.write_manifests().await {
        // They are in the outbox, and nothing counts as done before they are written.
        Err(error @ MetadataError::Unavailable(_)) => {
            tracing::error!(%error, "manifests wait until deep storage can be written");
        }
        outcome => {
            outcome.context("write manifests to deep storage")?;
            if !marked {
                store.mark_cluster().await?;
            }
        }
    }
    Ok(Arc::new(written))
}

/// Says all that is wrong with the logs, when opening one has failed.
///
/// # Errors
/// [`DoesNotFit`] with every damaged log.
pub(crate) async fn refuse_damaged_logs(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
) -> Result<()> {
    let mut report = Report::default();
    logs::compare(folder, metadata, &mut report).await?;
    refuse(folder, &report)
}

/// Opens a copy of a data folder's metadata in another folder; `None` when there are none. Metadata in
/// PostgreSQL are not copied: whoever looks changes nothing.
///
/// # Errors
/// When they cannot be copied or read; `Corrupt` when they are damaged.
pub async fn open_metadata_copy(
    folder: &DataFolder,
    copy: &Path,
) -> Result<Option<SqlMetadataStore>> {
    if let SqlOptions::Postgres(options) = folder.metadata_store() {
        return match SqlMetadataStore::is_unmade(options.clone()).await? {
            true => Ok(None),
            false => Ok(Some(SqlMetadataStore::open(options).await?)),
        };
    }
    let path = folder.metadata();
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", path.display());
        match std::fs::copy(&from, copy.join(format!("metadata.sqlite{ending}"))) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => {
                copied.with_context(|| format!("copy '{from}'"))?;
            }
        }
    }
    let options = SqliteOptions::new(copy.join("metadata.sqlite"));
    if SqlMetadataStore::is_unmade(options.clone()).await? {
        return Ok(None);
    }
    Ok(Some(SqlMetadataStore::open(options).await?))
}

fn refuse(folder: &DataFolder, report: &Report) -> Result<()> {
    if report.fits() {
        return Ok(());
    }
    Err(DoesNotFit::new(folder, report.clone()).into())
}
