//! What a start-up finds: verify every file, cut an unfinished write off the end, refuse damage
//! anywhere else.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::error::{Result, WalError};
use super::frame::{FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader};
use crate::runtime::files::{
    create_dir_durably, remove_temporary_files, sync_dir, write_atomically,
};

const FILE_ENDING: &str = "wal";
/// Unfinished writes are kept here, out of the log, for whoever wants to look.
const QUARANTINE: &str = "quarantine";

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
    /// Bytes of an unfinished, never acknowledged write that were cut off the end.
    pub torn_bytes: u64,
}

/// A file of the log and its intact length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    pub path: PathBuf,
    pub first_sequence: u64,
    pub length: u64,
}

pub(super) fn file_path(directory: &Path, first_sequence: u64) -> PathBuf {
    directory.join(format!("{first_sequence:020}.{FILE_ENDING}"))
}

/// Verifies a directory, which is made when it is missing.
pub(super) fn recover(directory: &Path) -> Result<(Vec<LogFile>, RecoveryReport)> {
    let io_error = |error: std::io::Error| WalError::io(directory, &error);
    create_dir_durably(directory).map_err(io_error)?;
    remove_temporary_files(directory).map_err(io_error)?;
    let paths = list_files(directory).map_err(io_error)?;
    let mut report = RecoveryReport { files: paths.len(), ..RecoveryReport::default() };
    let mut files = Vec::with_capacity(paths.len());
    for (index, (first_sequence, path)) in paths.iter().enumerate() {
        let is_last = index + 1 == paths.len();
        let length = recover_file(path, *first_sequence, is_last, &mut report)?;
        files.push(LogFile { path: path.clone(), first_sequence: *first_sequence, length });
    }
    Ok((files, report))
}

/// The files of a log by first sequence; what is not named as one is left alone.
fn list_files(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_log = path.extension().is_some_and(|ending| ending == FILE_ENDING);
        if let (true, Some(Ok(first_sequence))) = (is_log, stem.map(str::parse::<u64>)) {
            if !entry.file_type()?.is_file() {
                return Err(std::io::Error::other(format!("{} is not a file", path.display())));
            }
            files.push((first_sequence, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn recover_file(
    path: &Path,
    named_sequence: u64,
    is_last: bool,
    report: &mut RecoveryReport,
) -> Result<u64> {
    let io_error = |error: std::io::Error| WalError::io(path, &error);
    let file = File::open(path).map_err(io_error)?;
    let file_length = file.metadata().map_err(io_error)?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let header = read_file_header(&mut reader, path)?;
    if header.first_sequence != named_sequence {
        return Err(corrupt(path, 0, "the header names another first sequence than the file"));
    }
    let floor = report.last_sequence.map_or(0, |last| last + 1).max(named_sequence);
    let mut walk = Walk { reader, header, next_sequence: floor };
    let mut offset = FILE_HEADER_BYTES as u64;
    while offset < file_length {
        let Some((frame, _)) = walk.next_frame(file_length - offset).map_err(io_error)? else {
            if !is_last {
                return Err(corrupt(path, offset, "a frame fails verification"));
            }
            cut_torn_end(path, offset, file_length, &walk)?;
            report.torn_bytes = file_length - offset;
            return Ok(offset);
        };
        report.first_sequence = report.first_sequence.or(Some(frame.first_sequence));
        report.last_sequence = Some(frame.last_sequence);
        report.records += u64::from(frame.record_count);
        offset += (FRAME_HEADER_BYTES + frame.stored_bytes) as u64;
    }
    Ok(offset)
}

pub(super) fn read_file_header(reader: &mut impl Read, path: &Path) -> Result<FileHeader> {
    let mut bytes = Vec::with_capacity(FILE_HEADER_BYTES);
    reader
        .take(FILE_HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| WalError::io(path, &error))?;
    // A file gets its name only once its header is durable, so this is never an unfinished write.
    FileHeader::decode(&bytes).map_err(|reason| corrupt(path, 0, &reason))
}

/// Reads the frames of a file, one behind the other.
pub(super) struct Walk<R> {
    pub reader: R,
    pub header: FileHeader,
    pub next_sequence: u64,
}

impl<R: Read> Walk<R> {
    /// The next frame and its body; `None` when the bytes there are not an intact frame.
    pub(super) fn next_frame(
        &mut self,
        remaining: u64,
    ) -> std::io::Result<Option<(FrameHeader, Vec<u8>)>> {
        let mut head = Vec::with_capacity(FRAME_HEADER_BYTES);
        self.reader.by_ref().take(FRAME_HEADER_BYTES as u64).read_to_end(&mut head)?;
        let Some(frame) = FrameHeader::decode(&head, self.header.salt) else {
            return Ok(None);
        };
        // Checked before anything is allocated for the body.
        let fits = (FRAME_HEADER_BYTES + frame.stored_bytes) as u64 <= remaining;
        if !fits || frame.first_sequence < self.next_sequence {
            return Ok(None);
        }
        let mut body = Vec::with_capacity(frame.stored_bytes);
        self.reader.by_ref().take(frame.stored_bytes as u64).read_to_end(&mut body)?;
        if !frame.body_is_intact(&body, self.header.salt) {
            return Ok(None);
        }
        self.next_sequence = frame.last_sequence + 1;
        Ok(Some((frame, body)))
    }
}

/// Cuts the file at `offset` unless a good frame follows: then the damage is no unfinished write.
fn cut_torn_end<R>(path: &Path, offset: u64, length: u64, walk: &Walk<R>) -> Result<()> {
    let io_error = |error: std::io::Error| WalError::io(path, &error);
    let mut rest = fs::read(path).map_err(io_error)?;
    let rest = rest.split_off(usize::try_from(offset).unwrap_or(usize::MAX).min(rest.len()));
    let follows = (1..rest.len()).any(|at| {
        FrameHeader::decode(&rest[at..], walk.header.salt)
            .is_some_and(|frame| frame.first_sequence >= walk.next_sequence)
    });
    if follows {
        return Err(corrupt(path, offset, "a frame fails verification and a good one follows"));
    }
    keep_aside(path, offset, &rest).map_err(io_error)?;
    let file = OpenOptions::new().write(true).open(path).map_err(io_error)?;
    file.set_len(offset).and_then(|()| file.sync_all()).map_err(io_error)?;
    tracing::warn!(
        file = %path.display(), offset, bytes = length - offset,
        "cut an unfinished write off the write-ahead log; it was never acknowledged"
    );
    Ok(())
}

fn keep_aside(path: &Path, offset: u64, rest: &[u8]) -> std::io::Result<()> {
    let directory = path.with_file_name(QUARANTINE);
    create_dir_durably(&directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    write_atomically(&directory.join(format!("{name}.{offset}.torn")), rest)?;
    sync_dir(&directory)
}

pub(super) fn corrupt(path: &Path, offset: u64, reason: &str) -> WalError {
    WalError::Corrupt { path: path.display().to_string(), offset, reason: reason.to_owned() }
}
