//! Making the metadata anew from a backup. What deep storage says decides whether that is wise: its manifests say
//! what was changed since.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use henge_platform::metadata::manifest::{
    Manifest, ManifestedStore, list_manifests, read_manifest,
};
use henge_platform::metadata::{MetadataStore, SqlMetadataStore, SqlOptions, SqliteOptions};
use henge_platform::storage::DeepStorage;

use super::marks::read_marks;
use super::rebuild::{check_identities, given_out, noted_before, put_in_place, remove_database};
use super::{ObjectUse, Report, examine, identity, object_use};
use crate::backup::Backup;
use crate::data_folder::DataFolder;
use crate::registration::Living;

/// Objects that are named one by one.
const NAMED: usize = 3;

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// What the metadata say now.
    pub all: Manifest,
    /// Where the old file is now, if there was one.
    pub kept: Option<PathBuf>,
    /// The schema of the database that has the old tables, if there were some.
    pub set_aside: Option<String>,
    /// How objects and segments fit.
    pub objects: ObjectUse,
    /// Changes that deep storage knew and that were given up.
    pub given_up: u64,
    /// What still does not fit.
    pub report: Report,
}

/// Makes the metadata of a data folder that is ours, or of the database that its settings name. No server may
/// be running on them. With `force`, metadata that are there are put aside, changes since the backup are given
/// up, and objects may be missing.
///
/// # Errors
/// When one of these is so and not forced; when deep storage or a folder belongs to another cluster; when
/// something cannot be read or written. Then the old metadata are where they were.
pub async fn restore(
    folder: &DataFolder,
    storage: Arc<dyn DeepStorage>,
    backup: &Backup,
    force: bool,
) -> Result<Restored> {
    let options = folder.metadata_store();
    let is_there = !SqlMetadataStore::is_unmade(options.clone()).await?;
    ensure!(
        force || !is_there,
        "there are metadata in '{}'; --force puts them aside and restores",
        folder.metadata_place()
    );
    if is_there {
        nobody_lives_on(options).await?;
    }
    check_identities(folder, &*storage, &backup.metadata.cluster_uuid).await?;
    let objects = object_use(folder, &*storage, &backup.metadata).await?;
    ensure!(
        force || objects.missing.is_empty(),
        "{} of the backup's segments are not in deep storage, so that queries over them would fail: {}; --force \
         restores all the same",
        objects.missing.len(),
        first_of(&objects.missing)
    );
    let (all, given_up) = after_manifests(&*storage, &backup.metadata).await?;
    ensure!(
        force || given_up == 0,
        "deep storage knows {given_up} later change(s), which the backup does not have: `{}` restores them too, \
         from deep storage alone; --force gives them up",
        folder.command("rebuild")
    );
    write(folder, storage, all, objects, given_up).await
}

/// Puts aside what is there and writes what a backup says.
async fn write(
    folder: &DataFolder,
    storage: Arc<dyn DeepStorage>,
    all: Manifest,
    objects: ObjectUse,
    given_up: u64,
) -> Result<Restored> {
    let (version, reserved) = given_out(&all, &objects.unnamed);
    let noted = noted_before(folder).await;
    let fresh = folder.root().join("metadata.sqlite.restored");
    let (options, set_aside): (SqlOptions, _) = match folder.metadata_store() {
        SqlOptions::Sqlite(_) => {
            remove_database(&fresh)?;
            (SqliteOptions::new(&fresh).into(), None)
        }
        SqlOptions::Postgres(database) => {
            let is_there = !SqlMetadataStore::is_unmade(database.clone()).await?;
            let aside = match is_there {
                true => Some(SqlMetadataStore::set_aside(&database).await?),
                false => None,
            };
            (SqlOptions::Postgres(database), aside)
        }
    };
    let is_in_folder = matches!(options, SqlOptions::Sqlite(_));
    let store = SqlMetadataStore::restore(options, &all, version, &reserved).await;
    let store = Arc::new(store.context("write the metadata")?);
    store.give_up_unpublished(&read_marks(folder)?).await?;
    store.note_log_marks(&noted).await?;
    if given_up > 0 {
        // From here on deep storage says the same as the metadata, and later changes are no later ones.
        store.make_complete_manifest().await?;
        let written = ManifestedStore::new(Arc::clone(&store) as _, Arc::clone(&storage));
        written.write_manifests().await.context("write a manifest to deep storage")?;
    }
    let report = examine(folder, &*storage, Some(&*store)).await?;
    store.close().await;
    let kept = if is_in_folder { put_in_place(folder, &fresh)? } else { None };
    if folder.root().is_dir() && folder.wal().is_dir() {
        identity::mark(folder, &*storage, &all.cluster_uuid).await?;
    }
    Ok(Restored { all, kept, set_aside, objects, given_up, report })
}

/// What a backup says, numbered on after the manifests that deep storage has; and how many of these are later
/// than the backup.
async fn after_manifests(storage: &dyn DeepStorage, all: &Manifest) -> Result<(Manifest, u64)> {
    let highest = list_manifests(storage).await?.highest();
    let later = highest.saturating_sub(all.number);
    if later == 0 {
        return Ok((all.clone(), 0));
    }
    // One that cannot be read says nothing that could be missed.
    let last = read_manifest(storage, highest).await.unwrap_or_default();
    let all = Manifest {
        number: highest,
        sequence: all.sequence.max(last.sequence),
        version: all.version.max(last.version),
        ..all.clone()
    };
    Ok((all, later))
}

/// Nobody runs on metadata that cannot be read any more; those in a folder have the folder's owner only.
async fn nobody_lives_on(options: SqlOptions) -> Result<()> {
    let Ok(store) = SqlMetadataStore::open(options).await else { return Ok(()) };
    let leases = if store.is_shared() { store.leases().await } else { Ok(Vec::new()) };
    store.close().await;
    let living = Living::of(&leases.unwrap_or_default());
    ensure!(
        living.nodes.is_empty(),
        "{} run(s) on these metadata: stop all processes of the cluster first; what was killed counts as stopped \
         in {} s",
        living.nodes.iter().map(|node| format!("'{node}'")).collect::<Vec<_>>().join(", "),
        living.at_most_ms.div_ceil(1_000)
    );
    Ok(())
}

fn first_of(missing: &[String]) -> String {
    let more = if missing.len() > NAMED { "; …" } else { "" };
    let first: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    format!("{}{more}", first.join("; "))
}
