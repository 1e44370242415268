//! Reading a log back, record by record.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};

use super::WalRecord;
use super::error::{Result, WalError};
use super::examine::{LogFile, Walk, corrupt, read_file_header};

/// The records from a sequence on, in order. Ends after the first error.
#[derive(Debug)]
pub struct Replay {
    from_sequence: u64,
    files: VecDeque<LogFile>,
    current: Option<Current>,
    records: VecDeque<WalRecord>,
}

struct Current {
    file: LogFile,
    walk: Walk<BufReader<File>>,
    offset: u64,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Replay {
    pub(super) fn new(files: Vec<LogFile>, from_sequence: u64) -> Self {
        // A file is skipped when the next one begins at or below the wanted sequence.
        let skip = files.partition_point(|file| file.first_sequence <= from_sequence);
        let files = files.into_iter().skip(skip.saturating_sub(1)).collect();
        Self { from_sequence, files, current: None, records: VecDeque::new() }
    }

    /// Reads one more frame; false at the end of the log.
    fn advance(&mut self) -> Result<bool> {
        if self.current.is_none() {
            let Some(file) = self.files.pop_front() else {
                return Ok(false);
            };
            if file.start >= file.length {
                return Ok(true);
            }
            self.current = Some(open(file)?);
        }
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        let path = &current.file.path;
        let remaining = current.file.length.saturating_sub(current.offset);
        if remaining == 0 {
            self.current = None;
            return Ok(true);
        }
        let frame = current.walk.next_frame(remaining).map_err(|e| WalError::io(path, &e))?;
        let Some((frame, body)) = frame else {
            return Err(corrupt(path, current.offset, "a frame fails verification"));
        };
        let frame_bytes = current.walk.frame_bytes(&frame);
        if frame.last_sequence >= self.from_sequence {
            let records =
                frame.records(body).map_err(|reason| corrupt(path, current.offset, &reason))?;
            let from_sequence = self.from_sequence;
            self.records.extend(records.into_iter().filter(|r| r.sequence >= from_sequence));
        }
        current.offset += frame_bytes;
        Ok(true)
    }
}

fn open(file: LogFile) -> Result<Current> {
    let opened = File::open(&file.path).map_err(|error| WalError::io(&file.path, &error))?;
    let mut reader = BufReader::with_capacity(1 << 20, opened);
    let header = read_file_header(&mut reader, &file.path)?;
    reader.seek(SeekFrom::Start(file.start)).map_err(|error| WalError::io(&file.path, &error))?;
    let offset = file.start;
    Ok(Current { file, walk: Walk::new(reader, header), offset })
}

impl Iterator for Replay {
    type Item = Result<WalRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Some(Ok(record));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.files.clear();
                    self.current = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
