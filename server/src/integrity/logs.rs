//! The logs of pushes against the metadata.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use henge_platform::metadata::MetadataStore;
use henge_platform::wal::{LogState, inspect_log, log_identity};
use henge_realtime_node::push::PushDatasource;
use henge_types::encode_path_component;

use super::Report;
use crate::data_folder::DataFolder;

/// A log of a known datasource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLog {
    /// Where it is.
    pub folder: PathBuf,
    /// Whose it must be.
    pub identity: u64,
    /// What is published from it.
    pub committed: u64,
}

/// The logs that the metadata know of, by datasource.
///
/// # Errors
/// When the metadata cannot be read.
pub async fn known_logs(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
) -> Result<BTreeMap<String, KnownLog>> {
    let uuid = metadata.cluster_uuid().await?;
    let mut known = BTreeMap::new();
    for datasource in metadata.list_datasources().await? {
        let name = datasource.name;
        let position = metadata.source_position(&PushDatasource::source_id(&name)).await?;
        let log = KnownLog {
            folder: folder.wal().join(encode_path_component(&name)),
            identity: log_identity(&uuid, &name),
            committed: position.unwrap_or(0),
        };
        known.insert(name, log);
    }
    Ok(known)
}

/// Every log belongs to a datasource that is known; what is not published is in it.
pub(super) async fn compare(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    report: &mut Report,
) -> Result<()> {
    let known = known_logs(folder, metadata).await?;
    for (name, log) in &known {
        let state = inspect(&log.folder, log.identity, log.committed).await?;
        if state.files == 0 && state.damages.is_empty() {
            note_missing(name, log, report);
        }
        for damage in state.damages {
            report.finding(format!(
                "{damage}; restore it, or give up what is missing with `henge metadata \
                 accept-log-loss --datasource '{name}'`"
            ));
        }
        state.notes.into_iter().for_each(|note| report.note(note));
    }
    compare_unknown(folder, &known, report).await
}

/// What can be said without reading the logs: a start reads them once, when it opens them.
pub(super) async fn compare_names(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    report: &mut Report,
) -> Result<()> {
    let known = known_logs(folder, metadata).await?;
    for (name, log) in &known {
        if !has_files(&log.folder) {
            note_missing(name, log, report);
        }
    }
    compare_unknown(folder, &known, report).await
}

/// Whether a log's folder has anything of a log in it: its files, or the tail that says how far it was.
fn has_files(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| entry.path().is_file())
}

fn note_missing(name: &str, log: &KnownLog, report: &mut Report) {
    report.note(format!(
        "the log of '{name}' is gone: what was pushed and not published is lost; it goes on above \
         record {}, up to which all is published",
        log.committed
    ));
}

async fn compare_unknown(
    folder: &DataFolder,
    known: &BTreeMap<String, KnownLog>,
    report: &mut Report,
) -> Result<()> {
    let wal = folder.wal();
    if !wal.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&wal).with_context(|| format!("read '{}'", wal.display()))? {
        let path = entry?.path();
        if !path.is_dir() || known.values().any(|log| log.folder == path) {
            continue;
        }
        // Made before its datasource was, and nothing came into it.
        let state = inspect(&path, 0, 0).await?;
        if state.records > 0 || !state.damages.is_empty() {
            report.finding(format!(
                "'{}' is the log of a datasource that the metadata do not know, with {} record(s)",
                path.display(),
                state.records
            ));
        }
    }
    Ok(())
}

async fn inspect(folder: &Path, identity: u64, committed: u64) -> Result<LogState> {
    let path = folder.to_owned();
    let inspected = tokio::task::spawn_blocking(move || inspect_log(&path, identity, committed));
    inspected.await?.with_context(|| format!("read the log '{}'", folder.display()))
}
