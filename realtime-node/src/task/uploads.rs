//! Files that clients send for a batch task: kept in deep storage in parts, so that whichever node runs
//! the task reaches them, also after a restart. They are deleted when the task ends, and after a week
//! when no task ever came.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use henge_platform::runtime::files::{AppendedFile, write_atomically};
use henge_platform::storage::{DeepStorage, Payload};
use henge_query::ingest::{InputSource, UploadedFile, is_upload_id};

use super::run::Run;
use super::store::make_folder;
use crate::error::{RealtimeError, Result};
use crate::priority::LOAD_PRIORITY;

/// The folder of keys.
const FOLDER: &str = "uploads";
/// The `type` of such an input source.
pub(super) const TYPE: &str = "\"uploaded\"";
/// A file has at most so many parts.
const MAX_PARTS: u64 = 1_000_000;
/// What nobody loaded is kept so long.
const KEPT_MS: i64 = 7 * 86_400_000;

fn key(upload: &str, part: u64) -> String {
    format!("{FOLDER}/{upload}/{part:07}")
}

/// Keeps a part of a file; sending it again changes nothing.
///
/// # Errors
/// When the names are none, deep storage fails, or another part was sent under them.
pub(crate) async fn keep_part(
    storage: &dyn DeepStorage,
    upload: &str,
    part: u64,
    bytes: Bytes,
) -> Result<()> {
    if !is_upload_id(upload) || part >= MAX_PARTS {
        return Err(RealtimeError::Invalid(format!(
            "/v1/uploads/{{upload}}/{{part}}: give 32 hexadecimal digits, lower-case, and a number \
             below {MAX_PARTS}"
        )));
    }
    storage.push(&key(upload, part), Payload::Bytes(bytes)).await?;
    Ok(())
}

impl Run {
    /// Brings uploaded files to the disk of this node; gives their names and where they are.
    pub(super) async fn fetch_uploads(
        &mut self,
        uploaded: &[UploadedFile],
    ) -> Result<Vec<(String, PathBuf)>> {
        let spill_dir = self.shared.options.spill_dir.clone();
        let make = move || make_folder(&spill_dir);
        let folder = self.shared.ingest_pool.spawn(LOAD_PRIORITY, make).await??;
        self.fetched = Some(folder.clone());
        let mut fetched = Vec::with_capacity(uploaded.len());
        for (number, file) in uploaded.iter().enumerate() {
            let path = folder.join(number.to_string());
            self.fetch(file, &path).await?;
            fetched.push((file.name.clone(), path));
        }
        Ok(fetched)
    }

    async fn fetch(&self, file: &UploadedFile, path: &Path) -> Result<()> {
        let io = |error| RealtimeError::io(path)(error);
        write_atomically(path, b"").map_err(io)?;
        for part in 0..file.parts.min(MAX_PARTS) {
            self.stop.check(&self.id)?;
            let key = key(&file.upload, part);
            let bytes = self.shared.storage.read(&key).await.map_err(|error| {
                RealtimeError::Input { name: file.name.clone(), error: Box::new(error.into()) }
            })?;
            let path = path.to_owned();
            let append = move || AppendedFile::open(&path)?.append(&bytes);
            self.shared.ingest_pool.spawn(LOAD_PRIORITY, append).await?.map_err(io)?;
        }
        Ok(())
    }
}

/// Deletes what was uploaded for a task.
pub(super) async fn forget(storage: &dyn DeepStorage, source: &InputSource) {
    let InputSource::Uploaded { files } = source else { return };
    for file in files {
        for part in 0..file.parts.min(MAX_PARTS) {
            delete(storage, &key(&file.upload, part)).await;
        }
    }
}

/// Deletes what was uploaded long ago.
pub(super) async fn forget_old(storage: &dyn DeepStorage, now_ms: i64) {
    match storage.list(FOLDER).await {
        Ok(objects) => {
            for object in objects.iter().filter(|object| object.modified_ms < now_ms - KEPT_MS) {
                delete(storage, &object.key).await;
            }
        }
        Err(error) => tracing::warn!(%error, "old uploads are not looked for until the next start"),
    }
}

async fn delete(storage: &dyn DeepStorage, key: &str) {
    if let Err(error) = storage.delete(key).await {
        tracing::warn!(key, %error, "an upload stays in deep storage for a week");
    }
}
