//! Storing: whole when small, in parts when large. Whatever a store answers, or when it does not, what is
//! there afterwards decides: the object is looked up before it is sent again or given up.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, GetOptions, GetResult, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use xxhash_rust::xxh3::Xxh3;

use super::super::error::{Result, StorageError};
use super::super::store::{Payload, PushedObject, checksum_bytes, checksum_file};
use super::ObjectDeepStorage;
use super::attempts::Attempts;
use super::failure::Failure;
use crate::runtime::blocking;

/// The object's checksum, in its metadata. Azure takes letters and digits only.
const CHECKSUM: &str = "hengexxh3";
/// Most parts that every store takes.
const MAX_PARTS: u64 = 10_000;

/// What to do when the key is taken by another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Leave it: a conflict.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// What is under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// What was to be stored.
    Same,
    Other,
}

/// What became of a put that failed or whose answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    NotDone,
    Unknown,
}

impl ObjectDeepStorage {
    pub(super) async fn upload(
        &self,
        key: &str,
        payload: Payload,
        taken: Taken,
    ) -> Result<PushedObject> {
        let path = self.path(key)?;
        let (pushed, source) = self.measured(payload).await?;
        match source {
            Payload::Bytes(bytes) => self.put_whole(key, &path, bytes, pushed, taken).await?,
            Payload::File(file) => self.put_in_parts(key, &path, file, pushed, taken).await?,
        }
        Ok(pushed)
    }

    /// Size and checksum of a payload. A file comes back as bytes unless it is sent in parts.
    async fn measured(&self, payload: Payload) -> Result<(PushedObject, Payload)> {
        let part_bytes = self.options.part_bytes;
        match payload {
            Payload::Bytes(bytes) => Ok((checksum_bytes(&bytes), Payload::Bytes(bytes))),
            Payload::File(path) => {
                let measure = move || {
                    let pushed = checksum_file(&path)?;
                    if pushed.size_bytes > part_bytes {
                        return Ok((pushed, Payload::File(path)));
                    }
                    let bytes = std::fs::read(&path).map_err(|e| StorageError::io(&path, e))?;
                    Ok((checksum_bytes(&bytes), Payload::Bytes(bytes.into())))
                };
                blocking(measure).await?
            }
        }
    }

    async fn put_whole(
        &self,
        key: &str,
        path: &ObjectPath,
        bytes: Bytes,
        pushed: PushedObject,
        taken: Taken,
    ) -> Result<()> {
        let mut options = PutOptions { attributes: attributes(pushed), ..PutOptions::default() };
        if taken == Taken::Keep {
            options.mode = PutMode::Create;
        }
        let mut attempts = self.attempts("PUT", key);
        loop {
            let put = self.store.put_opts(path, PutPayload::from(bytes.clone()), options.clone());
            let Err(failure) = attempts.bounded(put).await else { return Ok(()) };
            if matches!(failure, Failure::Refused(_)) {
                return Err(attempts.error(failure));
            }
            let outcome = self.outcome(&attempts, path, pushed, taken).await?;
            match (outcome, failure) {
                (Outcome::Done, _) => return Ok(()),
                // The store creates nothing on condition, and no key is used twice.
                (Outcome::NotDone, Failure::Unsupported(_)) if options.mode == PutMode::Create => {
                    options.mode = PutMode::Overwrite;
                }
                // It is not: the store met another request (409), or cannot be asked.
                (_, Failure::Exists | Failure::Missing) => {
                    attempts.again(Failure::Passing("conflict (409)".into())).await?;
                }
                (_, failure) => attempts.again(failure).await?,
            }
        }
    }

    async fn put_in_parts(
        &self,
        key: &str,
        path: &ObjectPath,
        source: PathBuf,
        pushed: PushedObject,
        taken: Taken,
    ) -> Result<()> {
        let mut attempts = self.attempts("PUT in parts", key);
        // Parts replace what is there when they are put together: look first.
        if taken == Taken::Keep {
            loop {
                match self.find(&attempts, path, pushed).await {
                    Ok(Found::Nothing) => break,
                    Ok(Found::Same) => return Ok(()),
                    Ok(Found::Other) => return Err(StorageError::Conflict(key.to_owned())),
                    Err(failure) => attempts.again(failure).await?,
                }
            }
        }
        let upload = loop {
            match attempts.bounded(self.store.create_multipart(path)).await {
                Ok(upload) => break upload,
                Err(failure) => attempts.again(failure).await?,
            }
        };
        let parts = self.send_parts(key, path, &upload, source, pushed.size_bytes).await;
        let done = match parts {
            Ok(parts) => self.put_together(key, path, &upload, parts, (pushed, taken)).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            self.abort(key, path, &upload).await;
        }
        done
    }

