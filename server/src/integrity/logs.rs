//! The logs of pushes against their marks and the metadata.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use henge_platform::metadata::{DATASOURCE, MetadataError, MetadataStore};
use henge_platform::runtime::blocking;
use henge_platform::wal::{
    AcceptedLoss, ExpectedLog, KnownEnd, LogMarks, LogState, has_log_files, inspect_log,
    log_identity, put_log_aside,
};
use henge_realtime_node::{OwnLog, PublishedLog};
use henge_types::decode_path_component;

use super::Report;
use super::marks::read_marks;
use crate::data_folder::DataFolder;

/// Beside the logs, what was one. No datasource's name begins with a dot.
const GIVEN_UP: &str = ".given-up";

/// A log of a known datasource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownLog {
    /// What it is.
    pub(crate) log: OwnLog,
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// What it must be.
    pub(crate) expected: ExpectedLog,
}

/// The logs of the folder's node that the metadata know of, by datasource, with what is known of their
/// ends. Logs of other nodes lie in folders of their own, and are theirs to check.
///
/// # Errors
/// When the metadata or the marks cannot be read.
pub(crate) async fn known_logs(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
) -> Result<BTreeMap<String, KnownLog>> {
    known_with(folder, metadata, &read_marks(folder)?).await
}

async fn known_with(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    marks: &LogMarks,
) -> Result<BTreeMap<String, KnownLog>> {
    let uuid = metadata.cluster_uuid().await?;
    let noted = metadata.log_marks().await?;
    let mut known = BTreeMap::new();
    for datasource in metadata.list_documents(DATASOURCE).await? {
        let name = datasource.name;
        let log = OwnLog::of(metadata, &name, folder.node()).await?;
        let published = PublishedLog::of(metadata, &log.name).await?;
        let identity = log_identity(&uuid, &log.name);
        let expected = ExpectedLog {
            identity,
            committed: published.position(),
            published_of: published.last_record(),
            known: marks.known_end(identity, noted.get(&log.name).copied()),
            begins: false,
        };
        let folder = folder.wal().join(&log.folder);
        known.insert(name, KnownLog { log, folder, expected });
    }
    Ok(known)
}

/// As [`known_logs`]; what was changed in the metadata is a finding.
async fn known_or_finding(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    report: &mut Report,
) -> Result<BTreeMap<String, KnownLog>> {
    let marks = read_marks(folder)?;
    match marks.damaged() {
        0 => {}
        damaged => report.note(format!(
            "{damaged} mark(s) in '{}' are damaged: the ends of those logs are held against what the \
             metadata have noted of them",
            folder.marks().display()
        )),
    }
    match known_with(folder, metadata, &marks).await {
        Err(error) => match error.downcast::<MetadataError>() {
            Ok(MetadataError::Corrupt(reason)) => {
                report.finding(reason);
                Ok(BTreeMap::new())
            }
            Ok(other) => Err(other.into()),
            Err(other) => Err(other),
        },
        known => known,
    }
}

/// Every log belongs to a datasource that is known; what is not published is in it.
pub(super) async fn compare(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    report: &mut Report,
) -> Result<()> {
    let known = known_or_finding(folder, metadata, report).await?;
    for (name, log) in &known {
        compare_one(folder, name, log, report).await?;
    }
    compare_unknown(folder, &known, report).await
}

/// What can be said without reading the logs: a start reads them once, when it opens them.
pub(super) async fn compare_names(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    report: &mut Report,
) -> Result<()> {
    let known = known_or_finding(folder, metadata, report).await?;
    for (name, log) in &known {
        let path = &log.folder;
        if !has_log_files(path).with_context(|| format!("read '{}'", path.display()))? {
            compare_one(folder, name, log, report).await?;
        }
    }
    compare_unknown(folder, &known, report).await
}

async fn compare_one(
    folder: &DataFolder,
    name: &str,
    log: &KnownLog,
    report: &mut Report,
) -> Result<()> {
    let state = inspect(&log.folder, log.expected).await?;
    if state.files == 0 && state.damages.is_empty() {
        note_missing(folder, name, log, report);
    }
    let command = folder.command("accept-log-loss");
    report.damaged_logs += usize::from(!state.damages.is_empty());
    for damage in state.damages {
        report.loss(format!(
            "the log of '{name}': {damage}; put the right one back, or give up what is missing with \
             `{command} --datasource '{name}'`"
        ));
    }
    state.notes.into_iter().for_each(|note| report.note(note));
    Ok(())
}

fn note_missing(folder: &DataFolder, name: &str, log: &KnownLog, report: &mut Report) {
    // A process that takes no pushes has no logs, and neither has one before its first start.
    if log.expected.known == KnownEnd::Unknown && !folder.wal().is_dir() {
        return;
    }
    let committed = log.expected.committed;
    report.note(match log.expected.known {
        KnownEnd::Unknown => {
            format!(
                "'{name}' has no log: none was made so far, or it was lost before it was marked"
            )
        }
        _ => format!(
            "the log of '{name}' is gone; all that it held is published, up to record {committed}"
        ),
    });
}

