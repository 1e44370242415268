//! Fetching: an object that breaks off is read on from where it did, and what came is verified as a whole.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange};
use xxhash_rust::xxh3::Xxh3;

use super::super::error::{Result, StorageError};
use super::super::store::{PushedObject, verify, verify_size};
use super::ObjectDeepStorage;
use super::attempts::Attempts;
use super::failure::Failure;
use crate::runtime::blocking;
use crate::runtime::files::{NewFile, TemporaryFile, create_dir_durably, parent};

/// What has arrived of an object.
pub(super) struct Received {
    size_bytes: u64,
    hasher: Xxh3,
    /// Where it is written, unless it is only verified.
    file: Option<NewFile>,
}

impl Received {
    fn so_far(&self) -> PushedObject {
        PushedObject { size_bytes: self.size_bytes, checksum: self.hasher.digest() }
    }
}

/// Why receiving stopped.
enum Stopped {
    /// The store failed.
    Store(Failure),
    /// Something here did, or the object is not what it should be.
    Here(StorageError),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl ObjectDeepStorage {
    /// Fetches an object to a file that is there as a whole or not at all.
    pub(super) async fn download(
        &self,
        key: &str,
        expected: PushedObject,
        destination: &Path,
    ) -> Result<()> {
        let target = destination.to_owned();
        let open = move || {
            create_dir_durably(parent(&target))?;
            let temporary = TemporaryFile::create(&target)?;
            let file = temporary.file()?;
            Ok((temporary, file))
        };
        let io_error = |error| StorageError::io(destination, error);
        let (temporary, file) = blocking(open).await?.map_err(io_error)?;
        drop(self.read_verified(key, expected, Some((destination, file))).await?);
        blocking(move || temporary.commit()).await?.map_err(io_error)
    }

    /// Reads a part of an object of a recorded size.
    pub(super) async fn download_range(
        &self,
        key: &str,
        size_bytes: u64,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let object = self.path(key)?;
        let mut attempts = self.attempts("GET", key);
        loop {
            let read = async {
                let range = Some(GetRange::Bounded(range.clone()));
                let options = GetOptions { range, ..GetOptions::default() };
                let answer = self.store.get_opts(&object, options).await?;
                let actual_bytes = answer.meta.size;
                Ok((answer.bytes().await?, actual_bytes))
            };
            let failure = match attempts.bounded(read).await {
                Ok((bytes, actual_bytes)) => {
                    verify_size(key, size_bytes, actual_bytes)?;
                    if bytes.len() as u64 == range.end - range.start {
                        return Ok(bytes);
                    }
                    Failure::broken_off()
                }
                Err(failure) => failure,
            };
            attempts.again(failure).await?;
        }
    }

    /// Reads an object, writes it to the file if there is one, and verifies it.
    pub(super) async fn read_verified(
        &self,
        key: &str,
        expected: PushedObject,
        target: Option<(&Path, NewFile)>,
    ) -> Result<Received> {
        let object = self.path(key)?;
        let (path, file) = target.unzip();
        let mut received = Received { size_bytes: 0, hasher: Xxh3::new(), file };
        let mut attempts = self.attempts("GET", key);
        loop {
            let before = received.size_bytes;
            let receiving = self.receive(&attempts, &object, expected, &mut received, path);
            let failure = match receiving.await {
                Ok(()) => break,
                Err(Stopped::Here(error)) => return Err(error),
                Err(Stopped::Store(failure)) => failure,
            };
            if received.size_bytes > before {
                attempts.got_on();
            }
            attempts.again(failure).await?;
        }
        verify(key, expected, received.so_far())?;
        Ok(received)
    }

    /// Reads on from what has arrived.
    async fn receive(
        &self,
        attempts: &Attempts<'_>,
        object: &ObjectPath,
        expected: PushedObject,
        received: &mut Received,
        path: Option<&Path>,
    ) -> Result<(), Stopped> {
        let from = received.size_bytes;
        let range = (from > 0).then_some(GetRange::Offset(from));
        let options = GetOptions { range, ..GetOptions::default() };
        let answer = attempts.bounded(self.store.get_opts(object, options)).await?;
        if answer.meta.size != expected.size_bytes {
            // Another object: its size is told without reading all of it.
            received.size_bytes = answer.meta.size;
            return Ok(());
        }
        let mut pieces = answer.into_stream();
        while received.size_bytes < expected.size_bytes {
            let piece = attempts.bounded(async { pieces.next().await.transpose() }).await?;
            let Some(piece) = piece else {
                return Err(Failure::broken_off().into());
            };
            received.hasher.update(&piece);
            received.size_bytes += piece.len() as u64;
            if let Some(mut file) = received.file.take() {
                let write = move || file.write_all(&piece).map(|()| file);
                let written = blocking(write).await.map_err(|lost| Stopped::Here(lost.into()))?;
                received.file = Some(written.map_err(|error| {
                    Stopped::Here(StorageError::io(path.unwrap_or(Path::new("")), error))
                })?);
            }
        }
        Ok(())
    }
}
