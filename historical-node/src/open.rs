//! Open segments. What is loaded is a file whose name proves it; it is opened and mapped when it is first
//! read. It stays open while somebody reads it, and then until others need its place: the kernel allows a
//! process 65,530 mappings, and a parsed footer takes memory.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use henge_exec::NodeDictionaries;
use henge_platform::runtime::MappedFile;
use henge_platform::runtime::files::size_bytes;
use henge_segment::{MappedSegment, SegmentError};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::cache::{Reservation, remove_file};
use crate::error::{HistoricalError, Result};
use crate::load::open_mapped;
use crate::{Loaded, Serving};

/// The part of the open segments that nobody reads.
const KEPT_SHARE: usize = 4;

/// Segments that a query has open at once; one over more answers part by part.
const MOST_AT_ONCE: u32 = 4_096;

/// An open segment. When it is closed, node-wide dictionaries forget it.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    mapped: MappedSegment,
    file: Arc<MappedFile>,
    /// Only what was read of it so far is there.
    has_holes: bool,
    dictionaries: Arc<NodeDictionaries>,
    /// That of the file, which may have lost its name by now.
    _room: Arc<Reservation>,
    /// Since its place was last asked for.
    was_read: AtomicBool,
}

impl OpenSegment {
    /// The file that is mapped.
    pub(crate) fn file(&self) -> &MappedFile {
        &self.file
    }

    /// True when only a part of the file is there.
    pub(crate) fn has_holes(&self) -> bool {
        self.has_holes
    }

    /// What was verified once is believed, and the page that a file was cut in reads as zeros: so each
    /// query looks at how long the file is. One that is gone is whole as it is mapped.
    fn check_whole(&self, loaded: &Loaded) -> Result<()> {
        if self.has_holes {
            return Ok(());
        }
        match size_bytes(&loaded.file.path) {
            Ok(size_bytes) if size_bytes < self.file.size_bytes() => {
                let reason = format!("its file was cut to {size_bytes} bytes");
                Err(SegmentError::corrupt(reason).into())
            }
            _ => Ok(()),
        }
    }
}

impl Deref for OpenSegment {
    type Target = MappedSegment;

    fn deref(&self) -> &MappedSegment {
        &self.mapped
    }
}

impl Drop for OpenSegment {
    fn drop(&mut self) {
        self.dictionaries.forget(self.mapped.instance());
        for projection in self.mapped.embedded() {
            self.dictionaries.forget(projection.instance());
        }
    }
}

/// The open segments of a node.
#[derive(Debug)]
pub(crate) struct OpenSegments {
    kept: Mutex<Kept>,
    /// One for each that queries may have open.
    turns: Semaphore,
    most_at_once: u32,
}

/// Those that stay open, by the numbers of their instances.
#[derive(Debug)]
struct Kept {
    segments: HashMap<u64, Arc<OpenSegment>>,
    /// The first is the next to go, unless it was read since. Some are gone already.
    order: VecDeque<u64>,
    capacity: usize,
}

impl OpenSegments {
    /// So many may be open at once.
    pub(crate) fn new(most: usize) -> Self {
        let capacity = (most / KEPT_SHARE).max(1);
        let in_use = most.saturating_sub(capacity).clamp(1, Semaphore::MAX_PERMITS);
        let kept = Kept { segments: HashMap::new(), order: VecDeque::new(), capacity };
        // Several queries are to have their turns at once.
        let most_at_once = u32::try_from(in_use / 8).unwrap_or(MOST_AT_ONCE).clamp(1, MOST_AT_ONCE);
        Self { kept: Mutex::new(kept), turns: Semaphore::new(in_use), most_at_once }
    }

