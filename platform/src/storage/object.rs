//! Deep storage over any object store; in memory for tests.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use xxhash_rust::xxh3::Xxh3;

use super::error::{Result, StorageError};
use super::key::validate_key;
use super::store::{DeepStorage, ObjectInfo, Payload, PushedObject, checksum_bytes, verify};
use crate::runtime::blocking;
use crate::runtime::files::{TemporaryFile, create_dir_durably, parent};

/// Objects in an object store that supports conditional puts.
#[derive(Debug, Clone)]
pub struct ObjectDeepStorage {
    store: Arc<dyn ObjectStore>,
}

impl ObjectDeepStorage {
    /// Deep storage over this store.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Deep storage in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Arc::new(object_store::memory::InMemory::new()))
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        let result = self.store.get(&object_path(key)?).await.map_err(|e| convert(key, &e))?;
        result.bytes().await.map_err(|error| convert(key, &error))
    }
}

#[async_trait]
impl DeepStorage for ObjectDeepStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        let path = object_path(key)?;
        let bytes = bytes_of(payload).await?;
        let pushed = checksum_bytes(&bytes);
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(pushed),
            Err(object_store::Error::AlreadyExists { .. }) => {
                if checksum_bytes(&self.get(key).await?) == pushed {
                    return Ok(pushed);
                }
                Err(StorageError::Conflict(key.to_owned()))
            }
            Err(error) => Err(convert(key, &error)),
        }
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        let (path, bytes) = (object_path(key)?, bytes_of(payload).await?);
        let pushed = checksum_bytes(&bytes);
        self.store.put(&path, bytes.into()).await.map_err(|error| convert(key, &error))?;
        Ok(pushed)
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        let io_error = |error| StorageError::io(destination, error);
        let result = self.store.get(&object_path(key)?).await.map_err(|e| convert(key, &e))?;
        create_dir_durably(parent(destination)).map_err(io_error)?;
        let temporary = TemporaryFile::create(destination).map_err(io_error)?;
        let mut file = temporary.file().map_err(io_error)?;
        let mut hasher = Xxh3::new();
        let mut size_bytes = 0;
        let mut pieces = result.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| convert(key, &error))?;
            hasher.update(&piece);
            size_bytes += piece.len() as u64;
            if size_bytes > expected.size_bytes {
                break;
            }
            let write = move || file.write_all(&piece).map(|()| file);
            file = blocking(write).await?.map_err(io_error)?;
        }
        verify(key, expected, PushedObject { size_bytes, checksum: hasher.digest() })?;
        drop(file);
        blocking(move || temporary.commit()).await?.map_err(io_error)
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        self.get(key).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        let result = self.store.get(&object_path(key)?).await.map_err(|e| convert(key, &e))?;
        let (mut hasher, mut size_bytes) = (Xxh3::new(), 0);
        let mut pieces = result.into_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| convert(key, &error))?;
            hasher.update(&piece);
            size_bytes += piece.len() as u64;
        }
        verify(key, expected, PushedObject { size_bytes, checksum: hasher.digest() })
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&object_path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(convert(key, &error)),
        }
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        match self.store.head(&object_path(key)?).await {
            Ok(object) => Ok(Some(ObjectInfo { key: key.to_owned(), size_bytes: object.size })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(convert(key, &error)),
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        let objects = self.store.list(Some(&object_path(folder)?));
        let mut objects: Vec<_> = objects
            .map_ok(|object| ObjectInfo {
                key: object.location.to_string(),
                size_bytes: object.size,
            })
            .try_collect()
            .await
            .map_err(|error| convert(folder, &error))?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
}

async fn bytes_of(payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::File(source) => {
            let read = move || std::fs::read(&source).map_err(|e| StorageError::io(&source, e));
            Ok(blocking(read).await??.into())
        }
    }
}

fn object_path(key: &str) -> Result<ObjectPath> {
    validate_key(key)?;
    ObjectPath::parse(key).map_err(|_| StorageError::InvalidKey(key.to_owned()))
}

fn convert(key: &str, error: &object_store::Error) -> StorageError {
    match error {
        object_store::Error::NotFound { .. } => StorageError::NotFound(key.to_owned()),
        other => StorageError::Unavailable(other.to_string()),
    }
}
