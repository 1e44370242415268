//! A file of this machine, read by ranges.

use std::path::Path;

use bytes::Bytes;
use henge_platform::runtime::files::RegularFile;
use henge_tabular::TableFile;

/// A regular file. It is read, not mapped: a file that somebody shortens meanwhile gives an error.
#[derive(Debug)]
pub struct LocalFile(RegularFile);

impl LocalFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        RegularFile::open(path).map(Self)
    }
}

impl TableFile for LocalFile {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
        let mut buffer = vec![0; length];
        self.0.read_exact_at(&mut buffer, offset)?;
        Ok(buffer.into())
    }
}
