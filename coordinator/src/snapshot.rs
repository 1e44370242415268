//! What a plan is made from: one consistent, immutable picture of the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::discovery::{DiscoverySnapshot, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_types::{SegmentId, ShardSpec};

/// One server that can hold segments.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerState {
    /// What it announces.
    pub loaded: BTreeMap<SegmentId, (ShardSpec, u64)>,
}

impl ServerState {
    /// Bytes it holds.
    #[must_use]
    pub(crate) fn size_bytes(&self) -> u64 {
        self.loaded.values().map(|(_, size_bytes)| size_bytes).sum()
    }
}

/// The cluster at one instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterSnapshot {
    /// True when `used` is known to hold every used segment. Without that nothing is dropped.
    pub complete: bool,
    /// Published segments that are used.
    pub used: Arc<BTreeMap<SegmentId, Arc<PublishedSegment>>>,
    /// Servers that can hold segments, with what they announce.
    pub servers: BTreeMap<ServerId, ServerState>,
}

impl ClusterSnapshot {
    /// The announcements of `hosts`; other servers (realtime nodes) are left out.
    #[must_use]
    pub(crate) fn servers_of(
        discovery: &DiscoverySnapshot,
        hosts: &[ServerId],
    ) -> BTreeMap<ServerId, ServerState> {
        let state = |host: &ServerId| {
            let announced = discovery.servers.get(host);
            let loaded = announced.into_iter().flat_map(|server| server.segments.values());
            ServerState {
                loaded: loaded.map(|s| (s.id.clone(), (s.shard_spec, s.size_bytes))).collect(),
            }
        };
        hosts.iter().map(|host| (host.clone(), state(host))).collect()
    }

    /// True when some server has the segment.
    #[must_use]
    pub(crate) fn is_loaded(&self, id: &SegmentId) -> bool {
        self.servers.values().any(|server| server.loaded.contains_key(id))
    }
}
