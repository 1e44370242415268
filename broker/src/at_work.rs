//! The queries of this broker that are at work, and the nodes that work on each: a query that is cancelled
//! stops here at once, and all its nodes are told, whatever they are doing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use henge_data_node::{DataNode, QueryKey};
use henge_platform::discovery::ServerId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Queries by id; several may have the same.
#[derive(Debug, Default)]
pub(crate) struct AtWork {
    queries: Mutex<HashMap<Arc<str>, Vec<Arc<Work>>>>,
}

#[derive(Debug)]
struct Work {
    number: u64,
    nodes: Mutex<BTreeMap<ServerId, Arc<dyn DataNode>>>,
    cancelled: Notify,
}

impl AtWork {
    /// Notes a query until what is returned is dropped.
    #[must_use]
    pub(crate) fn register(self: &Arc<Self>, key: &QueryKey) -> Registered {
        let (nodes, cancelled) = (Mutex::default(), Notify::new());
        let work = Arc::new(Work { number: key.number, nodes, cancelled });
        let mut queries = self.queries.lock();
        queries.entry(Arc::clone(&key.id)).or_default().push(Arc::clone(&work));
        Registered { id: Arc::clone(&key.id), work, all: Arc::clone(self) }
    }

    /// Wakes the queries with an id; gives the nodes that work on them.
    #[must_use]
    pub(crate) fn cancel(&self, query_id: &str) -> Vec<Arc<dyn DataNode>> {
        let queries = self.queries.lock();
        let mut nodes = BTreeMap::new();
        for work in queries.get(query_id).into_iter().flatten() {
            work.cancelled.notify_one();
            nodes.extend(work.nodes.lock().clone());
        }
        nodes.into_values().collect()
    }
}

/// A query that is noted.
#[derive(Debug)]
pub(crate) struct Registered {
    id: Arc<str>,
    work: Arc<Work>,
    all: Arc<AtWork>,
}

impl Registered {
    /// A node works on the query from now on.
    pub(crate) fn works_on(&self, node: &Arc<dyn DataNode>) {
        self.work.nodes.lock().insert(node.server_id().clone(), Arc::clone(node));
    }

    /// Waits until the query is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.work.cancelled.notified().await;
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut queries = self.all.queries.lock();
        let Some(of_id) = queries.get_mut(&self.id) else { return };
        of_id.retain(|work| work.number != self.work.number);
        if of_id.is_empty() {
            queries.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn h_97_queries_of_one_id_are_woken_and_forgotten_when_they_end() {
        let at_work = Arc::new(AtWork::default());
        let key = |number| QueryKey { id: "q".into(), number };
        let (one, two) = (at_work.register(&key(1)), at_work.register(&key(2)));
        assert!(at_work.cancel("another").is_empty());
        assert!(at_work.cancel("q").is_empty());
        // Who waits later learns of it too.
        one.cancelled().await;
        two.cancelled().await;
        drop(one);
        assert_eq!(at_work.queries.lock().len(), 1);
        drop(two);
        assert!(at_work.queries.lock().is_empty());
    }
}
