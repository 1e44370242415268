//! Deep storage over any object store: S3 and what speaks its protocol, Google Cloud Storage, Azure; in
//! memory for tests.
//!
//! A store may be busy, lose an answer or carry out a request late, so nothing that it says decides
//! alone: after every put that did not plainly succeed the object is looked up (`upload.rs`). That a
//! store refuses to create a key twice is taken where it is offered and never relied on: keys are unique
//! and the metadata decide what counts.

mod attempts;
mod download;
mod failure;
mod fetch;
mod open;
mod upload;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::error::{Result, StorageError};
use super::key::validate_key;
use super::store::{DeepStorage, ObjectInfo, Payload, PushedObject, checksum_bytes, verify};
use attempts::Attempts;
use failure::{Failure, Place};

pub use attempts::RetryPolicy;
pub use fetch::{fetch_url, is_fetched_url};
pub(crate) use open::{Provider, ProviderOption};

/// Objects that are listed between two looks at the clock.
const LISTED_AT_ONCE: usize = 1_000;

/// An object store that also takes objects in parts.
pub trait ObjectBackend: ObjectStore + MultipartStore {}

impl<S: ObjectStore + MultipartStore> ObjectBackend for S {}

/// How objects are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// When failed requests are repeated.
    pub retry: RetryPolicy,
    /// Larger objects are sent in parts.
    pub part_bytes: u64,
    /// Parts of one object that are on their way at once.
    pub parts_at_once: usize,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self { retry: RetryPolicy::default(), part_bytes: 8 << 20, parts_at_once: 4 }
    }
}

/// Objects in a bucket, under a prefix.
#[derive(Clone)]
pub struct ObjectDeepStorage {
    store: Arc<dyn ObjectBackend>,
    place: Place,
    /// Before every key; empty, or with a slash at its end.
    prefix: String,
    options: TransferOptions,
}

/// The store itself would show its credentials.
impl fmt::Debug for ObjectDeepStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectDeepStorage").field(&self.place).finish()
    }
}

impl ObjectDeepStorage {
    /// Deep storage over this store.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectBackend>, options: TransferOptions) -> Self {
        Self { store, place: Place::memory(), prefix: String::new(), options }
    }

    /// Deep storage in memory, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        // The store in memory wants parts one after the other.
        let options = TransferOptions { parts_at_once: 1, ..TransferOptions::default() };
        Self::new(Arc::new(object_store::memory::InMemory::new()), options)
    }

    /// Asks whether the bucket is there and may be listed.
    ///
    /// # Errors
    /// `Refused` names the bucket and the fix; `Unavailable` when the store does not answer.
    pub async fn reach(&self) -> Result<()> {
        let mut attempts = self.attempts("LIST", &self.prefix);
        loop {
            let prefix = ObjectPath::from(self.prefix.as_str());
            let mut listed = self.store.list(Some(&prefix));
            match attempts.bounded(async { listed.next().await.transpose() }).await {
                Ok(_) => return Ok(()),
                Err(failure) => attempts.again(failure).await?,
            }
        }
    }

    fn attempts<'s>(&'s self, request: &'static str, key: &'s str) -> Attempts<'s> {
        Attempts::new(&self.options.retry, &self.place, request, key)
    }

    fn path(&self, key: &str) -> Result<ObjectPath> {
        validate_key(key)?;
        ObjectPath::parse(format!("{}{key}", self.prefix))
            .map_err(|_| StorageError::InvalidKey(key.to_owned()))
    }

    fn info(&self, object: &ObjectMeta) -> Option<ObjectInfo> {
        let key = object.location.as_ref().strip_prefix(&self.prefix)?.to_owned();
        let modified_ms = object.last_modified.timestamp_millis();
        Some(ObjectInfo { key, size_bytes: object.size, modified_ms })
    }

    /// Adds what is listed, as far as the store gets.
    async fn take(
        &self,
        attempts: &Attempts<'_>,
        listed: impl Stream<Item = object_store::Result<ObjectMeta>> + Send,
        objects: &mut Vec<ObjectMeta>,
    ) -> Result<(), Failure> {
        let pages = listed.try_ready_chunks(LISTED_AT_ONCE);
        let mut pages = std::pin::pin!(pages);
        loop {
            // What came before the error counts: the listing goes on behind it.
            let page = async {
                match pages.next().await {
                    None => Ok(None),
                    Some(Ok(page)) => Ok(Some((page, None))),
                    Some(Err(broken)) => Ok(Some((broken.0, Some(broken.1)))),
                }
            };
            let Some((page, broken)) = attempts.bounded(page).await? else { return Ok(()) };
            objects.extend(page);
            if let Some(error) = broken {
                return Err(Failure::of(&error));
            }
        }
    }
}

