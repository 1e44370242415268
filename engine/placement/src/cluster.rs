//! A cluster in as few bytes as planning needs: nodes, segments, and who holds what.
//!
//! Names are numbers here; who builds a cluster keeps what they stand for.

use std::ops::Range;
use std::sync::Arc;

use henge_types::Interval;

use crate::error::{PlacementError, Result};

/// A node, by its place in the list of nodes.
pub type ServerIndex = u16;
/// A segment, by its place in the list of segments.
pub type SegmentIndex = u32;
/// A datasource; who builds a cluster counts them in the order of their segments.
pub type DatasourceIndex = u32;

/// How a node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerState {
    /// It holds and takes segments.
    #[default]
    Active,
    /// It is to be empty, and answers until then.
    Draining,
    /// It left a short while ago and may come back with all it had: that counts, and is not touched.
    Away,
}

/// A node that holds segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: Arc<str>,
    /// Its tier.
    pub tier: Arc<str>,
    /// What it shares its fate with; empty where zones are not told apart.
    pub zone: Arc<str>,
    /// Bytes it never holds more than; `u64::MAX` when it does not say.
    pub capacity_bytes: u64,
    /// Of the tier: what it lacks is loaded before that of tiers with a smaller one.
    pub priority: i32,
    /// How it takes part.
    pub state: ServerState,
}

/// How many copies of a segment are to be where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Wish {
    /// So many in each of these tiers, by name.
    Copies(Vec<(Arc<str>, u32)>),
    /// One on each node.
    Everywhere,
    /// As it is.
    Untouched,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its datasource.
    pub datasource: DatasourceIndex,
    /// Its time chunk.
    pub interval: Interval,
    /// Bytes on a node.
    pub size_bytes: u64,
    /// What queries cost on it, in any unit that is the same for all: for example microseconds an hour.
    pub load: u32,
    /// Which of the cluster's wishes is for it.
    pub wish: u16,
    /// True while something is under way with it: it is not moved then.
    pub is_busy: bool,
    /// Nodes that have it, or were asked to load it.
    pub holders: Vec<ServerIndex>,
}

/// A tier: nodes that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: Arc<str>,
    /// Its nodes, which are beside each other.
    pub servers: Range<usize>,
    /// The largest of its nodes.
    pub priority: i32,
}

/// Nodes, segments and who holds what.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    servers: Vec<Server>,
    tiers: Vec<Tier>,
    wishes: Vec<Wish>,
    segments: Vec<Segment>,
}

impl Cluster {
    /// A cluster of these nodes, ordered by tier and name, with no segments.
    ///
    /// # Errors
    /// When two have one name, or there are more than 65,535.
    pub fn new(mut servers: Vec<Server>) -> Result<Self> {
        if servers.len() > usize::from(ServerIndex::MAX) {
            let reason = format!("{} nodes, at most {}", servers.len(), ServerIndex::MAX);
            return Err(PlacementError::Cluster(reason));
        }
        servers.sort_by(|left, right| (&left.tier, &left.name).cmp(&(&right.tier, &right.name)));
        let mut names: Vec<&str> = servers.iter().map(|server| &*server.name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PlacementError::Cluster(format!("node '{}' is given twice", twice[0])));
        }
        let mut tiers: Vec<Tier> = Vec::new();
        for (at, server) in servers.iter().enumerate() {
            let priority = server.priority;
            match tiers.last_mut().filter(|tier| tier.name == server.tier) {
                Some(tier) => {
                    tier.servers.end = at + 1;
                    tier.priority = priority.max(tier.priority);
                }
                None => {
                    let name = Arc::clone(&server.tier);
                    tiers.push(Tier { name, servers: at..at + 1, priority });
                }
            }
        }
        Ok(Self { servers, tiers, ..Self::default() })
    }

    /// Gives it segments, ordered by datasource and time, and the wishes that they name.
    ///
    /// # Errors
    /// When they are in another order, name no wish or node that there is, or are more than four billion.
    pub fn with_segments(mut self, wishes: Vec<Wish>, segments: Vec<Segment>) -> Result<Self> {
        let invalid = |reason: &str| Err(PlacementError::Cluster(reason.to_owned()));
        let place = |segment: &Segment| (segment.datasource, segment.interval);
        if segments.windows(2).any(|pair| place(&pair[0]) > place(&pair[1])) {
            return invalid("segments are not in the order of datasource and time");
        }
        if segments.len() >= SegmentIndex::MAX as usize {
            return invalid("too many segments");
        }
        if segments.iter().any(|segment| usize::from(segment.wish) >= wishes.len()) {
            return invalid("a segment names a wish that is not given");
        }
        let holders = segments.iter().flat_map(|segment| &segment.holders);
        if holders.into_iter().any(|server| usize::from(*server) >= self.servers.len()) {
            return invalid("a segment is held by a node that is not given");
        }
        (self.wishes, self.segments) = (wishes, segments);
        Ok(self)
    }

    /// The nodes, ordered by tier and name.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The tiers that have nodes, by name.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The wishes that segments name.
    #[must_use]
    pub fn wishes(&self) -> &[Wish] {
        &self.wishes
    }

    /// The segments, ordered by datasource and time.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// One segment.
    #[must_use]
    pub fn segment(&self, index: SegmentIndex) -> &Segment {
        &self.segments[index as usize]
    }

    /// One node.
    #[must_use]
    pub fn server(&self, index: ServerIndex) -> &Server {
        &self.servers[usize::from(index)]
    }

    /// The place of a node.
    #[must_use]
    pub fn server_index(&self, name: &str) -> Option<ServerIndex> {
        let at = self.servers.iter().position(|server| *server.name == *name)?;
        ServerIndex::try_from(at).ok()
    }

    pub(crate) fn holders_mut(&mut self, index: SegmentIndex) -> &mut Vec<ServerIndex> {
        &mut self.segments[index as usize].holders
    }

    /// Nodes, wishes and segments, to build another cluster of.
    #[cfg(test)]
    pub(crate) fn into_parts(self) -> (Vec<Server>, Vec<Wish>, Vec<Segment>) {
        (self.servers, self.wishes, self.segments)
    }
}
