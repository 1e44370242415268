//! The few file operations that the log's promises rest on, as a trait so that tests can make them
//! fail.

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::Path;

use crate::runtime::files::{AppendedFile, TemporaryFile};

/// A file that is appended to.
pub(super) trait WalFile: Send + Debug {
    /// Appends all bytes.
    ///
    /// # Errors
    /// When not all were written; some may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// When that is not certain. The kernel may have dropped the bytes: never try again.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to a length, after a failed append.
    ///
    /// # Errors
    /// When it could not be cut.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// Makes files.
pub(super) trait WalIo: Send + Sync + Debug {
    /// Creates a file that durably exists with `header` as its content.
    ///
    /// # Errors
    /// When it could not be made; then it is not there.
    fn create(&self, path: &Path, header: &[u8]) -> io::Result<Box<dyn WalFile>>;

    /// Opens a file that was closed, to append to it.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn reopen(&self, path: &Path) -> io::Result<Box<dyn WalFile>>;
}

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DiskWalIo;

impl WalIo for DiskWalIo {
    fn create(&self, path: &Path, header: &[u8]) -> io::Result<Box<dyn WalFile>> {
        let temporary = TemporaryFile::create(path)?;
        temporary.file()?.write_all(header)?;
        temporary.commit()?;
        self.reopen(path)
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn WalFile>> {
        Ok(Box::new(DiskWalFile(AppendedFile::open(path)?)))
    }
}

#[derive(Debug)]
struct DiskWalFile(AppendedFile);

impl WalFile for DiskWalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }
}
