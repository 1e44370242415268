//! Segments that are kept in memory: opened and read into it behind what is served, and locked there where the
//! system allows that. Where it does not, they are read into memory and may be pushed out again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use henge_platform::runtime::{blocking, spawn};

use crate::{HistoricalNode, Loaded, Serving};

/// Of the segments that may be open, the part that may be kept in memory.
const PINNED_SHARE: usize = 2;

/// What is kept in memory.
#[derive(Debug)]
pub(crate) struct Pins {
    most: usize,
    count: AtomicUsize,
    /// What cannot be done is said once.
    is_told: AtomicBool,
}

impl Pins {
    /// Of so many segments that may be open.
    pub(crate) fn new(open_segments: usize) -> Self {
        let most = open_segments / PINNED_SHARE;
        Self { most, count: AtomicUsize::new(0), is_told: AtomicBool::new(false) }
    }

    fn tell(&self, why: &str) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::error!("not all segments are locked in memory: {why}");
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
        let Some(file) = opened.file() else { return };
        if let Err(error) = file.lock() {
            pins.tell(&format!(
                "{error}; allow the process to lock more (`ulimit -l`, RLIMIT_MEMLOCK, LimitMEMLOCK in \
                 systemd) or set historical.residency to cached; they are read into memory only"
            ));
            file.read_ahead();
        }
        let mut pinned = loaded.pinned.lock();
        if pinned.is_some() {
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
        *pinned = Some(opened);
        drop(pinned);
        if !self.serves(loaded) {
            self.unpin(loaded);
        }
    }

    /// Keeps a segment in memory no longer.
    pub(crate) fn unpin(&self, loaded: &Loaded) {
        let pinned = loaded.pinned.lock().take();
        if let (Some(pins), Some(_)) = (&self.pins, pinned) {
            pins.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use henge_data_node::{DataNode, Instruction, SegmentHost};

    use crate::hot::tests::{setup, wait_until_hot};
    use crate::mend::tests::{answered, sum_of};
    use crate::{HistoricalOptions, ServedForm};

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
            node.unload(&setup.segment.id, Instruction::default()).await.unwrap();
            assert!(loaded.pinned.lock().is_none());
            node.serving.pin(&loaded);
            assert!(loaded.pinned.lock().is_none(), "it is served no longer");
        }
    }
}
