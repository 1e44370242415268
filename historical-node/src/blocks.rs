//! Segments that are served on demand: their rows stay in deep storage. On the node's disk each has a file of
//! its size with holes, into which the blocks that were read are put (ADR 37). Whether a block is there, its
//! checksum says. When the disk's share is full, the blocks of the segments that were not read for longest
//! give way, a whole segment at a time, and never while somebody reads it.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use futures::{StreamExt, TryStreamExt, stream};
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::{BlockingThreads, MappedFile, blocking, files, map_file};
use henge_platform::storage::DeepStorage;
use henge_platform::telemetry::Counter;
use henge_segment::{FetchBytes, MappedSegment, SegmentError};
use henge_types::{ErrorClass, SegmentId, SegmentSchema};
use parking_lot::Mutex;

use crate::cache::{CachedFile, FileForm, Reservation, remove_file};
use crate::error::{HistoricalError, Result};
use crate::load::{Opened, announced_columns, if_is, without_schema};
use crate::{HistoricalNode, Loaded, Serving};

/// Ranges of one segment that are fetched beside each other.
const RANGES_AT_ONCE: usize = 8;

/// What a file system gives room in.
const PAGE_BYTES: u64 = 4_096;

/// What of a segment is on the disk.
#[derive(Debug)]
pub(crate) struct Blocks {
    room: Mutex<Reservation>,
    /// Since its room was last asked for.
    was_read: AtomicBool,
    /// Whether it is among those that give way.
    is_listed: AtomicBool,
}

impl Blocks {
    /// Their room is not the next to be given back.
    pub(crate) fn note_read(&self) {
        self.was_read.store(true, Ordering::Relaxed);
    }
}

/// The blocks of all segments of a node.
#[derive(Debug)]
pub(crate) struct BlockCache {
    storage: Arc<dyn DeepStorage>,
    serving: Weak<Serving>,
    threads: Option<BlockingThreads>,
    /// The first is the next to give way, unless it was read since. Some are dropped by now.
    order: Mutex<VecDeque<SegmentId>>,
    pub(crate) fetched_bytes: Counter,
    pub(crate) requests: Counter,
}

impl BlockCache {
    /// No blocks so far.
    pub(crate) fn new(storage: Arc<dyn DeepStorage>, serving: Weak<Serving>) -> Self {
        Self {
            storage,
            serving,
            threads: BlockingThreads::current(),
            order: Mutex::default(),
            fetched_bytes: Counter::default(),
            requests: Counter::default(),
        }
    }

    /// Opens a segment: fetches its footer, if that is not here. Waits, so not for threads of the runtime.
    pub(crate) fn open(
        &self,
        loaded: &Loaded,
        blocks: &Arc<Blocks>,
    ) -> Result<(MappedSegment, Arc<MappedFile>)> {
        let (path, segment) = (&loaded.file.path, &loaded.segment);
        let io = |source| HistoricalError::Io { path: path.clone(), source };
        files::create_with_holes(path, segment.size_bytes).map_err(io)?;
        let fetch = Fetching {
            storage: Arc::clone(&self.storage),
            serving: Weak::clone(&self.serving),
            threads: self.threads.clone(),
            segment: Arc::clone(segment),
            path: path.clone(),
            blocks: Arc::clone(blocks),
        };
        let file = map_file(path).map_err(io)?;
        let mapped = MappedSegment::open_with_holes(Arc::clone(&file) as _, Arc::new(fetch))?;
        Ok((if_is(mapped, path, segment)?, file))
    }
}

/// Fetches what is read of one open segment.
#[derive(Debug)]
struct Fetching {
    storage: Arc<dyn DeepStorage>,
    serving: Weak<Serving>,
    threads: Option<BlockingThreads>,
    segment: Arc<PublishedSegment>,
    path: PathBuf,
    blocks: Arc<Blocks>,
}

impl FetchBytes for Fetching {
    fn fetch(&self, ranges: &[Range<u64>]) -> henge_segment::Result<Vec<Vec<u8>>> {
        let (Some(serving), Some(threads)) = (self.serving.upgrade(), &self.threads) else {
            return Err(failed("the node is ending", ErrorClass::Unavailable));
        };
        let PublishedSegment { object_key, size_bytes, .. } = &*self.segment;
        let read = |range| self.storage.read_range(object_key, *size_bytes, range);
        let read = stream::iter(ranges.to_vec()).map(read).buffered(RANGES_AT_ONCE);
        let fetched = threads.wait_for(read.map_ok(Vec::from).try_collect::<Vec<_>>());
        let fetched = fetched.map_err(|error| failed(&error.to_string(), error.class()))?;
        let fetched_bytes = fetched.iter().map(|bytes| bytes.len() as u64).sum();
        serving.blocks.fetched_bytes.add(fetched_bytes);
        serving.blocks.requests.add(ranges.len() as u64);
        Ok(fetched)
    }