    /// Segments that one part of a query may have open.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once as usize
    }

    /// Waits until a part of a query may open so many segments; they count until this is dropped.
    ///
    /// # Errors
    /// When the node is ending.
    pub(crate) async fn turn(&self, segments: usize) -> Result<SemaphorePermit<'_>> {
        let segments = u32::try_from(segments).unwrap_or(u32::MAX).min(self.most_at_once);
        let turn = self.turns.acquire_many(segments).await;
        turn.map_err(|error| HistoricalError::Stopped(error.to_string()))
    }

    /// Segments that are open though perhaps nobody reads them.
    pub(crate) fn kept_count(&self) -> usize {
        self.kept.lock().segments.len()
    }

    /// Keeps a segment open, and closes those that were not read for longest where there are too many.
    pub(crate) fn keep(&self, opened: &Arc<OpenSegment>) {
        // Closed outside of the lock.
        let mut closed = Vec::new();
        let mut kept = self.kept.lock();
        while kept.segments.len() >= kept.capacity {
            let Some(instance) = kept.order.pop_front() else { break };
            let Some(next) = kept.segments.get(&instance) else { continue };
            match next.was_read.swap(false, Ordering::Relaxed) {
                true => kept.order.push_back(instance),
                false => closed.extend(kept.segments.remove(&instance)),
            }
        }
        kept.order.push_back(opened.instance());
        kept.segments.insert(opened.instance(), Arc::clone(opened));
    }

    /// Keeps a segment open no longer.
    pub(crate) fn forget(&self, instance: u64) {
        let mut kept = self.kept.lock();
        let closed = kept.segments.remove(&instance);
        let Kept { segments, order, capacity } = &mut *kept;
        if order.len() > 2 * *capacity {
            order.retain(|instance| segments.contains_key(instance));
        }
        drop(kept);
        drop(closed);
    }
}

impl Serving {
    /// Opens a segment, if it is not open.
    ///
    /// # Errors
    /// When the file cannot be mapped, is damaged, or is not the segment that the metadata mean.
    pub(crate) fn open(&self, loaded: &Loaded) -> Result<Arc<OpenSegment>> {
        if loaded.is_gone.load(Ordering::SeqCst) {
            let (path, source) = (loaded.file.path.clone(), ErrorKind::NotFound.into());
            return Err(HistoricalError::Io { path, source });
        }
        if let Some(blocks) = &loaded.blocks {
            blocks.note_read();
        }
        if let Some(reading) = &self.reading {
            reading.look();
        }
        // Others that want it wait for it.
        let mut open = loaded.open.lock();
        if let Some(opened) = open.upgrade() {
            opened.check_whole(loaded)?;
            opened.was_read.store(true, Ordering::Relaxed);
            return Ok(opened);
        }
        let (mapped, file) = match &loaded.blocks {
            None => open_mapped(&loaded.file.path, &loaded.segment, self.reading.as_ref())?,
            Some(blocks) => self.blocks.open(loaded, blocks)?,
        };
        let opened = Arc::new(OpenSegment {
            mapped,
            file,
            has_holes: loaded.blocks.is_some(),
            dictionaries: Arc::clone(&self.dictionaries),
            _room: Arc::clone(&loaded.room),
            was_read: AtomicBool::new(false),
        });
        *open = Arc::downgrade(&opened);
        self.open.keep(&opened);
        drop(open);
        if loaded.is_gone.load(Ordering::SeqCst) {
            self.open.forget(opened.instance());
            self.remove_again(loaded);
        }
        Ok(opened)
    }

    /// Removes the file of a segment that was dropped while its file was made.
    pub(crate) fn remove_again(&self, loaded: &Loaded) {
        let is_dropped = || !self.loaded.read().contains_key(&loaded.segment.id);
        if loaded.blocks.is_some() && is_dropped() {
            remove_file(&loaded.file.path);
        }
    }

    /// As [`Serving::open`]; when its file was replaced meanwhile, the new one is opened.
    pub(crate) fn open_current(&self, loaded: &Arc<Loaded>) -> Result<Arc<OpenSegment>> {
        self.open(loaded).or_else(|error| {
            let current = self.loaded.read().get(&loaded.segment.id).cloned();
            match current.filter(|current| !Arc::ptr_eq(current, loaded)) {
                Some(current) => self.open(&current),
                None => Err(error),
            }
        })
    }

    /// Closes a segment whose file is gone as soon as nobody reads it.
    pub(crate) fn close(&self, loaded: &Loaded) {
        loaded.is_gone.store(true, Ordering::SeqCst);
        self.unpin(loaded);
        // Whoever is opening it sees that it is gone.
        let opened = loaded.open.try_lock().and_then(|open| open.upgrade());
        if let Some(opened) = opened {
            self.open.forget(opened.instance());
        }
    }
}
