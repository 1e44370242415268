//! Where the bytes of a Parquet file come from: ranges of a file that whoever opens it provides.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// A file that is read by ranges.
pub trait TableFile: Send + Sync + std::fmt::Debug {
    /// Its size.
    fn size_bytes(&self) -> u64;

    /// Exactly `length` bytes from `offset` on.
    ///
    /// # Errors
    /// When they cannot be read, or the file ends before.
    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<Bytes>;
}

impl TableFile for Bytes {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match start.checked_add(length) {
            Some(end) if end <= self.len() => Ok(self.slice(start..end)),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Page headers are mostly far smaller.
const WINDOW_BYTES: u64 = 1 << 10;

/// The ranges of a file as the Parquet library asks for them. Lengths come from the file's own
/// words, so they are compared with its size before anything is allocated.
#[derive(Debug, Clone)]
pub(super) struct Ranges(pub(super) Arc<dyn TableFile>);

impl Length for Ranges {
    fn len(&self) -> u64 {
        self.0.size_bytes()
    }
}

impl ChunkReader for Ranges {
    type T = Window;

    fn get_read(&self, start: u64) -> Result<Window> {
        Ok(Window { file: Arc::clone(&self.0), at: start, bytes: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.0.size_bytes());
        if end.is_none() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes from {start} on, but the file has {}",
                self.0.size_bytes()
            )));
        }
        self.0.read_at(start, length).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads on from a place, a small piece at a time.
#[derive(Debug)]
pub(super) struct Window {
    file: Arc<dyn TableFile>,
    at: u64,
    bytes: Bytes,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes.is_empty() {
            let length = self.file.size_bytes().saturating_sub(self.at).min(WINDOW_BYTES);
            self.bytes = self.file.read_at(self.at, length as usize)?;
            self.at += length;
        }
        let length = self.bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.bytes.split_to(length));
        Ok(length)
    }
}
