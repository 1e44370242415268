//! The memory of all write-optimised indexes of the process. What is in the log has to be added,
//! whatever the ceiling, so it is looked at before a push is taken: above it, those datasources that
//! hold most write their rows to disk, and pushes wait for that and are refused if it takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use henge_platform::runtime::{AccountFull, MemoryAccount};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a push waits for room.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Less is not worth a file.
const WORTH_WRITING_BYTES: usize = 1 << 20;

/// The memory of all indexes. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct IndexMemory {
    account: MemoryAccount,
    held: Arc<Mutex<Vec<Arc<Held>>>>,
}

/// What one writer has in memory. No two share it, also where they read the same source.
#[derive(Debug)]
pub(crate) struct IndexHolder {
    memory: IndexMemory,
    held: Arc<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: AtomicUsize,
    /// Told to write its rows to disk.
    relief: Notify,
    /// It was asked to write its rows to disk and has not said since what it holds.
    is_asked: AtomicBool,
}

impl IndexMemory {
    /// Memory of an account.
    #[must_use]
    pub(crate) fn new(account: MemoryAccount) -> Self {
        Self { account, held: Arc::default() }
    }

    /// What indexes are charged to.
    #[must_use]
    pub(crate) fn account(&self) -> &MemoryAccount {
        &self.account
    }

    /// True above three quarters of the ceiling: from there on rows go to disk early.
    #[must_use]
    pub(crate) fn is_tight(&self) -> bool {
        self.account.used_bytes() > self.account.limit_bytes() / 4 * 3
    }

    /// True for an index, or several, that it is worth to write to disk early.
    #[must_use]
    pub(crate) fn is_worth_writing(bytes: usize) -> bool {
        bytes >= WORTH_WRITING_BYTES
    }

    /// Makes a writer known that puts its rows on disk when it is told.
    #[must_use]
    pub(crate) fn holder(&self) -> IndexHolder {
        let held = Arc::<Held>::default();
        self.held.lock().push(Arc::clone(&held));
        IndexHolder { memory: self.clone(), held }
    }

    /// Waits until there is room for so many bytes.
    ///
    /// # Errors
    /// When there is none after a while.
    pub(crate) async fn make_room(&self, bytes: usize) -> Result<(), AccountFull> {
        let mut deadline = None;
        loop {
            let Err(full) = self.account.charge(bytes) else { return Ok(()) };
            let now = Instant::now();
            if now >= *deadline.get_or_insert(now + PATIENCE) {
                return Err(full);
            }
            self.ask_the_largest(bytes);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Asks those that hold most to write their rows to disk, as many as it takes to get below three
    /// quarters of the ceiling again.
    fn ask_the_largest(&self, wanted: usize) {
        let target = (self.account.limit_bytes() / 4 * 3).saturating_sub(wanted);
        let mut excess = self.account.used_bytes().saturating_sub(target);
        let holders = self.held.lock();
        let sized = holders.iter().map(|held| (held.bytes.load(Ordering::Relaxed), held));
        let mut largest: Vec<_> = sized.filter(|(bytes, _)| *bytes > 0).collect();
        largest.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (bytes, held) in largest {
            if excess == 0 {
                return;
            }
            if !held.is_asked.swap(true, Ordering::Relaxed) {
                held.relief.notify_one();
            }
            excess = excess.saturating_sub(bytes);
        }
    }
}

impl IndexHolder {
    /// Notes what the writer holds now.
    pub(crate) fn note(&self, bytes: usize) {
        self.held.bytes.store(bytes, Ordering::Relaxed);
        self.held.is_asked.store(false, Ordering::Relaxed);
    }

    /// Returns once the writer is to put its rows on disk.
    pub(crate) async fn asked(&self) {
        self.held.relief.notified().await;
    }
}

impl Drop for IndexHolder {
    fn drop(&mut self) {
        self.memory.held.lock().retain(|held| !Arc::ptr_eq(held, &self.held));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn i_11_the_largest_holders_are_asked_and_pushes_wait_for_the_room_they_make() {
        let memory = IndexMemory::new(MemoryAccount::root("indexes", "ingestion.total", 100));
        let mut held = memory.account().charge(0).unwrap();
        held.force(90);
        let holders = [20, 70].map(|bytes| {
            let holder = memory.holder();
            holder.note(bytes);
            holder
        });
        assert!(memory.is_tight());
        memory.make_room(10).await.unwrap();
        let waiting = tokio::spawn({
            let memory = memory.clone();
            async move { memory.make_room(20).await }
        });
        holders[1].asked().await;
        held.force(30);
        waiting.await.unwrap().unwrap();
        let is_asked = |at: usize| holders[at].asked().now_or_never().is_some();
        assert!(!is_asked(0));
        assert!(!is_asked(1), "asked once is enough");
    }

    #[tokio::test]
    async fn i_11_writers_of_one_source_are_asked_by_themselves_and_forgotten_when_they_end() {
        let memory = IndexMemory::new(MemoryAccount::root("indexes", "ingestion.total", 100));
        let mut held = memory.account().charge(0).unwrap();
        held.force(180);
        let (first, second) = (memory.holder(), memory.holder());
        first.note(50);
        second.note(50);
        memory.ask_the_largest(20);
        assert!(first.asked().now_or_never().is_some() && second.asked().now_or_never().is_some());
        drop(first);
        second.note(50);
        memory.ask_the_largest(20);
        assert!(second.asked().now_or_never().is_some());
        assert_eq!(memory.held.lock().len(), 1);
    }
}
