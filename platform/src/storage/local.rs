//! Deep storage in a local directory. Objects are synced with their directories before a push
//! succeeds, which general object-store clients do not do for local files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use super::error::{Result, StorageError};
use super::key::validate_key;
use super::store::{
    DeepStorage, ObjectInfo, Payload, PushedObject, checksum_bytes, checksum_file, verify,
    verify_size,
};
use crate::runtime::files::{
    TEMPORARY_SUFFIX, TemporaryFile, create_dir_durably, parent, sync_dir,
};
use crate::runtime::{self, crash_point};

/// Objects as files under one directory.
#[derive(Debug, Clone)]
pub struct LocalDeepStorage {
    root: PathBuf,
}

impl LocalDeepStorage {
    /// A store under `root`, which is made when it is missing.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        create_dir_durably(&root).map_err(|error| StorageError::io(&root, error))?;
        Ok(Self { root })
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        validate_key(key)?;
        Ok(self.root.join(key))
    }
}

#[async_trait]
impl DeepStorage for LocalDeepStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        let path = self.path(key)?;
        let key = key.to_owned();
        blocking(move || push(&key, &path, &payload)).await
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        let path = self.path(key)?;
        blocking(move || {
            let (temporary, written) = write_beside(&path, &payload)?;
            temporary.commit().map_err(|error| StorageError::io(&path, error))?;
            Ok(written)
        })
        .await
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        let path = self.path(key)?;
        let (key, destination) = (key.to_owned(), destination.to_owned());
        blocking(move || pull(&key, &path, expected, &destination)).await
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        let path = self.path(key)?;
        let key = key.to_owned();
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if is_missing(&error) => Err(StorageError::NotFound(key)),
            Err(error) => Err(StorageError::io(&path, error)),
        })
        .await
    }

    async fn read_range(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Bytes> {
        let path = self.path(key)?;
        let key = key.to_owned();
        blocking(move || read_range(&key, &path, size_bytes, &range)).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        let path = self.path(key)?;
        let key = key.to_owned();
        blocking(move || match checksum_file(&path) {
            Ok(actual) => verify(&key, expected, actual),
            Err(StorageError::Io { source, .. }) if is_missing(&source) => {
                Err(StorageError::NotFound(key))
            }
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        blocking(move || match fs::remove_file(&path) {
            Ok(()) => sync_dir(parent(&path)).map_err(|error| StorageError::io(&path, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(StorageError::io(&path, error)),
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let path = self.path(key)?;
        let key = key.to_owned();
        blocking(move || match fs::symlink_metadata(&path) {
            Ok(file) if file.is_file() => Ok(Some(info(key, &file))),
            Ok(_) => Ok(None),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(StorageError::io(&path, error)),
        })
        .await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        let path = self.path(folder)?;
        let folder = folder.to_owned();
        blocking(move || {
            let mut objects = Vec::new();
            list(&path, &folder, &mut objects)?;
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    runtime::blocking(work).await?
}

/// Writes an object under a temporary name.
fn write_beside(path: &Path, payload: &Payload) -> Result<(TemporaryFile, PushedObject)> {
    let io_error = |error| StorageError::io(path, error);
    create_dir_durably(parent(path)).map_err(io_error)?;
    let temporary = TemporaryFile::create(path).map_err(io_error)?;
    let mut file = temporary.file().map_err(io_error)?;
    let pushed = match payload {
        Payload::Bytes(bytes) => {
            file.write_all(bytes).map_err(io_error)?;
            checksum_bytes(bytes)
        }
        Payload::File(source) => {
            let mut source = open_regular(source)?;
            copy_with_checksum(&mut source, &mut file).map_err(io_error)?
        }
    };
    Ok((temporary, pushed))
}

fn push(key: &str, path: &Path, payload: &Payload) -> Result<PushedObject> {
    let (temporary, pushed) = write_beside(path, payload)?;
    crash_point("storage/before-rename");
    match temporary.commit_new() {
        Ok(()) => Ok(pushed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if checksum_file(path)? == pushed {
                return Ok(pushed);
            }
            Err(StorageError::Conflict(key.to_owned()))
        }
        Err(error) => Err(StorageError::io(path, error)),
    }
}

fn pull(key: &str, path: &Path, expected: PushedObject, destination: &Path) -> Result<()> {
    let io_error = |error| StorageError::io(destination, error);
    let mut source = match open_regular(path) {
        Err(StorageError::Io { source, .. }) if is_missing(&source) => {
            return Err(StorageError::NotFound(key.to_owned()));
        }
        opened => opened?,
    };
    create_dir_durably(parent(destination)).map_err(io_error)?;
    let temporary = TemporaryFile::create(destination).map_err(io_error)?;
    let mut file = temporary.file().map_err(io_error)?;
    let pulled = copy_with_checksum(&mut source, &mut file).map_err(io_error)?;
    verify(key, expected, pulled)?;
    drop(file);
    crash_point("storage/before-pull-rename");
    temporary.commit().map_err(io_error)
}

fn read_range(key: &str, path: &Path, size_bytes: u64, range: &Range<u64>) -> Result<Bytes> {
    let file = match open_regular(path) {
        Err(StorageError::Io { source, .. }) if is_missing(&source) => {
            return Err(StorageError::NotFound(key.to_owned()));
        }
        opened => opened?,
    };
    let io_error = |error| StorageError::io(path, error);
    verify_size(key, size_bytes, file.metadata().map_err(io_error)?.len())?;
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start).map_err(io_error)?;
    Ok(bytes.into())
}

/// Opens a file, but no directory, device or pipe.
fn open_regular(path: &Path) -> Result<File> {
    let io_error = |error| StorageError::io(path, error);
    if !fs::symlink_metadata(path).map_err(io_error)?.is_file() {
        return Err(io_error(io::Error::other("not a regular file")));
    }
    File::open(path).map_err(io_error)
}

fn copy_with_checksum(source: &mut impl Read, target: &mut impl Write) -> io::Result<PushedObject> {
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size_bytes = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                target.write_all(&buffer[..read])?;
                size_bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(PushedObject { size_bytes, checksum: hasher.digest() })
}

fn list(directory: &Path, folder: &str, objects: &mut Vec<ObjectInfo>) -> Result<()> {
    let io_error = |error| StorageError::io(directory, error);
    let entries = match fs::read_dir(directory) {
        Err(error) if is_missing(&error) => return Ok(()),
        entries => entries.map_err(io_error)?,
    };
    for entry in entries {
        let entry = entry.map_err(io_error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(io_error)?;
        let key = format!("{folder}/{name}");
        if kind.is_dir() {
            list(&entry.path(), &key, objects)?;
        } else if kind.is_file() && !name.ends_with(TEMPORARY_SUFFIX) {
            objects.push(info(key, &entry.metadata().map_err(io_error)?));
        }
    }
    Ok(())
}

fn info(key: String, file: &fs::Metadata) -> ObjectInfo {
    use std::os::unix::fs::MetadataExt as _;
    let modified_ms = file.mtime().saturating_mul(1_000);
    ObjectInfo { key, size_bytes: file.len(), modified_ms }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
