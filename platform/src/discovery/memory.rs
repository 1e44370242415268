//! Discovery within one process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::runtime::watch;
use henge_types::SegmentId;
use parking_lot::Mutex;

use super::inventory::InventoryVersion;
use super::schema::SharedSchemas;
use super::{
    AnnouncedSegment, AnnouncedServer, ChangeSet, Discovery, DiscoveryChange, DiscoveryError,
    DiscoverySnapshot, Followed, LoadReport, ServerAddress, ServerDescription, ServerId,
};

/// How many changes an observer may lag behind before it has to take a snapshot.
const KEPT_CHANGES: usize = 4_096;

/// The registry of a cluster that is one process; also the one for tests.
#[derive(Debug)]
pub struct InProcessDiscovery {
    state: Mutex<State>,
    version: watch::Sender<u64>,
    /// Of the last change in this process; written while the state is locked.
    local_version: AtomicU64,
    followed: Mutex<Arc<Followed>>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    servers: BTreeMap<ServerId, AnnouncedServer>,
    schemas: SharedSchemas,
    log: VecDeque<Arc<DiscoveryChange>>,
    troubles: BTreeMap<SegmentId, (ServerId, String)>,
}

/// What a server changed.
#[derive(Default)]
struct Changed {
    changes: ChangeSet,
    left: bool,
    is_whole: bool,
    loads: Option<Arc<LoadReport>>,
}

impl From<ChangeSet> for Changed {
    fn from(changes: ChangeSet) -> Self {
        Self { changes, ..Self::default() }
    }
}

impl AnnouncedServer {
    /// Takes a change set, whose columns are shared from then on.
    fn take(&mut self, changes: &mut ChangeSet, schemas: &mut SharedSchemas) {
        // Copies the server's map only while a snapshot still shares it.
        let segments = Arc::make_mut(&mut self.segments);
        for id in &changes.remove {
            segments.remove(id);
        }
        for segment in &mut changes.add {
            segment.schema = schemas.share(&segment.schema);
            segments.insert(segment.id.clone(), segment.clone());
        }
        for growth in &changes.grow {
            if let Some(segment) = segments.get_mut(&growth.id) {
                segment.schema = schemas.share(&Arc::new(segment.schema.grown(&growth.columns)));
            }
        }
    }

    /// What leads from its segments to these.
    fn difference(&self, mut all: Vec<AnnouncedSegment>) -> ChangeSet {
        let stays: BTreeSet<&SegmentId> = all.iter().map(|segment| &segment.id).collect();
        let remove = self.segments.keys().filter(|id| !stays.contains(id)).cloned().collect();
        all.retain(|segment| self.segments.get(&segment.id) != Some(segment));
        ChangeSet { add: all, remove, grow: Vec::new() }
    }
}

impl InProcessDiscovery {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            version: watch::Sender::new(0),
            local_version: AtomicU64::new(0),
            followed: Mutex::default(),
        }
    }

    /// Records a change that was made to `state`.
    fn record(
        &self,
        state: &mut State,
        server: &ServerId,
        description: Arc<ServerDescription>,
        Changed { changes, left, is_whole, loads }: Changed,
    ) -> u64 {
        state.version += 1;
        let version = state.version;
        if description.address == ServerAddress::InProcess {
            self.local_version.store(version, Ordering::Release);
        }
        if state.log.len() == KEPT_CHANGES {
            state.log.pop_front();
        }
        let server = Arc::clone(server);
        let change =
            DiscoveryChange { version, server, description, changes, left, is_whole, loads };
        state.log.push_back(Arc::new(change));
        version
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
    fn join(
        &self,
        server: &ServerId,
        description: &ServerDescription,
    ) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        if state.servers.get(server).is_some_and(|known| *known.description == *description) {
            return Ok(state.version);
        }
        let description = Arc::new(description.clone());
        let known = state.servers.entry(Arc::clone(server)).or_default();
        known.description = Arc::clone(&description);
        let version = self.record(&mut state, server, description, Changed::default());
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn apply(&self, server: &ServerId, mut changes: ChangeSet) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        let State { servers, schemas, .. } = &mut *state;
        let announced = servers.entry(Arc::clone(server)).or_default();
        let description = Arc::clone(&announced.description);
        announced.take(&mut changes, schemas);
        let version = self.record(&mut state, server, description, changes.into());
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn replace(
        &self,
        server: &ServerId,
        segments: Vec<AnnouncedSegment>,
    ) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        let State { servers, schemas, .. } = &mut *state;
        let announced = servers.entry(Arc::clone(server)).or_default();
        let description = Arc::clone(&announced.description);
        let mut changes = announced.difference(segments);
        announced.take(&mut changes, schemas);
        let changed = Changed { is_whole: true, ..changes.into() };
        let version = self.record(&mut state, server, description, changed);
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn leave(&self, server: &ServerId) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        let Some(announced) = state.servers.remove(server) else {
            return Ok(state.version);
        };
        let remove = announced.segments.keys().cloned().collect();
        let changes = ChangeSet { remove, ..ChangeSet::default() };
        let changed = Changed { left: true, ..changes.into() };
        let version = self.record(&mut state, server, announced.description, changed);
        drop(state);
        self.publish(version);
        Ok(version)
    }

    fn report_loads(&self, server: &ServerId, loads: LoadReport) -> Result<u64, DiscoveryError> {
        let mut state = self.state.lock();
        let Some(known) = state.servers.get_mut(server) else { return Ok(state.version) };
        if *known.loads == loads {
            return Ok(state.version);
        }
        let loads = Arc::new(loads);
        known.loads = Arc::clone(&loads);
        let description = Arc::clone(&known.description);
        let changed = Changed { loads: Some(loads), ..Changed::default() };
        let version = self.record(&mut state, server, description, changed);
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

    fn local_version(&self) -> u64 {
        self.local_version.load(Ordering::Acquire)
    }

    fn followed(&self) -> Arc<Followed> {
        Arc::clone(&self.followed.lock())
    }

    fn note_followed(&self, address: &Arc<str>, at: Option<InventoryVersion>) {
        let mut followed = self.followed.lock();
        match at {
            Some(at) => _ = Arc::make_mut(&mut followed).insert(Arc::clone(address), at),
            None => _ = Arc::make_mut(&mut followed).remove(address),
        }
    }
}
