//! What the broker knows of the cluster: for each datasource a timeline of its announced segments
//! and the servers of each. Views are immutable; a query works on one from beginning to end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use henge_platform::discovery::{AnnouncedSegment, ChangeSet, Discovery, ServerId};
use henge_types::{SegmentId, Timeline};
use parking_lot::Mutex;

/// A server that has a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The server.
    pub server: ServerId,
    /// What it announced.
    pub segment: AnnouncedSegment,
}

/// One datasource.
#[derive(Debug, Clone, Default)]
pub struct TableView {
    /// Announced segments by time and version.
    pub timeline: Timeline<()>,
    /// Servers of each, the preferred one first.
    pub replicas: HashMap<SegmentId, Vec<Replica>>,
}

/// All datasources at one instant.
#[derive(Debug, Clone, Default)]
pub struct ClusterView {
    /// The version of discovery that this view shows.
    pub version: u64,
    /// Datasources that have announced segments.
    pub tables: BTreeMap<Arc<str>, Arc<TableView>>,
}

/// Keeps the newest view.
#[derive(Debug)]
pub struct ClusterViews {
    discovery: Arc<dyn Discovery>,
    current: Mutex<Arc<ClusterView>>,
}

impl ClusterViews {
    /// Follows `discovery`.
    #[must_use]
    pub fn new(discovery: Arc<dyn Discovery>) -> Self {
        Self { discovery, current: Mutex::default() }
    }

    /// The view that includes every change announced so far.
    #[must_use]
    pub fn current(&self) -> Arc<ClusterView> {
        let mut current = self.current.lock();
        match self.discovery.changes_since(current.version) {
            Some(changes) if changes.is_empty() => {}
            Some(changes) => {
                let mut view = ClusterView::clone(&current);
                for change in changes {
                    view.apply(&change.server, &change.changes);
                    view.version = change.version;
                }
                *current = Arc::new(view);
            }
            None => *current = Arc::new(self.rebuild()),
        }
        Arc::clone(&current)
    }

    fn rebuild(&self) -> ClusterView {
        let snapshot = self.discovery.snapshot();
        let mut view = ClusterView { version: snapshot.version, ..ClusterView::default() };
        for (server, segments) in &snapshot.servers {
            let add = segments.values().cloned().collect();
            view.apply(server, &ChangeSet { add, remove: Vec::new() });
        }
        view
    }
}

impl ClusterView {
    /// Applies one server's change set.
    pub fn apply(&mut self, server: &ServerId, changes: &ChangeSet) {
        for segment in &changes.add {
            let table = self.tables.entry(Arc::clone(&segment.id.datasource)).or_default();
            Arc::make_mut(table).add(server, segment);
        }
        for id in &changes.remove {
            if let Some(table) = self.tables.get_mut(&id.datasource) {
                let table = Arc::make_mut(table);
                table.remove(server, id);
                if table.replicas.is_empty() {
                    self.tables.remove(&id.datasource);
                }
            }
        }
    }
}

impl TableView {
    fn add(&mut self, server: &ServerId, segment: &AnnouncedSegment) {
        let replicas = self.replicas.entry(segment.id.clone()).or_default();
        if replicas.is_empty() {
            self.timeline.add(segment.id.clone(), segment.shard_spec, ());
        }
        replicas.retain(|replica| replica.server != *server);
        replicas.push(Replica { server: server.clone(), segment: segment.clone() });
        // Larger priorities first, then mapped segments before growing ones.
        replicas.sort_by_key(|r| (std::cmp::Reverse(r.segment.priority), r.segment.realtime));
    }

    fn remove(&mut self, server: &ServerId, id: &SegmentId) {
        let Some(replicas) = self.replicas.get_mut(id) else { return };
        replicas.retain(|replica| replica.server != *server);
        if replicas.is_empty() {
            self.replicas.remove(id);
            self.timeline.remove(id);
        }
    }
}
