//! The files of an open log: frames are appended and synced, files begun and deleted.

use std::path::PathBuf;
use std::sync::Arc;

use super::WalRecord;
use super::error::{Result, WalError};
use super::examine::{LogFile, file_path};
use super::frame::{FrameBuffers, encode_frame};
use super::header::{FileHeader, Link};
use super::io::{WalFile, WalIo};
use super::mark::LogMark;
use super::marks::LogMarks;
use super::options::WalOptions;
use crate::runtime::files::sync_dir;
use crate::runtime::{crash_point, random};

/// Owns the files. The last one is open, unless beginning it failed.
#[derive(Debug)]
pub(super) struct Writer {
    directory: PathBuf,
    io: Arc<dyn WalIo>,
    pub files: Vec<LogFile>,
    pub open: Option<OpenFile>,
    /// The end of what is durable.
    pub end: Link,
    identity: u64,
    marks: LogMarks,
    /// Of the marks that it writes.
    generation: u64,
    marks_work: bool,
}

#[derive(Debug)]
pub(super) struct OpenFile {
    /// `None` while it is closed to spare a handle.
    pub file: Option<Box<dyn WalFile>>,
    header: FileHeader,
    length: u64,
}

impl Writer {
    pub(super) fn new(
        directory: PathBuf,
        io: Arc<dyn WalIo>,
        files: Vec<LogFile>,
        end: Link,
        (identity, generation): (u64, u64),
        marks: LogMarks,
    ) -> Self {
        let marks_work = true;
        Self { directory, io, files, open: None, end, identity, marks, generation, marks_work }
    }

    /// Begins a file for the records after the last one.
    pub(super) fn begin_file(&mut self) -> Result<()> {
        let header = FileHeader::following(self.end, random(), self.identity);
        let first_sequence = header.first_sequence;
        let path = file_path(&self.directory, first_sequence);
        let bytes = header.encode();
        let file = self
            .io
            .create(&path, &bytes)
            .map_err(|error| WalError::WriteFailed(error.to_string().into()))?;
        let length = bytes.len() as u64;
        self.open = Some(OpenFile { file: Some(file), header, length });
        self.files.push(LogFile { path, first_sequence, start: length, length, is_empty: true });
        Ok(())
    }

    /// Writes one frame and makes it durable.
    pub(super) fn write(
        &mut self,
        records: &[WalRecord],
        options: &WalOptions,
        buffers: &mut FrameBuffers,
    ) -> Result<()> {
        let is_empty = self.files.last().is_none_or(|file| file.is_empty);
        let is_full = |open: &OpenFile| !is_empty && open.length >= options.max_file_bytes;
        if self.open.as_ref().is_some_and(is_full) {
            self.open = None;
        }
        if self.open.is_none() {
            self.begin_file()?;
        }
        let (Some(open), Some(entry)) = (&mut self.open, self.files.last_mut()) else {
            return Err(WalError::WriteFailed("no file is open".into()));
        };
        let (frame, end) = encode_frame(records, options.codec, &open.header, self.end, buffers);
        crash_point("wal/before-append");
        let file = match &mut open.file {
            Some(file) => file,
            closed => {
                let file = self.io.reopen(&entry.path);
                closed.insert(file.map_err(|e| WalError::WriteFailed(e.to_string().into()))?)
            }
        };
        append(file.as_mut(), open.length, frame)?;
        crash_point("wal/before-sync");
        file.sync().map_err(|error| {
            WalError::Stopped(format!("fsync failed, so nothing more is promised: {error}").into())
        })?;
        crash_point("wal/after-sync");
        open.length += frame.len() as u64;
        entry.length = open.length;
        entry.is_empty = false;
        let before = std::mem::replace(&mut self.end, end);
        self.note_end(before.sequence);
        Ok(())
    }

    /// Marks how far the log is durable. Without a mark the log only tells less.
    pub(super) fn note_end(&mut self, before_last: u64) {
        let mark = LogMark::new(self.identity, self.generation, before_last, self.end);
        let noted = self.marks.note(mark);
        match &noted {
            Err(error) if self.marks_work => {
                tracing::warn!(log = %self.directory.display(), %error, "the log's end is not marked");
            }
            _ => {}
        }
        self.marks_work = noted.is_ok();
    }

    pub(super) fn truncate_before(&mut self, sequence: u64) -> Result<usize> {
        // When even the open file is obsolete, a new one takes its place.
        if self.end.sequence < sequence && self.files.last().is_some_and(|file| !file.is_empty) {
            self.open = None;
            self.begin_file()?;
        }
        let obsolete =
            self.files.windows(2).take_while(|pair| pair[1].first_sequence <= sequence).count();
        // Oldest first, so that a crash in between leaves no gap.
        for _ in 0..obsolete {
            let path = self.files[0].path.clone();
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(WalError::io(&path, &error));
                }
                _ => self.files.remove(0),
            };
        }
        if obsolete > 0 {
            sync_dir(&self.directory).map_err(|error| WalError::io(&self.directory, &error))?;
        }
        Ok(obsolete)
    }
}

/// Appends to a file of `length` bytes whole or not at all; what cannot be undone stops the log.
fn append(file: &mut dyn WalFile, length: u64, frame: &[u8]) -> Result<()> {
    let Err(error) = file.append(frame) else {
        return Ok(());
    };
    match file.truncate(length) {
        Ok(()) => Err(WalError::WriteFailed(error.to_string().into())),
        Err(undo) => Err(WalError::Stopped(
            format!("a write failed ({error}) and could not be undone ({undo})").into(),
        )),
    }
}
