//! What a plan is made from: one consistent, immutable picture of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_placement::rules::RuleBook;
use henge_platform::discovery::{AnnouncedSegment, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_types::SegmentId;

use crate::attempts::Pair;
use crate::told::Work;

/// The segments that a server announces.
pub(crate) type Announced = Arc<BTreeMap<SegmentId, AnnouncedSegment>>;

/// One server that can hold segments.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerState {
    /// Its tier; empty where there is one only.
    pub tier: Arc<str>,
    /// What it shares its fate with; empty where zones are not told apart.
    pub zone: Arc<str>,
    /// Bytes that it may hold.
    pub capacity_bytes: u64,
    /// What it announces.
    pub loaded: Announced,
    /// What it was asked to load and does not announce yet, with sizes in bytes.
    pub coming: BTreeMap<SegmentId, u64>,
    /// What it was asked to drop and may still announce.
    pub going: BTreeSet<SegmentId>,
    /// What it announced before it restarted, a short while ago: its disk may still have that.
    pub remembered: Announced,
    /// How many more loads it may be asked for now.
    pub room_for_loads: usize,
    /// How many more drops.
    pub room_for_drops: usize,
}

impl ServerState {
    /// True when it has the segment and is to keep it.
    #[must_use]
    pub(crate) fn keeps(&self, id: &SegmentId) -> bool {
        self.loaded.contains_key(id) && !self.going.contains(id)
    }
}

/// A server that left a short while ago and may come back with all it had.
#[derive(Debug, Clone, Default)]
pub(crate) struct AwayServer {
    /// Its tier.
    pub tier: Arc<str>,
    /// Its zone.
    pub zone: Arc<str>,
    /// What it announced.
    pub loaded: Announced,
}

/// The cluster at one instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterSnapshot {
    /// True when `used` is known to hold every used segment, and `servers` every server that lives, with
    /// all it announces. Without that nothing is dropped.
    pub is_complete: bool,
    /// The version of what is announced.
    pub view_version: u64,
    /// True when loading may begin: the view is complete, or has not been for long.
    pub may_load: bool,
    /// True when no server came or left of late: copies too many are dropped, and moved between zones,
    /// only then.
    pub is_calm: bool,
    /// Where which segments are to be.
    pub rules: Arc<RuleBook>,
    /// Periods of rules end now.
    pub now_ms: i64,
    /// Servers that are to be empty.
    pub draining: BTreeSet<ServerId>,
    /// How much may be under way at once.
    pub limits: Limits,
    /// Where a plan begins that has not time for all.
    pub seed: u64,
    /// Published segments that are used.
    pub used: Arc<BTreeMap<SegmentId, Arc<PublishedSegment>>>,
    /// How much some of them are read, as nodes told.
    pub work: Work,
    /// Servers that can hold segments, with what they announce.
    pub servers: BTreeMap<ServerId, ServerState>,
    /// Servers that left a short while ago.
    pub away: BTreeMap<ServerId, AwayServer>,
    /// Loads that failed and are not to be tried again yet.
    pub resting_loads: BTreeSet<Pair>,
    /// The same for drops.
    pub resting_drops: BTreeSet<Pair>,
}

/// How much may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Copies on their way to a better place.
    pub moves: usize,
    /// Copies of segments that have one, asked for by one plan.
    pub further_copies: usize,
}

impl ClusterSnapshot {
    /// True when some server has the segment and is to keep it.
    #[must_use]
    pub(crate) fn is_loaded(&self, id: &SegmentId) -> bool {
        self.servers.values().any(|server| server.keeps(id))
    }
}
