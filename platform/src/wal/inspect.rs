//! What a log is, said without opening it.

use std::path::Path;

use super::error::{Result, WalError};
use super::examine::{Examined, examine, list_files};
use super::mark::ExpectedLog;
use super::recovery::quarantined;

/// What is known of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogState {
    /// Files; 0 when there is no log.
    pub files: usize,
    /// Intact records, also published ones.
    pub records: u64,
    /// No record was ever written into the files that are there, intact or not.
    pub is_empty: bool,
    /// Places where records that are not published are missing.
    pub damages: Vec<String>,
    /// Damage that stops nobody.
    pub notes: Vec<String>,
}

/// Looks at a log and changes nothing. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn inspect_log(directory: &Path, expected: ExpectedLog) -> Result<LogState> {
    let Examined { report, damages, torn, files, mark, .. } = examine(directory, expected)?;
    // Without files it is a mark that says that there was something.
    let is_empty = files.iter().all(|file| file.is_empty) && (!files.is_empty() || mark.is_none());
    let mut notes = report.notes;
    if let Some(torn) = torn {
        let what = match report.torn_records {
            Some((first, last)) => format!("records {first} to {last}, which were acknowledged"),
            None => "an unfinished write, or records that were acknowledged".to_owned(),
        };
        notes.push(format!(
            "the last {} bytes of '{}' are damaged: {what}; the next start keeps them in 'quarantine'",
            report.torn_bytes,
            torn.path.display()
        ));
    }
    match quarantined(directory) {
        0 => {}
        kept => notes.push(format!("'{}': {kept} file(s) in 'quarantine'", directory.display())),
    }
    let damages = damages.iter().map(|d| match d.path == directory {
        true => format!("'{}': {}", d.path.display(), d.reason),
        false => format!("log file '{}' at byte {}: {}", d.path.display(), d.offset, d.reason),
    });
    let (files, records) = (report.files, report.records);
    Ok(LogState { files, records, is_empty, damages: damages.collect(), notes })
}

/// Whether a folder has files of a log; one that is not there has none. Blocks.
///
/// # Errors
/// When it cannot be read.
pub fn has_log_files(directory: &Path) -> Result<bool> {
    let files = list_files(directory).map_err(|error| WalError::io(directory, &error))?;
    Ok(!files.is_empty())
}
