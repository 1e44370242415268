//! Copies of the logs of other nodes (ADR 31), each in a folder of its own and in the form of a log.
//!
//! A copy takes records only behind the end that it has, and only from who has the owner's lease as the
//! metadata say. Once this node goes on with a log itself it takes no more of it.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_platform::runtime::files::{EntryKind, RegularFile};
use henge_platform::runtime::{Clock, blocking, files};
use henge_platform::wal::{LogHandles, LogMarks, Wal, WalOptions, log_identity};
use henge_types::encode_path_component;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::{RealtimeError, Result};
use crate::lease::{TTL_MS, lease_of};
use crate::options::RealtimeOptions;
use crate::peers::{Appended, CopyId, LogAppend, LogEnd};

/// In the folder of a copy: whose log it is.
const NAME: &str = "copy.json";

#[derive(Debug, Serialize, Deserialize)]
struct CopyName {
    owner: String,
    datasource: String,
}

/// The copies that this node keeps.
#[derive(Debug)]
pub(crate) struct Copies {
    metadata: Arc<dyn MetadataStore>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    wal: WalOptions,
    /// The epoch under which a node's logs are copied; whoever writes holds them off.
    epochs: tokio::sync::RwLock<HashMap<Arc<str>, u64>>,
    /// Before this, an earlier life of this node may have heard of anybody.
    began_ms: u64,
    /// When a node was last heard of, by the running clock.
    heard_ms: Mutex<HashMap<Arc<str>, u64>>,
    open: Mutex<HashMap<CopyId, Arc<tokio::sync::Mutex<Option<LogCopy>>>>>,
}

/// An open copy.
#[derive(Debug, Clone)]
pub(crate) struct LogCopy {
    pub(crate) wal: Wal,
    end: LogEnd,
    needed_from: u64,
    /// The metadata name it, and no other is left.
    is_recorded: bool,
}

impl Copies {
    pub(crate) fn new(
        options: &RealtimeOptions,
        metadata: Arc<dyn MetadataStore>,
        clock: Arc<dyn Clock>,
        (handles, marks): (LogHandles, LogMarks),
    ) -> Self {
        Self {
            metadata,
            began_ms: clock.running_ms(),
            clock,
            directory: options.copies_dir.clone(),
            wal: WalOptions { handles, marks, ..options.wal.clone() },
            epochs: tokio::sync::RwLock::default(),
            heard_ms: Mutex::default(),
            open: Mutex::default(),
        }
    }

    /// Adds records to a copy; returns once they are durable.
    ///
    /// # Errors
    /// `Conflict` when the owner's lease has another epoch by now; else when they are not durable.
    pub(crate) async fn append(&self, append: LogAppend) -> Result<Appended> {
        let LogAppend { copy: id, epoch, after, begins, needed_from, is_recorded, records } =
            append;
        self.note_epoch(&id.owner, epoch).await?;
        let epochs = self.epochs.read().await;
        if epochs.get(&id.owner) != Some(&epoch) {
            return Err(fenced(&id.owner, epoch, epochs.get(&id.owner).copied().unwrap_or(0)));
        }
        let slot = Arc::clone(self.open.lock().entry(id.clone()).or_default());
        let mut slot = slot.lock().await;
        if slot.is_none() {
            let committed = needed_from.saturating_sub(1);
            *slot = self.open_copy(&id, committed, begins).await?;
        }
        let Some(copy) = &mut *slot else { return Ok(Appended::Unknown) };
        if !copy.end.is(&after) {
            return Ok(Appended::EndsAt(copy.end));
        }
        if let Some(last) = records.last() {
            let end = LogEnd::of(last);
            if let Err(error) = copy.wal.append_copies(records).await {
                // Where it ends is read again.
                *slot = None;
                return Err(error.into());
            }
            copy.end = end;
        }
        self.heard_ms.lock().insert(Arc::clone(&id.owner), self.clock.running_ms());
        if needed_from > copy.needed_from {
            let wal = copy.wal.clone();
            blocking(move || wal.truncate_before(needed_from)).await??;
            copy.needed_from = needed_from;
        }
        if is_recorded && !copy.is_recorded {
            copy.is_recorded = true;
            self.remove_others(&id).await;
        }
        Ok(Appended::Durable)
    }

    /// Whether a copy is on the disk.
    pub(crate) fn has(&self, id: &CopyId) -> bool {
        self.folder(id).join(NAME).exists()
    }

    /// Takes no more of a node's logs under epochs before this one. Nothing is on its way when it returns.
    pub(crate) async fn close(&self, owner: &Arc<str>, epoch: u64) {
        self.epochs.write().await.insert(Arc::clone(owner), epoch);
    }

    /// True while a node counts on this one not to go on with its logs.
    pub(crate) fn is_counted_on(&self, owner: &str) -> bool {
        let heard_ms = self.heard_ms.lock().get(owner).copied();
        let heard_ms = heard_ms.unwrap_or(self.began_ms);
        self.clock.running_ms() < heard_ms.saturating_add(TTL_MS)
    }

