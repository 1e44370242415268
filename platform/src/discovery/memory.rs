//! Discovery within one process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    AnnouncedSegment, ChangeSet, Discovery, DiscoveryChange, DiscoveryError, DiscoverySnapshot,
    ServerId,
};

/// How many changes an observer may lag behind before it has to take a snapshot.
const KEPT_CHANGES: usize = 4_096;

/// The registry of a cluster that is one process; also the one for tests.
#[derive(Debug)]
pub struct InProcessDiscovery {
    state: Mutex<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    servers: BTreeMap<ServerId, Arc<BTreeMap<SegmentId, AnnouncedSegment>>>,
    log: VecDeque<Arc<DiscoveryChange>>,
    troubles: BTreeMap<SegmentId, (ServerId, String)>,
}

impl State {
    fn record(&mut self, server: &ServerId, changes: ChangeSet, left: bool) -> u64 {
        self.version += 1;
        if self.log.len() == KEPT_CHANGES {
            self.log.pop_front();
        }
        self.log.push_back(Arc::new(DiscoveryChange {
            version: self.version,
            server: Arc::clone(server),
            changes,
            left,
        }));
        self.version
    }
}

impl InProcessDiscovery {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Mutex::default(), version: watch::Sender::new(0) }
    }

    fn publish(&self, version: u64) {
        // Two writers may arrive here in the other order; the version never goes back.
        self.version.send_if_modified(|seen| {
            let newer = version > *seen;
            *seen = version.max(*seen);
            newer
        });
    }
}

impl Default for InProcessDiscovery {
    fn default() -> Self {
        Self::new()
    }
}

impl Discovery for InProcessDiscovery {
    fn join(&self, server: &ServerId) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        if state.servers.contains_key(server) {
            return Ok(state.version);
        }
        state.servers.insert(Arc::clone(server), Arc::default());
        let version = state.record(server, ChangeSet::default(), false);
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn apply(&self, server: &ServerId, changes: ChangeSet) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        // Copies the server's map only while a snapshot still shares it.
        let segments = Arc::make_mut(state.servers.entry(Arc::clone(server)).or_default());
        for id in &changes.remove {
            segments.remove(id);
        }
        for segment in &changes.add {
            segments.insert(segment.id.clone(), segment.clone());
        }
        let version = state.record(server, changes, false);
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn leave(&self, server: &ServerId) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        let Some(segments) = state.servers.remove(server) else {
            return Ok(state.version);
        };
        let remove = segments.keys().cloned().collect();
        let version = state.record(server, ChangeSet { add: Vec::new(), remove }, true);
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn snapshot(&self) -> DiscoverySnapshot {
        let state = self.state.lock();
        DiscoverySnapshot { version: state.version, servers: state.servers.clone() }
    }

    fn changes_since(&self, version: u64) -> Option<Vec<Arc<DiscoveryChange>>> {
        let state = self.state.lock();
        let behind = usize::try_from(state.version.checked_sub(version)?).ok()?;
        let skip = state.log.len().checked_sub(behind)?;
        Some(state.log.iter().skip(skip).cloned().collect())
    }

    fn report(&self, server: &ServerId, id: &SegmentId, trouble: Option<String>) {
        let mut state = self.state.lock();
        match trouble {
            Some(trouble) => {
                state.troubles.insert(id.clone(), (Arc::clone(server), trouble));
            }
            None => {
                state.troubles.remove(id);
            }
        }
    }

    fn trouble(&self, id: &SegmentId) -> Option<String> {
        let state = self.state.lock();
        state.troubles.get(id).map(|(server, trouble)| format!("{server}: {trouble}"))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