/// Logs of datasources that the metadata do not know.
async fn compare_unknown(
    folder: &DataFolder,
    known: &BTreeMap<String, KnownLog>,
    report: &mut Report,
) -> Result<()> {
    for (path, name) in unknown_folders(folder, known)? {
        if known.iter().any(|(datasource, of)| of.log.is_earlier(datasource, &name)) {
            report.note(format!(
                "'{}' is an earlier log, which another node went on with or which was given up: it may be \
                 deleted",
                path.display()
            ));
            continue;
        }
        let state = inspect(&path, ExpectedLog::default()).await?;
        // Made before its datasource was, or all of it was published and dropped.
        if state.is_empty {
            continue;
        }
        let way_out = datasource_of(&name).map(|datasource| {
            let command = folder.command("accept-log-loss");
            format!("; if that is right, `{command} --datasource '{datasource}'` puts it aside")
        });
        report.finding(format!(
            "'{}' is the log of a datasource that the metadata do not know, with {} record(s){}",
            path.display(),
            state.records,
            way_out.unwrap_or_default()
        ));
    }
    Ok(())
}

/// Folders of logs that are none of the known ones, with their names.
fn unknown_folders(
    folder: &DataFolder,
    known: &BTreeMap<String, KnownLog>,
) -> Result<Vec<(PathBuf, String)>> {
    let wal = folder.wal();
    if !wal.is_dir() {
        return Ok(Vec::new());
    }
    let mut unknown = Vec::new();
    for entry in std::fs::read_dir(&wal).with_context(|| format!("read '{}'", wal.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let is_known = known.values().any(|log| log.folder == path);
        if path.is_dir() && !is_known && name != GIVEN_UP {
            unknown.push((path, name));
        }
    }
    Ok(unknown)
}

/// Whose log a folder has.
fn datasource_of(folder_name: &str) -> Option<String> {
    let text = decode_path_component(folder_name)?;
    Some(text.split_once('/').map_or(text.as_str(), |(datasource, _)| datasource).to_owned())
}

/// Puts the logs of a datasource that the metadata do not know aside; gives what that was.
///
/// # Errors
/// When there are none, or they cannot be moved.
pub(super) async fn put_unknown_aside(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    known: &BTreeMap<String, KnownLog>,
    datasource: &str,
    marks: &LogMarks,
) -> Result<Vec<AcceptedLoss>> {
    let mut given_up = Vec::new();
    for (path, name) in unknown_folders(folder, known)? {
        if datasource_of(&name).as_deref() != Some(datasource) {
            continue;
        }
        let LogState { records, .. } = inspect(&path, ExpectedLog::default()).await?;
        let kept_aside = put_aside(folder, metadata, &path, datasource, marks).await?;
        let what =
            format!("'{}': the metadata do not know it; {records} record(s)", path.display());
        given_up.push(AcceptedLoss {
            damages: vec![what],
            kept_aside: Some(kept_aside),
            ..AcceptedLoss::default()
        });
    }
    anyhow::ensure!(
        !given_up.is_empty(),
        "there is no datasource '{datasource}', and no log of one"
    );
    Ok(given_up)
}

/// Puts empty logs of unknown datasources aside that do not begin at their beginning: new datasources of
/// their names could not go on with them.
///
/// # Errors
/// When they cannot be read or moved.
pub(super) async fn put_aside_empty(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    marks: &LogMarks,
) -> Result<()> {
    let known = known_logs(folder, metadata).await?;
    for (path, name) in unknown_folders(folder, &known)? {
        let Some(datasource) = datasource_of(&name).filter(|name| !known.contains_key(name)) else {
            continue;
        };
        let state = inspect(&path, ExpectedLog::default()).await?;
        if state.is_empty && !state.damages.is_empty() {
            let aside = put_aside(folder, metadata, &path, &datasource, marks).await?;
            let (path, aside) = (path.display(), aside.display());
            tracing::info!(%path, %aside, "put an empty log of an unknown datasource aside");
        }
    }
    Ok(())
}

async fn put_aside(
    folder: &DataFolder,
    metadata: &dyn MetadataStore,
    path: &Path,
    datasource: &str,
    marks: &LogMarks,
) -> Result<PathBuf> {
    let own = OwnLog::of(metadata, datasource, folder.node()).await?;
    let identity = log_identity(&metadata.cluster_uuid().await?, &own.name);
    let noted = metadata.log_marks().await?.get(&own.name).copied();
    let (path, aside, marks) = (path.to_owned(), folder.wal().join(GIVEN_UP), marks.clone());
    let shown = path.display().to_string();
    let moved = blocking(move || put_log_aside(&path, &aside, identity, noted, &marks)).await?;
    moved.with_context(|| format!("put '{shown}' aside"))
}

async fn inspect(folder: &Path, expected: ExpectedLog) -> Result<LogState> {
    let path = folder.to_owned();
    let inspected = blocking(move || inspect_log(&path, expected)).await?;
    inspected.with_context(|| format!("read the log '{}'", folder.display()))
}
