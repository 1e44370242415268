//! Segments that are kept in memory: opened and read into it behind what is served, and locked there where the
//! system allows that. Where it does not, they are read into memory and may be pushed out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use henge_platform::runtime::machine::{lockable_bytes, memory_bytes};
use henge_platform::runtime::{blocking, spawn};

use crate::open::OpenSegment;
use crate::{HistoricalNode, Loaded, Serving};

/// Of the segments that may be open, the part that may be kept in memory.
const PINNED_SHARE: usize = 2;

/// Percent of the memory that may be locked: the rest is for queries. Who locks all of it is ended by the system.
const LOCKED_PERCENT: u64 = 80;

/// What is kept in memory.
#[derive(Debug)]
pub(crate) struct Pins {
    most: usize,
    count: AtomicUsize,
    most_bytes: u64,
    locked_bytes: AtomicU64,
    /// What cannot be done is said once.
    is_told: AtomicBool,
}

/// A segment that stays open.
#[derive(Debug)]
pub(crate) struct Pinned {
    _open: Arc<OpenSegment>,
    locked_bytes: u64,
}

impl Pins {
    /// Of so many segments that may be open.
    pub(crate) fn new(open_segments: usize) -> Self {
        Self {
            most: open_segments / PINNED_SHARE,
            count: AtomicUsize::new(0),
            most_bytes: memory_bytes().map_or(u64::MAX, |all| all / 100 * LOCKED_PERCENT),
            locked_bytes: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// Bytes that are locked in memory.
    pub(crate) fn locked_bytes(&self) -> u64 {
        self.locked_bytes.load(Ordering::Relaxed)
    }

    /// Locks a segment's file in memory, or reads it there; gives the bytes that are locked.
    fn lock(&self, opened: &OpenSegment) -> u64 {
        let (file, size_bytes) = (opened.file(), opened.file().size_bytes());
        let locked_bytes = self.locked_bytes.fetch_add(size_bytes, Ordering::Relaxed) + size_bytes;
        let most_bytes = self.most_bytes;
        let trouble = match locked_bytes <= most_bytes {
            true => file.lock().err().map(|error| {
                let limit = lockable_bytes().map_or("no".to_owned(), |bytes| bytes.to_string());
                format!(
                    "{error}, {locked_bytes} bytes together, and the limit is {limit} bytes: allow the process \
                     to lock more (`ulimit -l`, RLIMIT_MEMLOCK, LimitMEMLOCK in systemd)"
                )
            }),
            false => Some(format!(
                "they are {locked_bytes} bytes and more, and of the memory {most_bytes} bytes may be locked: \
                 give the tier more memory or nodes"
            )),
        };
        let Some(trouble) = trouble else { return size_bytes };
        self.locked_bytes.fetch_sub(size_bytes, Ordering::Relaxed);
        self.tell(&format!(
            "{trouble}, or set historical.residency to cached; the others are read into memory only"
        ));
        if locked_bytes <= most_bytes {
            file.read_ahead();
        }
        0
    }

    fn forget(&self, pinned: Option<Pinned>) {
        if let Some(pinned) = pinned {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.locked_bytes.fetch_sub(pinned.locked_bytes, Ordering::Relaxed);
        }
    }

    fn tell(&self, why: &str) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::warn!("not all segments are locked in memory: {why}");
        }
    }
}

impl HistoricalNode {
    /// Reads segments into memory, one after the other, and keeps them there, where the tier wants that.
    pub(crate) fn pin_behind(&self, segments: Vec<Arc<Loaded>>) {
        if self.serving.pins.is_none() || segments.is_empty() {
            return;
        }
        let serving = Arc::clone(&self.serving);
        spawn(async move {
            for loaded in segments {
                let serving = Arc::clone(&serving);
                let id = loaded.segment.id.clone();
                if let Err(error) = blocking(move || serving.pin(&loaded)).await {
                    tracing::warn!(segment = %id, %error, "failed to read a segment into memory");
                }
            }
        });
    }
}

impl Serving {
    fn pin(&self, loaded: &Arc<Loaded>) {
        let Some(pins) = self.pins.as_ref().filter(|_| self.serves(loaded)) else { return };
        let opened = match self.open(loaded) {
            Ok(opened) => opened,
            // A query finds the same, and mends it.
            Err(error) => {
                tracing::warn!(segment = %loaded.segment.id, %error, "failed to open a segment");
                return;
            }
        };
        if opened.has_holes() {
            return;
        }
        if pins.count.fetch_add(1, Ordering::Relaxed) >= pins.most {
            pins.count.fetch_sub(1, Ordering::Relaxed);
            let most = pins.most;
            pins.tell(&format!(
                "the kernel allows few mappings, so only {most} are (vm.max_map_count)"
            ));
            return;
        }
        let locked_bytes = pins.lock(&opened);
        let before = loaded.pinned.lock().replace(Pinned { _open: opened, locked_bytes });
        pins.forget(before);
        if !self.serves(loaded) {
            self.unpin(loaded);
        }
    }

    /// Keeps a segment in memory no longer.
    pub(crate) fn unpin(&self, loaded: &Loaded) {
        if let Some(pins) = &self.pins {
            pins.forget(loaded.pinned.lock().take());
        }
    }
}

#[cfg(test)]
mod tests {
    use henge_data_node::{DataNode, Instruction, SegmentHost};

    use super::*;
    use crate::hot::tests::{setup, wait_until_hot};
    use crate::mend::tests::{answered, sum_of};
    use crate::{HistoricalOptions, ServedForm};

    #[tokio::test]
    async fn no_more_is_locked_than_there_is_memory_for() {
        let setup = setup().await;
        let options = setup.options(ServedForm::AsStored, 1 << 30);
        let node = setup.node_with(HistoricalOptions { pinned: true, ..options });
        node.load(&setup.segment, Instruction::default()).await.unwrap();
        let loaded = node.serving.loaded.read().values().next().cloned().unwrap();
        let opened = node.serving.open(&loaded).unwrap();
        let pins = Pins { most_bytes: setup.segment.size_bytes - 1, ..Pins::new(10) };
        assert_eq!((pins.lock(&opened), pins.locked_bytes()), (0, 0));
        assert!(pins.is_told.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn pinned_segments_stay_open_until_they_are_dropped() {
        for form in [ServedForm::AsStored, ServedForm::Hot] {
            let setup = setup().await;
            let options = setup.options(form, 1 << 30);
            let node = setup.node_with(HistoricalOptions { pinned: true, ..options });
            node.load(&setup.segment, Instruction::default()).await.unwrap();
            if form == ServedForm::Hot {
                wait_until_hot(&node).await;
            }
            let current = || node.serving.loaded.read().values().next().cloned().unwrap();
            // As the task behind the load does.
            node.serving.pin(&current());
            assert!(current().pinned.lock().is_some());
            assert!(answered(&node.run(sum_of(&setup)).await.unwrap()));
            let loaded = current();
            let pins = node.serving.pins.as_ref().unwrap();
            let size_bytes = loaded.room.size_bytes();
            // Where it is not allowed it is read only.
            assert!([0, size_bytes].contains(&pins.locked_bytes()));
            node.unload(&setup.segment.id, Instruction::default()).await.unwrap();
            assert!(loaded.pinned.lock().is_none());
            node.serving.pin(&loaded);
            assert!(loaded.pinned.lock().is_none(), "it is served no longer");
            assert_eq!(pins.locked_bytes(), 0);
        }
    }
}
