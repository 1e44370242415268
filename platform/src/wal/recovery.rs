//! What a start-up does with a log: an unfinished last write is kept aside and cut off, damage
//! anywhere else is refused.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{Result, WalError};
use super::examine::{Damage, Examined, Torn, corrupt, examine};
use super::header::Link;
use super::mark::{ExpectedLog, LogMark};
use super::marks::LogMarks;
use crate::runtime::crash_point;
use crate::runtime::files::{
    create_dir_durably, remove_temporary_files, sync_dir, write_atomically,
};

/// What is cut out of a log is kept here, for whoever wants to look.
pub(super) const QUARANTINE: &str = "quarantine";

/// What was found on opening a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Files.
    pub files: usize,
    /// Intact records, also those that a published position has made obsolete.
    pub records: u64,
    /// Sequence of the first intact record.
    pub first_sequence: Option<u64>,
    /// Sequence of the last intact record.
    pub last_sequence: Option<u64>,
    /// Bytes of an unfinished or damaged last write that were cut off the end and kept aside.
    pub torn_bytes: u64,
    /// The records that these were, where it is known that they were acknowledged.
    pub torn_records: Option<(u64, u64)>,
    /// Files kept aside, now or earlier.
    pub quarantined: usize,
    /// Damage that costs nothing.
    pub notes: Vec<String>,
}

/// Verifies a directory, which is made when it is missing. Nothing is changed when it is damaged.
pub(super) fn recover(
    directory: &Path,
    expected: ExpectedLog,
    marks: &LogMarks,
) -> Result<Examined> {
    let io_error = |error: std::io::Error| WalError::io(directory, &error);
    let mut examined = examine(directory, expected)?;
    if let Some(error) = first_damage(&examined.damages) {
        return Err(error);
    }
    create_dir_durably(directory).map_err(io_error)?;
    remove_temporary_files(directory).map_err(io_error)?;
    for note in &examined.report.notes {
        tracing::warn!("write-ahead log: {note}");
    }
    if let Some(torn) = &examined.torn {
        keep_aside(torn).map_err(io_error)?;
        crash_point("wal/torn-kept-aside");
        let end = examined.end;
        if let Some(mark) = examined.mark.filter(|mark| mark.sequence > end.sequence) {
            examined.mark = Some(take_back(&mark, end, marks).map_err(io_error)?);
        }
        cut(torn)?;
        say_torn(torn, &examined.report, expected.committed);
    }
    examined.report.quarantined = quarantined(directory);
    Ok(examined)
}

/// Marks the end that the log will have: before it is cut, so that a kill in between leaves a last
/// write that is damaged, and never a log that is shorter than its mark.
fn take_back(mark: &LogMark, end: Link, marks: &LogMarks) -> std::io::Result<LogMark> {
    let shorter = LogMark::new(mark.identity, mark.generation + 1, end.sequence, end);
    marks.note(shorter)?;
    marks.sync()?;
    crash_point("wal/mark-taken-back");
    Ok(shorter)
}

/// Files kept aside beside a log.
pub(super) fn quarantined(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory.join(QUARANTINE));
    entries.map_or(0, |entries| entries.filter_map(std::result::Result::ok).count())
}

/// The first damage as an error; it says how many more there are.
pub(super) fn first_damage(damages: &[Damage]) -> Option<WalError> {
    let first = damages.first()?;
    let more = match damages.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more place(s)"),
    };
    Some(corrupt(&first.path, first.offset, &format!("{}{more}", first.reason)))
}

fn cut(torn: &Torn) -> Result<()> {
    let io_error = |error: std::io::Error| WalError::io(&torn.path, &error);
    let file = OpenOptions::new().write(true).open(&torn.path).map_err(io_error)?;
    file.set_len(torn.offset).and_then(|()| file.sync_all()).map_err(io_error)
}

fn keep_aside(torn: &Torn) -> std::io::Result<()> {
    let mut file = File::open(&torn.path)?;
    file.seek(SeekFrom::Start(torn.offset))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    let directory = torn.path.with_file_name(QUARANTINE);
    create_dir_durably(&directory)?;
    let name = torn.path.file_name().unwrap_or_default().to_string_lossy();
    write_atomically(&directory.join(format!("{name}.{}.torn", torn.offset)), &rest)?;
    sync_dir(&directory)
}

/// A flipped bit in the last write cannot be told from an unfinished one, unless the mark does.
fn say_torn(torn: &Torn, report: &RecoveryReport, committed: u64) {
    let (file, offset, bytes) = (torn.path.display(), torn.offset, report.torn_bytes);
    match report.torn_records {
        Some((first, last)) => tracing::error!(
            %file, offset, bytes, first, last,
            "the last write of the log is damaged and was cut off and kept in 'quarantine': \
             records {first} to {last} were acknowledged and are lost"
        ),
        None => tracing::warn!(
            %file, offset, bytes, committed,
            "the last write of the log is unfinished or damaged and was cut off and kept in \
             'quarantine': unless it is published it may have been acknowledged"
        ),
    }
}
