//! A file of this machine, read by ranges.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;
use henge_tabular::TableFile;

/// A regular file. It is read, not mapped: a file that somebody shortens meanwhile gives an error.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    size_bytes: u64,
}

impl LocalFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        Ok(Self { file, size_bytes: metadata.len() })
    }
}

impl TableFile for LocalFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer.into())
    }
}