    /// The log of a copy that is written to no more; records up to `committed` are published. `None` when
    /// it is lost.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) async fn log(&self, id: &CopyId, committed: u64) -> Result<Option<Wal>> {
        let slot = Arc::clone(self.open.lock().entry(id.clone()).or_default());
        let mut slot = slot.lock().await;
        if slot.is_none() {
            *slot = self.open_copy(id, committed, false).await?;
        }
        Ok(slot.as_ref().map(|copy| copy.wal.clone()))
    }

    /// Forgets a copy that nobody needs.
    pub(crate) async fn remove(&self, id: &CopyId) {
        self.open.lock().remove(id);
        let folder = self.folder(id);
        let removed = blocking(move || files::remove_dir_all(&folder)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(node = %id.owner, datasource = %id.datasource, %error, "a copy of a log stays on the disk");
        }
    }

    /// The copies on the disk.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) async fn on_disk(&self) -> Result<Vec<CopyId>> {
        let directory = self.directory.clone();
        blocking(move || list(&directory)).await?
    }

    /// Takes note of an epoch that the metadata confirm.
    async fn note_epoch(&self, owner: &Arc<str>, epoch: u64) -> Result<()> {
        let known = self.epochs.read().await.get(owner).copied().unwrap_or(0);
        if known >= epoch {
            return Ok(());
        }
        let lease = self.metadata.lease(&lease_of(owner)).await?;
        let current = lease.map_or(0, |lease| lease.epoch);
        if current != epoch {
            return Err(fenced(owner, epoch, current));
        }
        let mut epochs = self.epochs.write().await;
        let known = epochs.entry(Arc::clone(owner)).or_default();
        *known = epoch.max(*known);
        Ok(())
    }

    fn folder(&self, id: &CopyId) -> PathBuf {
        let CopyId { owner, datasource, attempt } = id;
        let of_owner = self.directory.join(encode_path_component(owner));
        of_owner.join(encode_path_component(datasource)).join(format!("{attempt:016x}"))
    }

    /// Opens a copy of a log of which all up to record `committed` is published; makes it when it `begins`.
    async fn open_copy(
        &self,
        id: &CopyId,
        committed: u64,
        begins: bool,
    ) -> Result<Option<LogCopy>> {
        let folder = self.folder(id);
        let is_there = folder.join(NAME).exists();
        if !is_there && !begins {
            return Ok(None);
        }
        if !is_there {
            let name =
                CopyName { owner: id.owner.to_string(), datasource: id.datasource.to_string() };
            let make = move || {
                let io_error = RealtimeError::io(&folder);
                let json = serde_json::to_vec(&name).unwrap_or_default();
                let made = files::create_dir_durably(&folder);
                made.and_then(|()| files::write_atomically(&folder.join(NAME), &json))
                    .map_err(io_error)
            };
            blocking(make).await??;
        }
        self.open_at(id, committed, !is_there).await.map(Some)
    }

    async fn open_at(&self, id: &CopyId, committed: u64, begins: bool) -> Result<LogCopy> {
        let uuid = self.metadata.cluster_uuid().await?;
        let name = format!("copy\0{}\0{}\0{:x}", id.owner, id.datasource, id.attempt);
        let folder = self.folder(id);
        let options = WalOptions {
            minimum_next_sequence: committed + 1,
            published_of: committed,
            identity: log_identity(&uuid, &name),
            noted: None,
            begins,
            ..self.wal.clone()
        };
        let open = move || {
            let (wal, report) = Wal::open(&folder, options)?;
            let sequence = wal.durable_sequence();
            let last = match report.last_sequence {
                Some(last) if last == sequence => wal.replay(last).next().transpose()?,
                _ => None,
            };
            let end = last.map_or(LogEnd { sequence, hash: 0 }, |last| LogEnd::of(&last));
            Ok::<_, RealtimeError>(LogCopy { wal, end, needed_from: 0, is_recorded: false })
        };
        blocking(open).await?
    }

    /// Removes the other copies of the same log.
    async fn remove_others(&self, id: &CopyId) {
        match self.on_disk().await {
            Ok(copies) => {
                let is_other = |other: &&CopyId| {
                    (&other.owner, &other.datasource) == (&id.owner, &id.datasource)
                        && other.attempt != id.attempt
                };
                for other in copies.iter().filter(is_other) {
                    self.remove(other).await;
                }
            }
            Err(error) => tracing::warn!(%error, "old copies of a log stay on the disk"),
        }
    }
}

/// All copies in a folder.
fn list(directory: &Path) -> Result<Vec<CopyId>> {
    let mut copies = Vec::new();
    for owner in folders(directory)? {
        for datasource in folders(&owner)? {
            for attempt in folders(&datasource)? {
                copies.extend(read_name(&attempt));
            }
        }
    }
    Ok(copies)
}

fn folders(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = files::list(directory).map_err(RealtimeError::io(directory))?;
    let folders = entries.into_iter().filter(|entry| entry.kind == EntryKind::Folder);
    Ok(folders.map(|entry| entry.path).collect())
}

/// `None` for what is no copy, or was not made to its end.
fn read_name(folder: &Path) -> Option<CopyId> {
    let attempt = u64::from_str_radix(folder.file_name()?.to_str()?, 16).ok()?;
    let mut json = Vec::new();
    RegularFile::open(&folder.join(NAME)).ok()?.read_to_end(&mut json).ok()?;
    let CopyName { owner, datasource } = serde_json::from_slice(&json).ok()?;
    Some(CopyId { owner: owner.into(), datasource: datasource.into(), attempt })
}

fn fenced(owner: &str, epoch: u64, current: u64) -> RealtimeError {
    MetadataError::Fenced { lease: lease_of(owner), epoch, current }.into()
}
