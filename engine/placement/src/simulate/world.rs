//! The segments and nodes of a simulation, by name, and the cluster that is planned for.

use std::sync::Arc;

use henge_types::Interval;

use crate::cluster::{Cluster, Segment, Server, ServerIndex, ServerState};
use crate::error::Result;
use crate::rules::RuleBook;
use crate::wishes::Wishes;

/// A segment of a simulation, used or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub datasource: u32,
    pub interval: Interval,
    pub size_bytes: u64,
    pub load: u32,
    pub holders: Vec<ServerIndex>,
}

/// Everything that a simulation starts from, and changes.
#[derive(Debug, Clone)]
pub struct World {
    pub(super) now_ms: i64,
    pub(super) datasources: Vec<Arc<str>>,
    pub(super) rules: RuleBook,
    pub(super) servers: Vec<Server>,
    /// Ordered by datasource and time.
    pub(super) segments: Vec<Stored>,
}

impl World {
    /// Segments that there are, used or not.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Nodes that there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.servers.len()
    }

    /// The cluster that a coordinator would see: with the segments that rules do not drop.
    pub(super) fn cluster(&self) -> Result<Cluster> {
        let mut wishes = Wishes::default();
        let mut segments = Vec::with_capacity(self.segments.len());
        for stored in &self.segments {
            let datasource = &self.datasources[stored.datasource as usize];
            let wanted = self.rules.wanted(datasource, stored.interval, self.now_ms);
            let Some(wish) = wishes.number(&wanted)? else { continue };
            segments.push(Segment {
                datasource: stored.datasource,
                interval: stored.interval,
                size_bytes: stored.size_bytes,
                load: stored.load,
                wish,
                is_busy: false,
                holders: stored.holders.clone(),
            });
        }
        Cluster::new(self.servers.clone())?.with_segments(wishes.into_all(), segments)
    }

    /// Takes over who holds what; what rules drop is held by nobody any more.
    pub(super) fn take_over(&mut self, cluster: &Cluster) {
        let mut planned = cluster.segments().iter().peekable();
        for stored in &mut self.segments {
            let place = (stored.datasource, stored.interval, stored.size_bytes, stored.load);
            let is_same = |s: &&Segment| (s.datasource, s.interval, s.size_bytes, s.load) == place;
            match planned.next_if(is_same) {
                Some(segment) => stored.holders.clone_from(&segment.holders),
                None => stored.holders.clear(),
            }
        }
    }

    /// Other nodes; who is not among them any more is gone, with what it had.
    pub(super) fn set_servers(&mut self, mut servers: Vec<Server>) {
        servers.sort_by(|left, right| (&left.tier, &left.name).cmp(&(&right.tier, &right.name)));
        let place = |before: &Server| {
            let at = servers.iter().position(|server| server.name == before.name)?;
            ServerIndex::try_from(at).ok()
        };
        let places: Vec<Option<ServerIndex>> = self.servers.iter().map(place).collect();
        for segment in &mut self.segments {
            let moved = segment.holders.iter().filter_map(|at| places[usize::from(*at)]);
            segment.holders = moved.collect();
        }
        self.servers = servers;
    }

    /// The nodes that take part, by their places.
    pub(super) fn active(&self) -> Vec<usize> {
        let is_active = |at: &usize| self.servers[*at].state == ServerState::Active;
        (0..self.servers.len()).filter(is_active).collect()
    }
}
