//! What hosts do with copies of segments: the last one of a used segment is never dropped by order.

use std::sync::Arc;
use std::time::Duration;

use henge_platform::discovery::{Discovery, InProcessDiscovery, ServerId};
use henge_platform::metadata::{MemoryMetadataStore, MetadataStore};
use henge_types::SegmentId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Who was withdrawn this short a while ago may have been relied on.
const MOMENT: Duration = Duration::from_secs(1);

/// Looks at every drop.
#[derive(Debug)]
pub(crate) struct Audit {
    discovery: Arc<InProcessDiscovery>,
    store: Arc<MemoryMetadataStore>,
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
    pub(crate) fn new(discovery: Arc<InProcessDiscovery>, store: Arc<MemoryMetadataStore>) -> Self {
        Self { discovery, store, state: Mutex::default() }
    }

    /// A server is withdrawn with all it had.
    pub(crate) fn withdrawn(&self) {
        self.state.lock().withdrawn = Some(Instant::now());
    }

    /// A server has just dropped a segment as it was told.
    pub(crate) async fn dropped(&self, server: &ServerId, id: &SegmentId) {
        let Ok(used) = self.store.used_segments().await else { return };
        let is_used = used.segments.iter().any(|segment| segment.id == *id);
        let view = self.discovery.snapshot();
        let has_other = view.servers.values().any(|other| other.segments.contains_key(id));
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
