//! Reading all of a log and finding what is wrong with it. Nothing is changed.
//!
//! Records up to the committed position are published and never needed again: damage among them is
//! said and goes on. Any other damage is named with the sequences that are missing.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Result, WalError};
use super::frame::{FrameHeader, frame_header_bytes};
use super::header::{FileHeader, Link};
use super::mark::{ExpectedLog, KnownEnd, LogMark};
use super::recovery::RecoveryReport;
use super::tail::read_tail;

const FILE_ENDING: &str = "wal";

/// A file of the log: its frames from `start` to `length` are intact, as far as they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogFile {
    pub path: PathBuf,
    pub first_sequence: u64,
    /// Where the frames begin that are read.
    pub start: u64,
    pub length: u64,
    /// True when no frame was written behind the header.
    pub is_empty: bool,
}

/// A place where records are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    pub path: PathBuf,
    pub offset: u64,
    pub reason: String,
}

/// An unfinished or damaged last write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    pub path: PathBuf,
    pub offset: u64,
    pub length: u64,
}

/// What a log is found to be.
#[derive(Debug, Default)]
pub(super) struct Examined {
    pub files: Vec<LogFile>,
    pub report: RecoveryReport,
    pub damages: Vec<Damage>,
    pub torn: Option<Torn>,
    /// The end of what is intact.
    pub end: Link,
    /// The mark that the end was held against.
    pub mark: Option<LogMark>,
    /// True when a file is of another log.
    pub is_foreign: bool,
}

pub(super) fn file_path(directory: &Path, first_sequence: u64) -> PathBuf {
    directory.join(format!("{first_sequence:020}.{FILE_ENDING}"))
}

/// Examines a log; one that is not there is empty.
pub(super) fn examine(directory: &Path, expected: ExpectedLog) -> Result<Examined> {
    let io_error = |error: std::io::Error| WalError::io(directory, &error);
    let paths = list_files(directory).map_err(io_error)?;
    let mut out = Examined { mark: expected.known.mark(), ..Examined::default() };
    if out.mark.is_none() {
        let notes = &mut out.report.notes;
        out.mark = read_tail(directory, expected.identity, notes).map_err(io_error)?;
    }
    out.report.files = paths.len();
    let mut examiner =
        Examiner { expected, last: None, broken: None, marked: None, starts_unnamed: false, out };
    for (index, (first_sequence, path)) in paths.iter().enumerate() {
        let next_first = paths.get(index + 1).map(|(first, _)| *first);
        let file = examiner.file(path, *first_sequence, next_first.is_none())?;
        examiner.out.files.push(file);
    }
    examiner.finish(directory);
    Ok(examiner.out)
}

