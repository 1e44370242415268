//! Restoring the metadata from the manifests, and from nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use henge_platform::metadata::manifest::{
    Manifest, copy_of, fold, list_manifests, manifest_key, read_manifest,
};
use henge_platform::metadata::{MetadataStore, SqlMetadataStore, SqlOptions, SqliteOptions};
use henge_platform::runtime::sync_dir;
use henge_platform::storage::DeepStorage;
use henge_platform::wal::LogMark;
use henge_types::{SegmentId, Version};

use super::marks::read_marks;
use super::open::open_metadata_copy;
use super::uses::{ObjectUse, object_use};
use super::{DoesNotFit, Report, examine, identity};
use crate::data_folder::DataFolder;

/// Versions that may have been given out and left no trace.
const VERSIONS_LEFT_OUT: u64 = 1_000;

/// What a rebuild did.
#[derive(Debug)]
pub struct Rebuilt {
    /// What the metadata say now.
    pub all: Manifest,
    /// Manifests read.
    pub manifests: usize,
    /// Where the old store is now, if there was one.
    pub kept: Option<PathBuf>,
    /// How objects and segments fit.
    pub objects: ObjectUse,
    /// What still does not fit.
    pub report: Report,
    /// Copies of manifests that stood above the last one, and whose copies they were. They are removed.
    pub copies: Vec<(u64, u64)>,
}

/// Makes the metadata of a data folder that is ours anew. The old file is kept beside it; in PostgreSQL
/// the new ones need an empty database.
///
/// # Errors
/// When manifests are missing or damaged, a folder belongs to another cluster, or something cannot
/// be read or written; then the old file is where it was.
pub async fn rebuild(folder: &DataFolder, storage: &dyn DeepStorage) -> Result<Rebuilt> {
    let (manifests, copies) = read_from_last_complete(storage).await?;
    let count = manifests.len();
    if let postgres @ SqlOptions::Postgres(_) = folder.metadata_store() {
        anyhow::ensure!(
            SqlMetadataStore::is_unmade(postgres).await?,
            "the database '{}' is not empty: move what is there aside (ALTER SCHEMA public RENAME TO \
             damaged; CREATE SCHEMA public) or name another one, then rebuild",
            folder.metadata_place()
        );
    }
    let all = fold(manifests)?;
    check_identities(folder, storage, &all.cluster_uuid).await?;
    let objects = object_use(folder, storage, &all).await?;
    let (version, reserved) = given_out(&all, &objects.unnamed);
    let fresh = folder.root().join("metadata.sqlite.rebuilt");
    let options = match folder.metadata_store() {
        SqlOptions::Sqlite(_) => {
            remove_database(&fresh)?;
            SqliteOptions::new(&fresh).into()
        }
        postgres @ SqlOptions::Postgres(_) => postgres,
    };
    let store = SqlMetadataStore::restore(options, &all, version, &reserved)
        .await
        .context("write the metadata")?;
    // Tasks and refused events are not in manifests: that is said, and not missed any more.
    store.give_up_unpublished(&read_marks(folder)?).await?;
    store.note_log_marks(&noted_before(folder).await).await?;
    // The next manifests go where they are.
    for (number, _) in &copies {
        storage.delete(&manifest_key(*number)).await.context("remove a copy of a manifest")?;
    }
    let report = examine(folder, storage, Some(&store)).await?;
    store.close().await;
    let kept = match folder.metadata_store() {
        SqlOptions::Sqlite(_) => put_in_place(folder, &fresh)?,
        SqlOptions::Postgres(_) => None,
    };
    identity::mark(folder, storage, &all.cluster_uuid).await?;
    Ok(Rebuilt { all, manifests: count, kept, objects, report, copies })
}

/// Puts a new file in the place of the old one; gives where that is now.
pub(super) fn put_in_place(folder: &DataFolder, fresh: &Path) -> Result<Option<PathBuf>> {
    let kept = keep_aside(&folder.metadata())?;
    std::fs::rename(fresh, folder.metadata()).context("put the metadata in their place")?;
    sync_dir(folder.root()).context("make the rename durable")?;
    Ok(kept)
}

