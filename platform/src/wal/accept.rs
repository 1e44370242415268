//! Giving up what a damaged log lost: what can be read is kept, and the old files are put aside.

use std::fs::{self, File};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::WalRecord;
use super::error::{Result, WalError};
use super::examine::{Walk, examine, file_path, list_files, read_file_header, records};
use super::frame::{FrameBuffers, encode_frame};
use super::header::{FileHeader, Link};
use super::mark::{ExpectedLog, LogMark};
use super::marks::LogMarks;
use super::options::WalCodec;
use super::recovery::QUARANTINE;
use super::tail::TAIL;
use crate::runtime::files::{TemporaryFile, create_dir_durably, sync_dir};
use crate::runtime::{crash_point, random};

/// What was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedLoss {
    /// The places that were damaged; empty when nothing had to be done.
    pub damages: Vec<String>,
    /// Records that are kept.
    pub kept_records: u64,
    /// The last record that the log has or had published.
    pub last_record: u64,
    /// Where the old files are.
    pub kept_aside: Option<PathBuf>,
}

/// Writes a damaged log anew from the records that can be read, and marks its new end. Nobody else
/// may use the log. Blocks.
///
/// # Errors
/// When files cannot be read or written; then the old ones are where they were.
pub fn accept_loss(
    directory: &Path,
    expected: ExpectedLog,
    marks: &LogMarks,
) -> Result<AcceptedLoss> {
    let ExpectedLog { identity, committed, .. } = expected;
    let io_error = |error: std::io::Error| WalError::io(directory, &error);
    let examined = examine(directory, expected)?;
    if examined.damages.is_empty() {
        let last_record = examined.end.sequence.max(committed);
        return Ok(AcceptedLoss { last_record, ..AcceptedLoss::default() });
    }
    if examined.is_foreign {
        return Err(WalError::Invalid(format!(
            "'{}' has files of another datasource's or cluster's log: move those away",
            directory.display()
        )));
    }
    let mut outcome = AcceptedLoss::default();
    for damage in &examined.damages {
        outcome.damages.push(format!("'{}': {}", damage.path.display(), damage.reason));
    }
    if let Some((first, last)) = examined.report.torn_records {
        let lost = records(first, last);
        outcome.damages.push(format!("{lost} damaged at the end, and kept with the old files"));
    }
    // A start that no other log has: one that is put back later does not fit the mark, also when
    // nothing is kept.
    let before = Link { sequence: committed, checksum: Some(random::<u64>().max(1)) };
    let header = FileHeader::following(before, random(), identity);
    let target = file_path(directory, header.first_sequence);
    create_dir_durably(directory).map_err(io_error)?;
    // Under a temporary name until the old files are kept.
    let temporary = TemporaryFile::create(&target).map_err(io_error)?;
    let mut file = temporary.file().map_err(io_error)?;
    file.write_all(&header.encode()).map_err(io_error)?;
    let mut end = before;
    let mut buffers = FrameBuffers::default();
    for (_, path) in list_files(directory).map_err(io_error)? {
        for records in readable(&path, end.sequence)? {
            outcome.kept_records += records.len() as u64;
            let frame;
            (frame, end) = encode_frame(&records, WalCodec::Lz4, &header, end, &mut buffers);
            file.write_all(frame).map_err(io_error)?;
        }
    }
    file.sync().map_err(io_error)?;
    // Killed anywhere between these, the log is as damaged as before and has all of its records.
    let old = old_files(directory).map_err(io_error)?;
    if !old.is_empty() {
        outcome.kept_aside = Some(keep_aside(directory, &old).map_err(io_error)?);
    }
    crash_point("wal/loss-kept-aside");
    temporary.commit().map_err(io_error)?;
    crash_point("wal/loss-written");
    for path in old.iter().filter(|path| **path != target) {
        fs::remove_file(path).map_err(io_error)?;
    }
    sync_dir(directory).map_err(io_error)?;
    crash_point("wal/loss-not-marked");
    outcome.last_record = end.sequence;
    // Until then the log is behind its mark, and no server starts on it.
    let generation = examined.mark.map_or(0, |mark| mark.generation) + 1;
    let noted = marks.note(LogMark::new(identity, generation, end.sequence, end));
    noted.and_then(|()| marks.sync()).map_err(io_error)?;
    Ok(outcome)
}

/// The records of a file above `after`, frame by frame, past whatever is damaged.
fn readable(path: &Path, after: u64) -> Result<Vec<Vec<WalRecord>>> {
    let io_error = |error: std::io::Error| WalError::io(path, &error);
    let opened = File::open(path).map_err(io_error)?;
    let length = opened.metadata().map_err(io_error)?.len();
    let mut reader = BufReader::new(opened);
    let Ok(header) = read_file_header(&mut reader, path) else {
        return Ok(Vec::new());
    };
    let mut walk = Walk::new(reader, header);
    let mut offset = header.size_bytes() as u64;
    let mut found = Vec::new();
    let mut last = after;
    while offset < length {
        if let Some((frame, body)) = walk.next_frame(length - offset).map_err(io_error)? {
            let mut records = frame.records(body).unwrap_or_default();
            records.retain(|record| record.sequence > last);
            last = records.last().map_or(last, |record| record.sequence);
            found.extend(Some(records).filter(|records| !records.is_empty()));
            offset += walk.frame_bytes(&frame);
            continue;
        }
        let Some(next) = walk.find_next(offset, path).map_err(io_error)? else { break };
        walk.reader.seek(SeekFrom::Start(next)).map_err(io_error)?;
        offset = next;
    }
    Ok(found)
}

/// What an accepted log takes the place of.
fn old_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = list_files(directory)?.into_iter().map(|(_, path)| path);
    Ok(files.chain(Some(directory.join(TAIL)).filter(|tail| tail.exists())).collect())
}

/// Gives a log's files a second name in a folder of their own.
fn keep_aside(directory: &Path, files: &[PathBuf]) -> std::io::Result<PathBuf> {
    let quarantine = directory.join(QUARANTINE);
    let is_free = |number: &u32| !quarantine.join(format!("given-up-{number}")).exists();
    let number = (1..).find(is_free).unwrap_or(u32::MAX);
    let folder = quarantine.join(format!("given-up-{number}"));
    create_dir_durably(&folder)?;
    for path in files {
        fs::hard_link(path, folder.join(path.file_name().unwrap_or_default()))?;
    }
    sync_dir(&folder)?;
    Ok(folder)
}
