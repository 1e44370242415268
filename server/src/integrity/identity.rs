//! The cluster's identity: `cluster.json` in every folder.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use henge_platform::metadata::MetadataStore;
use henge_platform::metadata::manifest::read_manifest;
use henge_platform::runtime::write_atomically;
use henge_platform::storage::{DeepStorage, Payload, StorageError};
use serde::{Deserialize, Serialize};

use super::Report;
use super::manifests::Listing;
use crate::data_folder::DataFolder;

/// The file and the object that say whose a folder is.
const IDENTITY: &str = "cluster.json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    cluster_uuid: String,
}

fn encode(cluster_uuid: &str) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(&Identity { cluster_uuid: cluster_uuid.to_owned() })?;
    text.push(b'\n');
    Ok(text)
}

fn decode(name: &str, bytes: &[u8]) -> Result<String> {
    let identity: Identity = serde_json::from_slice(bytes).with_context(|| {
        format!("'{name}' is not a cluster's identity; remove it if it is damaged")
    })?;
    Ok(identity.cluster_uuid)
}

/// Whose a folder is; `None` when it does not say.
pub(super) fn of_folder(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(IDENTITY);
    match std::fs::read(&path) {
        Ok(bytes) => decode(&path.display().to_string(), &bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read '{}'", path.display())),
    }
}

/// Whose deep storage is; `None` when it does not say.
pub(super) async fn of_storage(storage: &dyn DeepStorage) -> Result<Option<String>> {
    match storage.read(IDENTITY).await {
        Ok(bytes) => decode("cluster.json in deep storage", &bytes).map(Some),
        Err(StorageError::NotFound(_)) => Ok(None),
        Err(error) => Err(error).context("read the identity of deep storage"),
    }
}

/// Writes the identity where it is missing.
pub(super) async fn mark(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    cluster_uuid: &str,
) -> Result<()> {
    let text = encode(cluster_uuid)?;
    if of_storage(storage).await?.is_none() {
        let payload = Payload::Bytes(text.clone().into());
        storage.push(IDENTITY, payload).await.context("write the identity of deep storage")?;
    }
    for marked in [folder.wal(), folder.segment_cache(), folder.root().to_owned()] {
        if of_folder(&marked)?.is_none() {
            let path = marked.join(IDENTITY);
            write_atomically(&path, &text)
                .with_context(|| format!("write '{}'", path.display()))?;
        }
    }
    Ok(())
}

/// Every folder that says whose it is must say the same as the metadata.
pub(super) async fn compare(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    metadata: &dyn MetadataStore,
    listed: &Listing,
    report: &mut Report,
) -> Result<()> {
    let uuid = metadata.cluster_uuid().await?;
    for other in [folder.root().to_owned(), folder.wal(), folder.segment_cache()] {
        match of_folder(&other) {
            Ok(Some(found)) if found != uuid => report.finding(format!(
                "the folder '{}' belongs to cluster {found}, the metadata to {uuid}",
                other.display()
            )),
            Ok(_) => {}
            Err(error) => report.finding(format!("{error:#}")),
        }
    }
    match of_storage(storage).await {
        Ok(Some(found)) if found != uuid => report
            .finding(format!("deep storage belongs to cluster {found}, the metadata to {uuid}")),
        Ok(None) => compare_unmarked_storage(storage, metadata, listed, report).await?,
        Ok(_) => {}
        Err(error) => report.finding(format!("{error:#}")),
    }
    Ok(())
}

/// Deep storage without an identity is one from before there was one, or not the one that was here.
async fn compare_unmarked_storage(
    storage: &dyn DeepStorage,
    metadata: &dyn MetadataStore,
    listed: &Listing,
    report: &mut Report,
) -> Result<()> {
    let state = metadata.manifest_state().await?;
    if !state.marked {
        return Ok(());
    }
    let last = match listed.highest() {
        0 => None,
        number => read_manifest(storage, number).await.ok(),
    };
    let uuid = metadata.cluster_uuid().await?;
    if last.is_some_and(|manifest| manifest.cluster_uuid == uuid) {
        report
            .note("deep storage has lost its cluster.json; the manifests there are this cluster's");
    } else {
        report.finding(format!(
            "deep storage has neither the identity nor the manifests of cluster {uuid}: it is \
             another folder, lost, or not mounted"
        ));
    }
    Ok(())
}

/// Without metadata nothing else may be there.
pub(super) async fn look_for_leftovers(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    report: &mut Report,
) -> Result<()> {
    let mut left = Vec::new();
    for other in [folder.root().to_owned(), folder.wal(), folder.segment_cache()] {
        if let Some(uuid) = of_folder(&other)? {
            left.push(format!("'{}' belongs to cluster {uuid}", other.display()));
        }
    }
    if let Some(uuid) = of_storage(storage).await? {
        left.push(format!("deep storage belongs to cluster {uuid}"));
    }
    for (what, path) in [("logs", folder.wal()), ("cached segments", folder.segment_cache())] {
        let count = sub_folders(&path)?;
        if count > 0 {
            left.push(format!("'{}' has {what} of {count} datasource(s)", path.display()));
        }
    }
    let objects = storage.list("segments").await.context("list deep storage")?.len();
    if objects > 0 {
        left.push(format!("deep storage has {objects} segment(s)"));
    }
    if !left.is_empty() {
        let place = folder.metadata_place();
        report.finding(format!("the metadata store '{place}' is gone or empty"));
        left.into_iter().for_each(|text| report.finding(text));
    }
    Ok(())
}

fn sub_folders(folder: &Path) -> Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries.with_context(|| format!("read '{}'", folder.display()))?,
    };
    Ok(entries.filter_map(Result::ok).filter(|entry| entry.path().is_dir()).count())
}