/// What the old store had noted of the ends of logs, which no manifest says; nothing when it cannot
/// be read.
pub(super) async fn noted_before(folder: &DataFolder) -> BTreeMap<String, LogMark> {
    let read = async {
        let copy = tempfile::tempdir().context("make a temporary folder")?;
        let Some(store) = open_metadata_copy(folder, copy.path()).await? else {
            return Ok(BTreeMap::new());
        };
        let noted = store.log_marks().await;
        store.close().await;
        anyhow::Ok(noted?)
    };
    read.await.unwrap_or_default()
}

/// The last complete manifest and all after it; and what stands above them and only repeats others.
async fn read_from_last_complete(
    storage: &dyn DeepStorage,
) -> Result<(Vec<Manifest>, Vec<(u64, u64)>)> {
    let listed = list_manifests(storage).await?;
    let (mut read, mut copies) = (Vec::new(), Vec::new());
    for number in listed.numbers.iter().rev() {
        if read.is_empty()
            && let Ok(Some(of)) = copy_of(storage, *number).await
        {
            copies.push((*number, of));
            continue;
        }
        let manifest = read_manifest(storage, *number).await?;
        let complete = manifest.complete;
        read.push(manifest);
        if complete {
            read.reverse();
            return Ok((read, copies));
        }
    }
    bail!(
        "deep storage has no complete manifest ({} in all): restore metadata.sqlite from a backup",
        listed.numbers.len()
    )
}

pub(super) async fn check_identities(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    cluster_uuid: &str,
) -> Result<()> {
    let mut report = Report::default();
    for other in [folder.root().to_owned(), folder.wal(), folder.segment_cache()] {
        if let Some(uuid) = identity::of_folder(&other)?.filter(|uuid| uuid != cluster_uuid) {
            let other = other.display();
            report.finding(format!(
                "'{other}' belongs to cluster {uuid}, the manifests to {cluster_uuid}"
            ));
        }
    }
    if let Some(uuid) = identity::of_storage(storage).await?.filter(|uuid| uuid != cluster_uuid) {
        report.finding(format!(
            "deep storage belongs to cluster {uuid}, the manifests to {cluster_uuid}"
        ));
    }
    if report.fits() { Ok(()) } else { Err(DoesNotFit::new(folder, report).into()) }
}

/// The highest version that anything shows, and the ids that unnamed objects show: an id is never
/// given out twice, also when its upload was never published.
pub(super) fn given_out(all: &Manifest, unnamed: &[String]) -> (Version, Vec<SegmentId>) {
    let mut chunks: BTreeMap<&str, &SegmentId> = BTreeMap::new();
    for segment in &all.segments {
        if let Some((folder, _)) = segment.object_key.rsplit_once('/') {
            chunks.insert(folder, &segment.id);
        }
    }
    let mut version = all.version;
    let mut reserved = Vec::new();
    for key in unnamed {
        let Some((folder, name)) = key.rsplit_once('/') else { continue };
        let number = folder.rsplit('/').next().and_then(|text| text.parse::<u64>().ok());
        version = version.max(number.unwrap_or(0));
        let partition = name.split('_').next().and_then(|text| text.parse::<u32>().ok());
        if let (Some(chunk), Some(partition)) = (chunks.get(folder), partition) {
            reserved.push(SegmentId { partition, ..(*chunk).clone() });
        }
    }
    (Version(version.saturating_add(VERSIONS_LEFT_OUT)), reserved)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

pub(super) fn remove_database(path: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let file = with_ending(path, ending);
        if file.exists() {
            std::fs::remove_file(&file).with_context(|| format!("remove '{}'", file.display()))?;
        }
    }
    Ok(())
}

/// Moves a store's files to the first free `.damaged-<n>`.
fn keep_aside(path: &Path) -> Result<Option<PathBuf>> {
    let files: Vec<&str> =
        ["", "-wal", "-shm"].into_iter().filter(|e| with_ending(path, e).exists()).collect();
    if files.is_empty() {
        return Ok(None);
    }
    let free = |number: &u32| {
        let kept = with_ending(path, &format!(".damaged-{number}"));
        !["", "-wal", "-shm"].iter().any(|ending| with_ending(&kept, ending).exists())
    };
    let number = (1..).find(free).unwrap_or(u32::MAX);
    let kept = with_ending(path, &format!(".damaged-{number}"));
    // The journal last: a database without it would look like one that lost its last commits.
    for ending in files {
        let file = with_ending(path, ending);
        std::fs::rename(&file, with_ending(&kept, ending))
            .with_context(|| format!("move '{}' aside", file.display()))?;
    }
    Ok(Some(kept))
}