/// The files of a log by first sequence; what is not named as one is left alone.
pub(super) fn list_files(directory: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
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

struct Examiner {
    expected: ExpectedLog,
    /// The end of what was read; `None` before the first file.
    last: Option<Link>,
    /// Bytes that are no frame, and of which it is not known yet what they were.
    broken: Option<Damage>,
    /// The frame that ends where the mark does, when it was read.
    marked: Option<Link>,
    /// True when the mark is where a file begins that says of what is before it only that there is nothing.
    starts_unnamed: bool,
    out: Examined,
}

impl Examiner {
    fn file(&mut self, path: &Path, named: u64, is_last: bool) -> Result<LogFile> {
        let io_error = |error: std::io::Error| WalError::io(path, &error);
        let opened = File::open(path).map_err(io_error)?;
        let length = opened.metadata().map_err(io_error)?.len();
        let mut file = LogFile {
            path: path.to_owned(),
            first_sequence: named,
            start: length,
            length,
            is_empty: false,
        };
        let mut reader = BufReader::with_capacity(1 << 20, opened);
        let header = match read_file_header(&mut reader, path) {
            Err(WalError::Corrupt { reason, .. }) => {
                self.unreadable(path, 0, reason, is_last);
                return Ok(file);
            }
            header => header?,
        };
        if header.first_sequence != named {
            let reason = "the header names another first sequence than the file".to_owned();
            self.unreadable(path, 0, reason, is_last);
            return Ok(file);
        }
        self.check_identity(path, &header);
        self.link(path, 0, header.before());
        if self.out.mark.is_some_and(|mark| mark.sequence == header.before().sequence) {
            self.marked = Some(header.before());
            self.starts_unnamed = header.is_linked() && header.before().checksum.is_none();
        }
        file.start = header.size_bytes() as u64;
        file.is_empty = length <= file.start;
        self.frames(&mut file, Walk::new(reader, header), is_last)?;
        Ok(file)
    }

    fn check_identity(&mut self, path: &Path, header: &FileHeader) {
        let (found, wanted) = (header.identity, self.expected.identity);
        let is_foreign = found != wanted && found != 0 && wanted != 0;
        // Said once, for all of its files.
        if is_foreign && !std::mem::replace(&mut self.out.is_foreign, true) {
            let reason = "it is the log of another datasource or cluster".to_owned();
            self.out.damages.push(Damage { path: path.to_owned(), offset: 0, reason });
        }
    }

    fn frames(
        &mut self,
        file: &mut LogFile,
        mut walk: Walk<BufReader<File>>,
        is_last: bool,
    ) -> Result<()> {
        let path = file.path.clone();
        let io_error = |error: std::io::Error| WalError::io(&path, &error);
        let mut offset = file.start;
        walk.next_sequence = self.last.map_or(0, |last| last.sequence + 1);
        while offset < file.length {
            if let Some((frame, _)) = walk.next_frame(file.length - offset).map_err(io_error)? {
                self.frame(&path, offset, &frame);
                offset += walk.frame_bytes(&frame);
                continue;
            }
            let reason = "a frame fails verification".to_owned();
            let Some(next) = walk.find_next(offset, &path).map_err(io_error)? else {
                self.end_of_file(file, offset, reason, is_last);
                return Ok(());
            };
            self.broken = Some(Damage { path: path.clone(), offset, reason });
            walk.reader.seek(SeekFrom::Start(next)).map_err(io_error)?;
            (offset, file.start) = (next, next);
        }
        Ok(())
    }

    fn frame(&mut self, path: &Path, offset: u64, frame: &FrameHeader) {
        let before = match frame.before {
            Some(before) => Some(before),
            // Without links a failed append may have left a gap; only behind damage it counts.
            None if self.broken.is_some() => {
                Some(Link { sequence: frame.first_sequence - 1, checksum: None })
            }
            None => None,
        };
        if let Some(before) = before {
            self.link(path, offset, before);
        }
        self.last = Some(frame.end());
        if self.out.mark.is_some_and(|mark| mark.sequence == frame.last_sequence) {
            self.marked = self.last;
            self.starts_unnamed = false;
        }
        let report = &mut self.out.report;
        report.first_sequence = report.first_sequence.or(Some(frame.first_sequence));
        report.last_sequence = Some(frame.last_sequence);
        report.records += u64::from(frame.record_count);
    }

    /// The bytes from `offset` on are not frames.
    fn end_of_file(&mut self, file: &mut LogFile, offset: u64, reason: String, is_last: bool) {
        if is_last {
            let path = file.path.clone();
            self.out.torn = Some(Torn { path, offset, length: file.length });
        } else {
            self.broken = Some(Damage { path: file.path.clone(), offset, reason });
        }
        file.length = offset;
    }

    fn unreadable(&mut self, path: &Path, offset: u64, reason: String, is_last: bool) {
        let damage = Damage { path: path.to_owned(), offset, reason };
        if is_last {
            // A file gets its name only once its header is durable: no unfinished write.
            self.out.damages.push(damage);
        } else {
            self.broken = Some(damage);
        }
    }

    /// What was read must be what comes next was written behind.
    fn link(&mut self, path: &Path, offset: u64, before: Link) {
        let broken = self.broken.take();
        let committed = self.expected.committed;
        let last = self.last.replace(before);
        let same_file = broken.as_ref().is_some_and(|broken| broken.path == path);
        if last.is_some_and(|last| last.agrees(&before)) && !same_file {
            self.last = last;
            return;
        }
        let have = last.map_or(committed, |last| last.sequence);
        let place = broken.unwrap_or_else(|| Damage {
            path: path.to_owned(),
            offset,
            reason: "what it was written behind is not there".to_owned(),
        });
        if before.sequence <= committed {
            if last.is_some() {
                self.note_published(&place);
            }
            return;
        }
        let reason = if before.sequence > have.max(committed) {
            let first = have.max(committed) + 1;
            format!("{}; {} missing", place.reason, records(first, before.sequence))
        } else if last.is_none() {
            return;
        } else {
            format!("{}; what is before it was replaced or changed", place.reason)
        };
        self.out.damages.push(Damage { reason, ..place });
    }

    fn note_published(&mut self, place: &Damage) {
        self.out.report.notes.push(format!(
            "'{}' at byte {}: {}; all records there are published",
            place.path.display(),
            place.offset,
            place.reason
        ));
    }

    /// Holds the end against the mark.
    fn finish(&mut self, directory: &Path) {
        let committed = self.expected.committed;
        let end = self.last.unwrap_or_default();
        self.out.end = end;
        self.out.report.torn_bytes = self.out.torn.as_ref().map_or(0, |t| t.length - t.offset);
        if self.out.is_foreign {
            return;
        }
        if self.out.report.files == 0 {
            self.finish_without_files(directory);
            return;
        }
        let known = self.out.mark.map_or(0, |mark| mark.sequence);
        if end.sequence.max(known) < committed && self.out.torn.is_none() {
            self.end_damage(directory, format!(
                "the log ends at record {}, but records up to {committed} were published from it: \
                 it is an older copy", end.sequence
            ));
            return;
        }
        let published_of = self.expected.published_of;
        if published_of > committed && end.sequence.max(known) < published_of {
            self.end_damage(directory, format!(
                "the log ends at record {}, but rows of records up to {published_of} were published \
                 from it: it is an older copy", end.sequence
            ));
            return;
        }
        if let KnownEnd::AtLeast(noted) = self.expected.known {
            self.out.report.notes.push(format!(
                "the mark of the log '{}' is lost: whether anything is missing behind record {} \
                 cannot be told",
                directory.display(),
                noted.sequence.max(committed)
            ));
        }
        let Some(mark) = self.out.mark.filter(|mark| mark.sequence >= committed) else { return };
        if mark.sequence > end.sequence.max(committed) {
            self.ends_before(directory, &mark);
        } else if self.is_another(&mark) && self.out.damages.is_empty() {
            self.end_damage(
                directory,
                format!(
                    "its record {} is not the one that was written: it is a copy that went on for \
                 itself, or another log",
                    mark.sequence
                ),
            );
        }
    }

    /// True when what was read is not what was marked. Published records may be damaged or gone.
    fn is_another(&self, mark: &LogMark) -> bool {
        let Some(marked) = self.marked else { return mark.sequence > self.expected.committed };
        !mark.end().agrees(&marked) || (self.starts_unnamed && mark.end().checksum.is_some())
    }

    fn ends_before(&mut self, directory: &Path, mark: &LogMark) {
        let end = self.out.end.sequence;
        let first = end.max(self.expected.committed) + 1;
        let may_be_torn = mark.before_last.max(self.expected.published_of) <= end;
        if self.out.torn.is_some() && may_be_torn {
            self.out.report.torn_records = Some((first, mark.sequence));
            return;
        }
        self.end_damage(directory, format!(
            "the log ends at record {end}, but was durable up to {}: {} missing at its end; it was \
             cut, its last file is gone, or it is an older copy",
            mark.sequence, records(first, mark.sequence)
        ));
    }

    /// A log that is gone is no loss when it was never made, or when all that it held is published.
    fn finish_without_files(&mut self, directory: &Path) {
        let committed = self.expected.committed;
        let what = if directory.is_dir() { "the log has no files" } else { "the log is gone" };
        let marked = self.out.mark.map_or(0, |mark| mark.sequence);
        let known = marked.max(self.expected.published_of);
        let is_marked = matches!(self.expected.known, KnownEnd::At(_));
        if known > committed {
            let missing = records(committed + 1, known);
            self.end_damage(
                directory,
                format!("{what}, but was durable up to record {known}: {missing} missing"),
            );
        } else if !is_marked && !self.expected.begins && (self.out.mark.is_some() || committed > 0)
        {
            self.end_damage(
                directory,
                format!(
                    "{what}, and so is its mark: what was pushed after record {committed} and not \
                 published is missing"
                ),
            );
        }
    }

    fn end_damage(&mut self, directory: &Path, reason: String) {
        let last = self.out.files.last();
        let path = last.map_or_else(|| directory.to_owned(), |file| file.path.clone());
        let offset = last.map_or(0, |file| file.length);
        self.out.damages.push(Damage { path, offset, reason });
    }
}

/// Records, for a sentence that goes on.
pub(super) fn records(first: u64, last: u64) -> String {
    match last - first {
        0 => format!("record {first} (1 push) is"),
        more => format!("records {first} to {last} ({} pushes) are", more + 1),
    }
}

pub(super) fn read_file_header(reader: &mut (impl Read + Seek), path: &Path) -> Result<FileHeader> {
    let io_error = |error: std::io::Error| WalError::io(path, &error);
    let mut bytes = Vec::with_capacity(FileHeader::MAX_BYTES);
    reader.take(FileHeader::MAX_BYTES as u64).read_to_end(&mut bytes).map_err(io_error)?;
    let header = FileHeader::decode(&bytes).map_err(|reason| corrupt(path, 0, &reason))?;
    reader.seek(SeekFrom::Start(header.size_bytes() as u64)).map_err(io_error)?;
    Ok(header)
}

/// Reads the frames of a file, one behind the other.
pub(super) struct Walk<R> {
    pub reader: R,
    pub header: FileHeader,
    /// A frame with a smaller sequence is none.
    pub next_sequence: u64,
}

impl<R: Read> Walk<R> {
    pub(super) fn new(reader: R, header: FileHeader) -> Self {
        Self { reader, header, next_sequence: header.first_sequence }
    }

    /// Bytes of a frame with its header.
    pub(super) fn frame_bytes(&self, frame: &FrameHeader) -> u64 {
        (frame_header_bytes(&self.header) + frame.stored_bytes) as u64
    }

    /// The next frame and its body; `None` when the bytes there are not an intact frame.
    pub(super) fn next_frame(
        &mut self,
        remaining: u64,
    ) -> std::io::Result<Option<(FrameHeader, Vec<u8>)>> {
        let header_bytes = frame_header_bytes(&self.header);
        let mut head = Vec::with_capacity(header_bytes);
        self.reader.by_ref().take(header_bytes as u64).read_to_end(&mut head)?;
        let Some(frame) = FrameHeader::decode(&head, &self.header) else {
            return Ok(None);
        };
        // Checked before anything is allocated for the body.
        if self.frame_bytes(&frame) > remaining || frame.first_sequence < self.next_sequence {
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

    /// Where the next good header of a frame is, behind `offset`.
    pub(super) fn find_next(&self, offset: u64, path: &Path) -> std::io::Result<Option<u64>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut rest = Vec::new();
        file.read_to_end(&mut rest)?;
        let is_frame = |at: &usize| {
            FrameHeader::decode(&rest[*at..], &self.header)
                .is_some_and(|frame| frame.first_sequence >= self.next_sequence)
        };
        Ok((1..rest.len()).find(is_frame).map(|at| offset + at as u64))
    }
}

pub(super) fn corrupt(path: &Path, offset: u64, reason: &str) -> WalError {
    WalError::Corrupt { path: path.display().to_string(), offset, reason: reason.to_owned() }
}