    fn keep(&self, offset: u64, bytes: &[u8]) -> henge_segment::Result<()> {
        let Some(serving) = self.serving.upgrade() else {
            return Err(failed("the node is ending", ErrorClass::Unavailable));
        };
        let needed = (bytes.len() as u64).next_multiple_of(PAGE_BYTES);
        let set_aside = || {
            let mut room = self.blocks.room.lock();
            let all = room.size_bytes() + needed;
            room.grow_to(all)
        };
        while let Err(error) = set_aside() {
            if !serving.empty_one() {
                let reason =
                    format!("{error}; blocks that are read take historical.block_cache_bytes");
                return Err(failed(&reason, error.class()));
            }
        }
        if !self.blocks.is_listed.swap(true, Ordering::Relaxed) {
            serving.blocks.order.lock().push_back(self.segment.id.clone());
        }
        let written = files::write_at(&self.path, offset, bytes);
        written.map_err(|error| {
            // It was dropped by now: others have it.
            let class = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorClass::Unavailable,
                _ => ErrorClass::Internal,
            };
            failed(&format!("{}: {error}", self.path.display()), class)
        })
    }
}

fn failed(reason: &str, class: ErrorClass) -> SegmentError {
    SegmentError::Fetch { reason: reason.to_owned(), class }
}

impl HistoricalNode {
    /// Serves a segment from deep storage, from now on. `spare` are its files in other forms.
    pub(crate) async fn make_blocks(
        &self,
        segment: &PublishedSegment,
        spare: Vec<CachedFile>,
    ) -> Result<Opened> {
        let (serving, segment) = (Arc::clone(&self.serving), segment.clone());
        let make = move || {
            spare.iter().for_each(|file| remove_file(&file.path));
            serving.make_blocks(&segment)
        };
        blocking(make).await?
    }
}

impl Serving {
    fn make_blocks(&self, segment: &PublishedSegment) -> Result<Opened> {
        let form = FileForm::Blocks { checksum: segment.checksum };
        let path = self.cache.path(&segment.id, form);
        let io = |source| HistoricalError::Io { path: path.clone(), source };
        files::create_dir_all(files::parent(&path)).map_err(io)?;
        files::create_with_holes(&path, segment.size_bytes).map_err(io)?;
        let file = CachedFile { path: path.clone(), form };
        let loaded = self.with_blocks(file, &Arc::new(without_schema(segment)))?;
        match serde_json::from_str::<SegmentSchema>(&segment.schema_json) {
            Ok(schema) => Ok((loaded, announced_columns(&schema))),
            Err(_) => self.with_schema(loaded),
        }
    }

    /// A segment whose blocks are in this file.
    pub(crate) fn with_blocks(
        &self,
        file: CachedFile,
        segment: &Arc<PublishedSegment>,
    ) -> Result<Loaded> {
        let path = &file.path;
        let io = |source| HistoricalError::Io { path: path.clone(), source };
        let taken = self.cache.reserve(files::allocated_bytes(path).map_err(io)?)?;
        let has_blocks = taken.size_bytes() > 0;
        if has_blocks {
            self.blocks.order.lock().push_back(segment.id.clone());
        }
        let blocks = Blocks {
            room: Mutex::new(taken),
            was_read: AtomicBool::new(false),
            is_listed: AtomicBool::new(has_blocks),
        };
        let nothing = Arc::new(self.cache.reserve(0)?);
        let loaded = Loaded::new(file, nothing, Arc::clone(segment));
        Ok(Loaded { blocks: Some(Arc::new(blocks)), ..loaded })
    }

    /// Gives back the room of the segment that was not read for longest. False when all are being read.
    fn empty_one(&self) -> bool {
        let most = 2 * self.blocks.order.lock().len();
        for _ in 0..most {
            let Some(id) = self.blocks.order.lock().pop_front() else { return false };
            let loaded = self.loaded.read().get(&id).cloned();
            let Some((loaded, blocks)) =
                loaded.and_then(|loaded| Some((Arc::clone(&loaded), loaded.blocks.clone()?)))
            else {
                continue;
            };
            if !blocks.was_read.swap(false, Ordering::Relaxed) && self.empty(&loaded, &blocks) {
                return true;
            }
            self.blocks.order.lock().push_back(id);
        }
        false
    }

    /// Removes the blocks of a segment, unless somebody reads them.
    fn empty(&self, loaded: &Loaded, blocks: &Blocks) -> bool {
        // Whoever opens it now needs it, and may be the one that asks for room.
        let Some(open) = loaded.open.try_lock() else { return false };
        if let Some(opened) = open.upgrade() {
            self.open.forget(opened.instance());
            if Arc::strong_count(&opened) > 1 {
                self.open.keep(&opened);
                return false;
            }
        }
        blocks.is_listed.store(false, Ordering::Relaxed);
        remove_file(&loaded.file.path);
        // The name says after a restart that the segment is served.
        if let Err(error) = files::create_with_holes(&loaded.file.path, loaded.segment.size_bytes) {
            tracing::warn!(segment = %loaded.segment.id, %error, "a file for blocks is missing until it is read");
        }
        blocks.room.lock().shrink_to(0);
        if loaded.is_gone.load(Ordering::SeqCst) {
            self.remove_again(loaded);
        }
        true
    }
}

#[cfg(test)]
mod tests;
