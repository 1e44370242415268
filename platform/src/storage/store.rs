//! The contract of deep storage.

use std::fmt::Debug;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::error::{Result, StorageError};

/// What is stored.
#[derive(Debug, Clone)]
pub enum Payload {
    /// The content of a local file.
    File(PathBuf),
    /// Bytes.
    Bytes(Bytes),
}

/// Size and checksum: recorded when an object is pushed, verified when it is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushedObject {
    /// Size.
    pub size_bytes: u64,
    /// xxh3-64 of the content.
    pub checksum: u64,
}

/// What the store says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Key.
    pub key: String,
    /// Size.
    pub size_bytes: u64,
    /// When it was written, by the clock of the store, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// A store of immutable objects. Implementations pass the suite in `contract.rs`.
#[async_trait]
pub trait DeepStorage: Send + Sync + Debug {
    /// Stores an object, durably, unless the key is taken: the same content again is fine (an
    /// earlier call may have succeeded without its answer arriving), another one is a `Conflict`.
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject>;

    /// Stores an object, durably, in place of whatever is under the key: readers see the one or the
    /// other, never nothing. For mending an object that is known to be damaged; all others are
    /// immutable.
    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject>;

    /// Fetches an object to `destination`: under a temporary name, verified, synced, renamed.
    /// After a failure nothing is at `destination` that was not there before.
    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()>;

    /// Reads an object and verifies it, without keeping it.
    async fn check(&self, key: &str, expected: PushedObject) -> Result<()>;

    /// The content of a small object.
    async fn read(&self, key: &str) -> Result<Bytes>;

    /// A part of an object, which is not empty. That the object has the recorded size is checked, what the
    /// bytes are is for the caller to verify.
    async fn read_range(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Bytes>;

    /// Deletes an object; deleting what is not there succeeds.
    async fn delete(&self, key: &str) -> Result<()>;

    /// What is known of an object; `None` when it is not there.
    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>>;

    /// All objects under a folder of keys. No decision to delete may rest on this alone.
    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>>;

    /// True when the object is there.
    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.head(key).await?.is_some())
    }
}

/// Size and checksum of bytes.
#[must_use]
pub fn checksum_bytes(bytes: &[u8]) -> PushedObject {
    PushedObject { size_bytes: bytes.len() as u64, checksum: xxh3_64(bytes) }
}

/// Size and checksum of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn checksum_file(path: &Path) -> Result<PushedObject> {
    let mut reader = ChecksumReader::open(path)?;
    while reader.read_piece()? > 0 {}
    Ok(reader.finish())
}

/// A file that is read in pieces, for its size and its checksum.
pub struct ChecksumReader {
    path: PathBuf,
    file: File,
    hasher: Xxh3,
    buffer: Vec<u8>,
    size_bytes: u64,
}

impl Debug for ChecksumReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChecksumReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ChecksumReader {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| StorageError::io(path, e))?;
        let (hasher, buffer) = (Xxh3::new(), vec![0; 256 * 1024]);
        Ok(Self { path: path.to_owned(), file, hasher, buffer, size_bytes: 0 })
    }

    /// Reads on; gives how many bytes it was, 0 at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_piece(&mut self) -> Result<usize> {
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(read) => {
                    self.hasher.update(&self.buffer[..read]);
                    self.size_bytes += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io(&self.path, error)),
            }
        }
    }

    /// Size and checksum of what was read.
    #[must_use]
    pub fn finish(self) -> PushedObject {
        PushedObject { size_bytes: self.size_bytes, checksum: self.hasher.digest() }
    }
}

/// Fails when an object has another size than was recorded.
pub(super) fn verify_size(key: &str, recorded_bytes: u64, actual_bytes: u64) -> Result<()> {
    if actual_bytes == recorded_bytes {
        return Ok(());
    }
    let reason = format!("{actual_bytes} bytes, recorded {recorded_bytes}");
    Err(StorageError::Corrupt { key: key.to_owned(), reason })
}

/// Fails unless what was read is what was recorded.
pub(super) fn verify(key: &str, expected: PushedObject, actual: PushedObject) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    verify_size(key, expected.size_bytes, actual.size_bytes)?;
    let reason = format!("checksum {:016x}, recorded {:016x}", actual.checksum, expected.checksum);
    Err(StorageError::Corrupt { key: key.to_owned(), reason })
}
