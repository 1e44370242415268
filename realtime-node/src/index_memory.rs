//! The memory of all write-optimised indexes of the process. What is in the log has to be added,
//! whatever the ceiling, so it is looked at before a push is taken: above it, those datasources that
//! hold most write their rows to disk, and pushes wait for that and are refused if it takes too long.

use std::collections::HashMap;
use std::sync::Arc;
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
    holders: Arc<Mutex<HashMap<Arc<str>, Holder>>>,
}

/// The writer of a source, with rows in memory.
#[derive(Debug)]
struct Holder {
    bytes: usize,
    /// Told to write its rows to disk.
    relief: Arc<Notify>,
    /// It was asked to write its rows to disk and has not said since what it holds.
    asked: bool,
}

impl IndexMemory {
    /// Memory of an account.
    #[must_use]
    pub(crate) fn new(account: MemoryAccount) -> Self {
        Self { account, holders: Arc::default() }
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

    /// Makes a source known whose writer puts its rows on disk when it is told.
    pub(crate) fn register(&self, source: &str, relief: &Arc<Notify>) {
        let holder = Holder { bytes: 0, relief: Arc::clone(relief), asked: false };
        self.holders.lock().insert(source.into(), holder);
    }

    /// Notes what the writer of a source holds now.
    pub(crate) fn note(&self, source: &str, bytes: usize) {
        if let Some(holder) = self.holders.lock().get_mut(source) {
            holder.bytes = bytes;
            holder.asked = false;
        }
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
        let mut holders = self.holders.lock();
        let mut largest: Vec<&mut Holder> = holders.values_mut().filter(|h| h.bytes > 0).collect();
        largest.sort_unstable_by_key(|holder| std::cmp::Reverse(holder.bytes));
        for holder in largest {
            if excess == 0 {
                return;
            }
            if !holder.asked {
                holder.relief.notify_one();
                holder.asked = true;
            }
            excess = excess.saturating_sub(holder.bytes);
        }
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
        let mut holders = Vec::new();
        for (name, bytes) in [("small", 20), ("large", 70)] {
            let relief = Arc::<Notify>::default();
            memory.register(name, &relief);
            memory.note(name, bytes);
            holders.push(relief);
        }
        assert!(memory.is_tight());
        memory.make_room(10).await.unwrap();
        let waiting = tokio::spawn({
            let memory = memory.clone();
            async move { memory.make_room(20).await }
        });
        holders[1].notified().await;
        held.force(30);
        waiting.await.unwrap().unwrap();
        let is_asked = |at: usize| holders[at].notified().now_or_never().is_some();
        assert!(!is_asked(0));
        assert!(!is_asked(1), "asked once is enough");
    }
}
