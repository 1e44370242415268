//! Tells observers in this process that something was committed, so that they need not ask the store
//! whether anything is new.

use crate::runtime::watch;

/// Counts the commits made through one store.
#[derive(Debug, Default)]
pub(super) struct Commits(watch::Sender<u64>);

/// Counts one commit when it is dropped: also when the outcome is unknown or the caller gave up,
/// because the commit may have happened all the same.
#[derive(Debug)]
pub(super) struct NotedCommit<'c>(&'c Commits);

impl Commits {
    /// To be held while a transaction is committed.
    pub(super) fn note(&self) -> NotedCommit<'_> {
        NotedCommit(self)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl Drop for NotedCommit<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count += 1);
    }
}
