//! The queries at work in a process, by id: the flag that stops one, and the account of what it
//! holds. Roles of one process share both, so that a query has one of each wherever it works.

use std::collections::HashMap;
use std::sync::Arc;

use henge_exec::{CancelFlag, MemoryPool, QueryMemory};
use parking_lot::Mutex;

/// Names a query while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryKey {
    /// Given by the client or made for it; several queries may have the same.
    pub id: Arc<str>,
    /// Tells queries of one id apart.
    pub number: u64,
}

/// Running queries by id.
#[derive(Debug)]
pub struct RunningQueries {
    pool: Arc<MemoryPool>,
    running: Mutex<HashMap<Arc<str>, Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    cancel: CancelFlag,
    memory: QueryMemory,
    holders: usize,
}

impl RunningQueries {
    /// None yet; together they may hold `capacity_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self { pool: Arc::new(MemoryPool::new(capacity_bytes)), running: Mutex::default() }
    }

    /// As [`RunningQueries::new`], with less room while something else holds bytes for queries.
    #[must_use]
    pub fn beside(capacity_bytes: usize, held: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        let pool = MemoryPool::new(capacity_bytes).beside(held);
        Self { pool: Arc::new(pool), running: Mutex::default() }
    }

    /// What all queries together hold.
    #[must_use]
    pub fn pool(&self) -> &Arc<MemoryPool> {
        &self.pool
    }

    /// Registers a query, or joins it where it is registered already, until the guard is dropped.
    /// The last guard to go cancels what still runs: that is how a client that went away stops its
    /// query. The first one says how much the query may hold.
    #[must_use]
    pub fn join(self: &Arc<Self>, key: &QueryKey, memory_budget_bytes: usize) -> RunningQuery {
        let mut running = self.running.lock();
        let of_id = running.entry(Arc::clone(&key.id)).or_default();
        let known = of_id.iter().position(|entry| entry.number == key.number);
        let index = known.unwrap_or_else(|| {
            of_id.push(Entry {
                number: key.number,
                cancel: CancelFlag::default(),
                memory: QueryMemory::new(Arc::clone(&self.pool), memory_budget_bytes),
                holders: 0,
            });
            of_id.len() - 1
        });
        let entry = &mut of_id[index];
        entry.holders += 1;
        RunningQuery {
            cancel: entry.cancel.clone(),
            memory: entry.memory.clone(),
            key: key.clone(),
            all: Arc::clone(self),
        }
    }

    /// Whether a query with this id is at work.
    #[cfg(test)]
    pub(crate) fn has(&self, query_id: &str) -> bool {
        self.running.lock().contains_key(query_id)
    }

    /// Cancels the queries with this id. True when there was one.
    pub fn cancel(&self, query_id: &str) -> bool {
        match self.running.lock().get(query_id) {
            Some(queries) => {
                queries.iter().for_each(|entry| entry.cancel.cancel());
                true
            }
            None => false,
        }
    }
}

/// A registered query.
#[derive(Debug)]
pub struct RunningQuery {
    /// Its flag.
    pub cancel: CancelFlag,
    /// Its account.
    pub memory: QueryMemory,
    key: QueryKey,
    all: Arc<RunningQueries>,
}

impl RunningQuery {
    /// Its name.
    #[must_use]
    pub fn key(&self) -> &QueryKey {
        &self.key
    }
}

impl Drop for RunningQuery {
    fn drop(&mut self) {
        let mut running = self.all.running.lock();
        let Some(queries) = running.get_mut(&self.key.id) else { return };
        let Some(index) = queries.iter().position(|entry| entry.number == self.key.number) else {
            return;
        };
        queries[index].holders -= 1;
        if queries[index].holders == 0 {
            self.cancel.cancel();
            queries.swap_remove(index);
        }
        if queries.is_empty() {
            running.remove(&self.key.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> QueryKey {
        QueryKey { id: "a".into(), number }
    }

    fn registry() -> Arc<RunningQueries> {
        Arc::new(RunningQueries::new(100))
    }

    #[test]
    fn h_97_cancelling_is_idempotent_and_covers_reused_ids() {
        let registry = registry();
        assert!(!registry.cancel("a"), "cancel before start");
        let one = registry.join(&key(1), 10);
        let two = registry.join(&key(2), 10);
        assert!(registry.cancel("a") && registry.cancel("a"));
        assert!(one.cancel.check().is_err() && two.cancel.check().is_err());
        drop((one, two));
        assert!(!registry.cancel("a"));
    }

    #[test]
    fn f_61_a_query_that_everybody_dropped_is_cancelled() {
        let registry = registry();
        let query = registry.join(&key(1), 10);
        let on_a_node = registry.join(&key(1), 10);
        let other = registry.join(&key(2), 10);
        let flag = query.cancel.clone();
        drop(on_a_node);
        assert!(flag.check().is_ok(), "the query goes on when a node is done with it");
        drop(query);
        assert!(flag.check().is_err());
        assert!(other.cancel.check().is_ok());
    }

    #[test]
    fn a_query_has_one_account_wherever_it_works() {
        let registry = registry();
        let query = registry.join(&key(1), 10);
        let on_a_node = registry.join(&key(1), 1_000);
        let mut lease = query.memory.lease();
        lease.set(6).unwrap();
        assert!(on_a_node.memory.lease().set(6).is_err());
        assert_eq!((on_a_node.memory.used_bytes(), registry.pool().used_bytes()), (6, 6));
        registry.join(&key(2), 10).memory.lease().set(6).unwrap();
    }
}