    /// Sends the parts, each as often as it takes.
    async fn send_parts(
        &self,
        key: &str,
        path: &ObjectPath,
        upload: &String,
        source: PathBuf,
        size_bytes: u64,
    ) -> Result<Vec<PartId>> {
        let part_bytes = self.options.part_bytes.max(size_bytes.div_ceil(MAX_PARTS));
        let opened = source.clone();
        let file = blocking(move || File::open(&opened)).await?;
        let file = Arc::new(file.map_err(|error| StorageError::io(&source, error))?);
        let sent = (0..size_bytes.div_ceil(part_bytes)).map(|number| {
            let (file, source) = (Arc::clone(&file), source.clone());
            async move {
                let from = number * part_bytes;
                let length = part_bytes.min(size_bytes - from);
                let read = move || read_part(&file, &source, from, length);
                let bytes = blocking(read).await??;
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let mut attempts = self.attempts("PUT of a part", key);
                loop {
                    let payload = PutPayload::from(bytes.clone());
                    let put = self.store.put_part(path, upload, index, payload);
                    match attempts.bounded(put).await {
                        Ok(part) => return Ok(part),
                        Err(failure) => attempts.again(failure).await?,
                    }
                }
            }
        });
        stream::iter(sent).buffered(self.options.parts_at_once.max(1)).try_collect().await
    }

    async fn put_together(
        &self,
        key: &str,
        path: &ObjectPath,
        upload: &String,
        parts: Vec<PartId>,
        (pushed, taken): (PushedObject, Taken),
    ) -> Result<()> {
        let mut attempts = self.attempts("PUT in parts", key);
        loop {
            let complete = self.store.complete_multipart(path, upload, parts.clone());
            let Err(failure) = attempts.bounded(complete).await else { return Ok(()) };
            let outcome = self.outcome(&attempts, path, pushed, taken).await?;
            match (outcome, failure) {
                (Outcome::Done, _) => return Ok(()),
                (Outcome::NotDone, Failure::Missing) => {
                    let gone = "the parts are gone, and nothing is there".to_owned();
                    return Err(attempts.error(Failure::Passing(gone)));
                }
                // They are gone because they were put together, or not: it has to be looked up.
                (Outcome::Unknown, Failure::Missing | Failure::Exists) => {
                    attempts.again(Failure::Passing("the outcome is unknown".into())).await?;
                }
                (_, failure) => attempts.again(failure).await?,
            }
        }
    }

    /// Frees what the parts take; a rule of the bucket's has to free what is left by a crash.
    async fn abort(&self, key: &str, path: &ObjectPath, upload: &String) {
        let mut attempts = self.attempts("abort of PUT in parts", key);
        loop {
            let failure = match attempts.bounded(self.store.abort_multipart(path, upload)).await {
                Ok(()) | Err(Failure::Missing) => return,
                Err(failure) => failure,
            };
            if let Err(error) = attempts.again(failure).await {
                tracing::warn!(%error, "parts of an unfinished upload stay in the bucket");
                return;
            }
        }
    }

    /// Looks what became of a put that failed or whose answer is missing.
    async fn outcome(
        &self,
        attempts: &Attempts<'_>,
        path: &ObjectPath,
        pushed: PushedObject,
        taken: Taken,
    ) -> Result<Outcome> {
        match self.find(attempts, path, pushed).await {
            Ok(Found::Same) => Ok(Outcome::Done),
            Ok(Found::Other) if taken == Taken::Keep => Err(attempts.error(Failure::Exists)),
            Ok(Found::Nothing | Found::Other) => Ok(Outcome::NotDone),
            Err(Failure::Passing(_)) => Ok(Outcome::Unknown),
            Err(failure) => Err(attempts.error(failure)),
        }
    }

    /// What is under a key, by its size and its checksum; read back when the store keeps no checksum.
    async fn find(
        &self,
        attempts: &Attempts<'_>,
        path: &ObjectPath,
        pushed: PushedObject,
    ) -> Result<Found, Failure> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = match attempts.bounded(self.store.get_opts(path, head)).await {
            Ok(found) => found,
            Err(Failure::Missing) => return Ok(Found::Nothing),
            Err(failure) => return Err(failure),
        };
        if found.meta.size != pushed.size_bytes {
            return Ok(Found::Other);
        }
        let checksum = match kept_checksum(&found) {
            Some(checksum) => checksum,
            None => match self.read_checksum(attempts, path).await {
                Err(Failure::Missing) => return Ok(Found::Nothing),
                read => read?,
            },
        };
        Ok(if checksum == pushed.checksum { Found::Same } else { Found::Other })
    }

    async fn read_checksum(
        &self,
        attempts: &Attempts<'_>,
        path: &ObjectPath,
    ) -> Result<u64, Failure> {
        let found = attempts.bounded(self.store.get(path)).await?;
        let (size_bytes, mut read_bytes) = (found.meta.size, 0);
        let mut pieces = found.into_stream();
        let mut hasher = Xxh3::new();
        while let Some(piece) = attempts.bounded(async { pieces.next().await.transpose() }).await? {
            hasher.update(&piece);
            read_bytes += piece.len() as u64;
        }
        match read_bytes == size_bytes {
            true => Ok(hasher.digest()),
            false => Err(Failure::broken_off()),
        }
    }
}

fn attributes(pushed: PushedObject) -> Attributes {
    let checksum = format!("{:016x}", pushed.checksum);
    Attributes::from_iter([(Attribute::Metadata(CHECKSUM.into()), checksum)])
}

/// The checksum beside an object, if the store keeps it.
pub(super) fn kept_checksum(found: &GetResult) -> Option<u64> {
    let kept = found.attributes.get(&Attribute::Metadata(CHECKSUM.into()))?;
    u64::from_str_radix(kept, 16).ok()
}

fn read_part(file: &File, path: &Path, from: u64, length: u64) -> Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, from).map_err(|error| StorageError::io(path, error))?;
    Ok(bytes.into())
}
