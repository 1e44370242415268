//! The running queries, so that they can be cancelled by id.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_exec::CancelFlag;
use parking_lot::Mutex;

/// Flags by query id; the number tells queries of one id apart.
type Running = Arc<Mutex<HashMap<String, Vec<(u64, CancelFlag)>>>>;

/// Running queries by id. Several may share an id; all of them are cancelled.
#[derive(Debug, Default)]
pub struct QueryRegistry {
    running: Running,
    next: AtomicU64,
}

impl QueryRegistry {
    /// Registers a query until the guard is dropped. Dropping the guard cancels what still runs:
    /// that is how a client that went away stops its query.
    #[must_use]
    pub fn register(&self, query_id: &str) -> RunningQuery {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let cancel = CancelFlag::default();
        self.running.lock().entry(query_id.to_owned()).or_default().push((number, cancel.clone()));
        RunningQuery {
            running: Arc::clone(&self.running),
            query_id: query_id.to_owned(),
            number,
            cancel,
        }
    }

    /// Cancels the queries with this id. True when there was one.
    pub fn cancel(&self, query_id: &str) -> bool {
        match self.running.lock().get(query_id) {
            Some(queries) => {
                queries.iter().for_each(|(_, cancel)| cancel.cancel());
                true
            }
            None => false,
        }
    }
}

/// A registered query.
#[derive(Debug)]
pub struct RunningQuery {
    running: Running,
    query_id: String,
    number: u64,
    /// Its flag.
    pub cancel: CancelFlag,
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        self.cancel.cancel();
        let mut running = self.running.lock();
        if let Some(queries) = running.get_mut(&self.query_id) {
            queries.retain(|(number, _)| *number != self.number);
            if queries.is_empty() {
                running.remove(&self.query_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_97_cancelling_is_idempotent_and_covers_reused_ids() {
        let registry = QueryRegistry::default();
        assert!(!registry.cancel("a"), "cancel before start");
        let one = registry.register("a");
        let two = registry.register("a");
        assert!(registry.cancel("a") && registry.cancel("a"));
        assert!(one.cancel.check().is_err() && two.cancel.check().is_err());
        drop((one, two));
        assert!(!registry.cancel("a"));
    }

    #[test]
    fn f_61_a_dropped_query_is_cancelled() {
        let registry = QueryRegistry::default();
        let query = registry.register("a");
        let flag = query.cancel.clone();
        drop(query);
        assert!(flag.check().is_err());
    }
}
