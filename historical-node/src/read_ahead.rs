//! Reading ahead of queries in mapped files. The engine says what of a segment it is about to read; what of
//! that is not in memory the system is asked for, at once and before it is needed.
//!
//! Whether something was pushed out of memory again nobody says. It may have been when much else was read, or
//! when the process had to wait for pages: then a new epoch begins, in which everything is looked at again
//! when it is read. While all that is read is in memory, no epoch ends, and nothing is asked of the system.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use henge_platform::runtime::machine::memory_bytes;
use henge_platform::runtime::{MappedFile, PageReads};
use henge_segment::ReadAhead;
use parking_lot::Mutex;
use tokio::time::Instant;

/// An epoch ends when this part of the memory was filled anew: what was asked for in it is still there.
const MEMORY_SHARE: u64 = 16;
/// It does not end for less.
const LEAST_BYTES: u64 = 16 << 20;
/// How often it is looked whether the process had to wait for pages.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is asked for of the files of a node.
#[derive(Debug)]
pub(crate) struct Reading {
    epoch: AtomicU32,
    /// Bytes that were not in memory when they were asked for, in this epoch.
    missing_bytes: AtomicU64,
    most_missing_bytes: u64,
    looked: Mutex<Looked>,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    faults: u64,
}

impl Reading {
    /// Nothing was asked for so far.
    pub(crate) fn new() -> Self {
        let most_missing_bytes = memory_bytes().unwrap_or_default() / MEMORY_SHARE;
        let looked = Looked { at: Instant::now(), faults: PageReads::of_process().faults };
        Self {
            // As the engine counts: what was never asked for was in none of the last two.
            epoch: AtomicU32::new(2),
            missing_bytes: AtomicU64::new(0),
            most_missing_bytes: most_missing_bytes.max(LEAST_BYTES),
            looked: Mutex::new(looked),
        }
    }

    /// Begins another epoch if the process had to wait for pages; looks now and then.
    pub(crate) fn look(&self) {
        let Some(mut looked) = self.looked.try_lock() else { return };
        let now = Instant::now();
        if now.saturating_duration_since(looked.at) < LOOK_EVERY {
            return;
        }
        let faults = PageReads::of_process().faults;
        let has_waited = faults != looked.faults;
        *looked = Looked { at: now, faults };
        if has_waited {
            self.next_epoch();
        }
    }

    fn note_missing(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let missing = self.missing_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if missing >= self.most_missing_bytes {
            self.next_epoch();
        }
    }

    fn next_epoch(&self) {
        self.missing_bytes.store(0, Ordering::Relaxed);
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads ahead in one file.
#[derive(Debug)]
pub(crate) struct AheadInFile {
    reading: Arc<Reading>,
    file: Arc<MappedFile>,
}

impl AheadInFile {
    pub(crate) fn new(reading: &Arc<Reading>, file: &Arc<MappedFile>) -> Self {
        Self { reading: Arc::clone(reading), file: Arc::clone(file) }
    }
}

impl ReadAhead for AheadInFile {
    #[inline]
    fn epoch(&self) -> u32 {
        self.reading.epoch.load(Ordering::Relaxed)
    }

    fn will_read(&self, range: Range<u64>) {
        self.reading.note_missing(self.file.ask_for(&range));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_when_much_was_missing_and_not_while_all_is_there() {
        let reading = Reading::new();
        let epoch = || reading.epoch.load(Ordering::Relaxed);
        for _ in 0..100 {
            reading.note_missing(0);
        }
        reading.note_missing(reading.most_missing_bytes - 1);
        assert_eq!(epoch(), 2);
        reading.note_missing(1);
        assert_eq!(epoch(), 3);
        reading.note_missing(1);
        assert_eq!(epoch(), 3, "it begins anew");
    }

    #[tokio::test(start_paused = true)]
    async fn an_epoch_ends_when_the_process_had_to_wait_for_pages() {
        let reading = Reading::new();
        let epoch = || reading.epoch.load(Ordering::Relaxed);
        // It waited since somebody looked, or so it seems.
        reading.looked.lock().faults = u64::MAX;
        reading.look();
        assert_eq!(epoch(), 2, "it was looked a moment ago");
        tokio::time::advance(LOOK_EVERY).await;
        reading.look();
        assert_eq!(epoch(), 3);
    }
}
