//! `henge metadata check`: looks at a copy of the metadata, so that nothing is changed.

use std::process::ExitCode;

use anyhow::{Context, Result};
use henge_platform::config::StorageConfig;
use henge_platform::metadata::manifest::Manifest;
use henge_platform::metadata::{MetadataError, SqlMetadataStore};
use henge_platform::storage::DeepStorage;
use henge_server::data_folder::DataFolder;
use henge_server::integrity::{ObjectUse, Report, examine, object_use, open_metadata_copy};
use henge_server::open_existing_deep_storage;
use serde_json::json;

use super::{FolderArgs, as_json, table};
use crate::cmd::output::{counted, say};

/// Everything that a check finds.
struct Checked {
    report: Report,
    all: Option<Manifest>,
    objects: ObjectUse,
}

pub(super) async fn run(args: &FolderArgs) -> Result<ExitCode> {
    let config = args.place.config()?;
    let folder = args.place.folder_of(&config)?;
    let _lock = folder.look()?;
    let checked = check(&folder, &config.storage).await?;
    if args.json {
        print_json(&checked)?;
    } else {
        print(&folder, &checked)?;
    }
    let fits = checked.report.fits() && checked.objects.missing.is_empty();
    Ok(if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check(folder: &DataFolder, settings: &StorageConfig) -> Result<Checked> {
    let copy = tempfile::tempdir().context("make a temporary folder")?;
    let mut damaged = None;
    let store = match open_metadata_copy(folder, copy.path()).await {
        Ok(store) => store,
        Err(error) => match error.downcast::<MetadataError>() {
            Ok(MetadataError::Corrupt(reason)) => {
                damaged = Some(reason);
                None
            }
            Ok(other) => return Err(other.into()),
            Err(error) => return Err(error),
        },
    };
    let storage = open_existing_deep_storage(settings, folder).await?;
    let mut checked = look(folder, &*storage, store.as_ref(), damaged.is_none()).await?;
    checked.report.findings.extend(damaged);
    if let Some(store) = store {
        store.close().await;
    }
    Ok(checked)
}

async fn look(
    folder: &DataFolder,
    storage: &dyn DeepStorage,
    store: Option<&SqlMetadataStore>,
    may_be_missing: bool,
) -> Result<Checked> {
    let Some(store) = store else {
        let report = match may_be_missing {
            true => examine(folder, storage, None).await?,
            false => Report::default(),
        };
        return Ok(Checked { report, all: None, objects: ObjectUse::default() });
    };
    let report = examine(folder, storage, Some(store)).await?;
    let all = store.everything().await?;
    let objects = object_use(folder, storage, &all).await?;
    Ok(Checked { report, all: Some(all), objects })
}

fn print(folder: &DataFolder, checked: &Checked) -> Result<()> {
    let Checked { report, all, objects } = checked;
    if let Some(all) = all {
        say(format!("cluster {}", all.cluster_uuid))?;
        say(table(all))?;
    }
    for finding in report.all_findings() {
        say(format!("does not fit: {finding}"))?;
    }
    for missing in &objects.missing {
        say(format!("not available: {missing}"))?;
    }
    for note in &report.notes {
        say(format!("note: {note}"))?;
    }
    if !objects.unnamed.is_empty() {
        let count = counted(objects.unnamed.len() as u64, "object");
        say(format!(
            "note: {count} in deep storage that nothing names, first '{}'",
            objects.unnamed[0]
        ))?;
    }
    if report.fits() {
        say("everything fits")?;
    }
    if let Some(command) = report.give_up_all(folder) {
        say(format!("`{command}` gives up what is missing of all these logs at once"))?;
    }
    if !report.findings.is_empty() {
        let rebuild = folder.command("rebuild");
        say(format!("`{rebuild}` restores the metadata from the manifests in deep storage"))?;
    }
    Ok(())
}

fn print_json(checked: &Checked) -> Result<()> {
    let Checked { report, all, objects } = checked;
    let shown = json!({
        "fits": report.fits(),
        "findings": report.all_findings().collect::<Vec<_>>(),
        "notes": report.notes,
        "missingObjects": objects.missing,
        "unnamedObjects": objects.unnamed,
        "metadata": all.as_ref().map(as_json),
    });
    say(serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}
