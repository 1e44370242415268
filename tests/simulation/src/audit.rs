//! What hosts do with copies of segments: the last one of a used segment is never dropped by order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::{AnnouncedServer, Discovery, InProcessDiscovery, ServerId};
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Who died this short a while ago may be taken for alive.
const MOMENT: Duration = Duration::from_secs(10);

/// Looks at every drop.
#[derive(Debug)]
pub(crate) struct Audit {
    store: Arc<MemoryMetadataStore>,
    /// What each process that lives announces itself.
    registries: Mutex<BTreeMap<String, Arc<InProcessDiscovery>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    withdrawn: Option<Instant>,
    copies_dropped: u64,
    unused_dropped: u64,
    broken: Vec<String>,
}

impl Audit {
    pub(crate) fn new(store: Arc<MemoryMetadataStore>) -> Self {
        Self { store, registries: Mutex::default(), state: Mutex::default() }
    }

    /// A process lives, and announces here.
    pub(crate) fn lives(&self, name: &str, registry: &Arc<InProcessDiscovery>) {
        self.registries.lock().insert(name.to_owned(), Arc::clone(registry));
    }

    /// A process is dead, and all that it had is away.
    pub(crate) fn died(&self, name: &str) {
        self.registries.lock().remove(name);
        self.state.lock().withdrawn = Some(Instant::now());
    }

    /// What a process announces, while it lives.
    pub(crate) fn announced_by(&self, name: &str) -> Option<AnnouncedServer> {
        let registry = self.registries.lock().get(name).cloned()?;
        registry.snapshot().servers.get(name).cloned()
    }

    fn is_held(&self, id: &SegmentId) -> bool {
        let names: Vec<String> = self.registries.lock().keys().cloned().collect();
        let mut announced = names.iter().filter_map(|name| self.announced_by(name));
        announced.any(|server| server.segments.contains_key(id))
    }

    /// A server has just dropped a segment as it was told.
    pub(crate) async fn dropped(&self, server: &ServerId, id: &SegmentId) {
        let Ok(used) = self.store.used_segments().await else { return };
        let is_used = used.segments.iter().any(|segment| segment.id == *id);
        let has_other = self.is_held(id);
        let mut state = self.state.lock();
        if !is_used {
            state.unused_dropped += 1;
            return;
        }
        state.copies_dropped += 1;
        let is_excused = state.withdrawn.is_some_and(|at| at.elapsed() < MOMENT);
        if !has_other && !is_excused {
            state.broken.push(format!("{server} dropped the last copy of {id}, which is used"));
        }
    }

    /// What was dropped.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 2] {
        let state = self.state.lock();
        [
            ("copies too many dropped", state.copies_dropped),
            ("unused segments dropped", state.unused_dropped),
        ]
    }

    /// Promises that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.state.lock().broken.clone()
    }
}