#[async_trait]
impl DeepStorage for ObjectDeepStorage {
    async fn push(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.upload(key, payload, upload::Taken::Keep).await
    }

    async fn overwrite(&self, key: &str, payload: Payload) -> Result<PushedObject> {
        self.upload(key, payload, upload::Taken::Replace).await
    }

    async fn pull(&self, key: &str, expected: PushedObject, destination: &Path) -> Result<()> {
        self.download(key, expected, destination).await
    }

    async fn read(&self, key: &str) -> Result<Bytes> {
        let path = self.path(key)?;
        let mut attempts = self.attempts("GET", key);
        loop {
            let read = async {
                let found = self.store.get(&path).await?;
                let (size_bytes, kept) = (found.meta.size, upload::kept_checksum(&found));
                Ok((found.bytes().await?, size_bytes, kept))
            };
            let failure = match attempts.bounded(read).await {
                Ok((bytes, size_bytes, kept)) if bytes.len() as u64 == size_bytes => {
                    let read = checksum_bytes(&bytes);
                    let checksum = kept.unwrap_or(read.checksum);
                    return verify(key, PushedObject { checksum, ..read }, read).map(|()| bytes);
                }
                Ok(_) => Failure::broken_off(),
                Err(failure) => failure,
            };
            attempts.again(failure).await?;
        }
    }

    async fn read_range(&self, key: &str, size_bytes: u64, range: Range<u64>) -> Result<Bytes> {
        self.download_range(key, size_bytes, range).await
    }

    async fn check(&self, key: &str, expected: PushedObject) -> Result<()> {
        self.read_verified(key, expected, None).await.map(|_| ())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        let mut attempts = self.attempts("DELETE", key);
        loop {
            match attempts.bounded(self.store.delete(&path)).await {
                Ok(()) | Err(Failure::Missing) => return Ok(()),
                Err(failure) => attempts.again(failure).await?,
            }
        }
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectInfo>> {
        let path = self.path(key)?;
        let mut attempts = self.attempts("HEAD", key);
        loop {
            let options = GetOptions { head: true, ..GetOptions::default() };
            match attempts.bounded(self.store.get_opts(&path, options)).await {
                Ok(found) => return Ok(self.info(&found.meta)),
                // The answer has no body that would tell a missing object from a missing bucket.
                Err(Failure::Missing) => return self.reach().await.map(|()| None),
                Err(failure) => attempts.again(failure).await?,
            }
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<ObjectInfo>> {
        let prefix = self.path(folder)?;
        let mut attempts = self.attempts("LIST", folder);
        let mut objects: Vec<ObjectMeta> = Vec::new();
        loop {
            let before = objects.len();
            let listed = match objects.last() {
                None => self.store.list(Some(&prefix)),
                Some(last) => self.store.list_with_offset(Some(&prefix), &last.location),
            };
            let taken = self.take(&attempts, listed, &mut objects).await;
            if objects.len() > before {
                attempts.got_on();
            }
            match taken {
                Ok(()) => break,
                Err(failure) => attempts.again(failure).await?,
            }
        }
        let mut objects: Vec<_> = objects.iter().filter_map(|object| self.info(object)).collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
}
