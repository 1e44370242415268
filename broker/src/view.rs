//! What the broker knows of the cluster: for each datasource a timeline of what is to be answered
//! for, and the servers that can. Views are immutable; a query works on one from beginning to end.
//!
//! The timeline holds the segments that the metadata call used; beside it are the buffered ones, that
//! realtime nodes announce or the metadata note, which no version hides. What is used or buffered stays
//! when nobody announces it: then it is missing, and a query that wants it fails or says so. A
//! published segment that the metadata do not call used is left out, whoever announces it.

mod columns;
mod follow;
mod pulse;
mod table;
#[cfg(test)]
mod tests;
mod unavailable;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use henge_platform::discovery::{
    AnnouncedSegment, AnnouncedServer, ChangeSet, DiscoverySnapshot, ServerAddress,
    ServerDescription, ServerId, ServerKind,
};
use henge_platform::metadata::{BufferedSegment, PublishedSegment, SegmentChange};
use henge_types::SegmentId;
use tokio::time::Instant;

pub(crate) use follow::ClusterViews;
pub(crate) use table::{Replica, TableView};
pub use unavailable::{Availability, Unavailable};

/// All datasources at one instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClusterView {
    /// The version of discovery that this view shows.
    pub(crate) version: u64,
    /// How far the metadata were followed.
    pub(crate) metadata: MetadataPosition,
    /// Servers that announce segments, or did not yet, and where they are reached.
    pub(crate) servers: BTreeMap<ServerId, Arc<ServerDescription>>,
    /// Servers that buffer something, as the metadata say.
    holders: BTreeSet<ServerId>,
    /// Servers that may begin to at any moment.
    buffering: BTreeSet<ServerId>,
    /// Datasources that have used or announced segments.
    pub(crate) tables: BTreeMap<Arc<str>, Arc<TableView>>,
}

/// How far a view has followed the metadata.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetadataPosition {
    /// The change sequence; `None` before the first complete read.
    pub(crate) sequence: Option<u64>,
    /// The store's count of commits when it was read.
    pub(crate) commits: u64,
    /// When that began.
    pub(crate) read_at: Option<Instant>,
    /// Set while the store cannot be read: the view then shows what was known last.
    pub(crate) away: Option<Away>,
}

impl MetadataPosition {
    /// True when all that was committed before `moment` is known.
    #[must_use]
    pub(crate) fn was_read_after(&self, moment: Instant) -> bool {
        self.away.is_none() && self.read_at > Some(moment)
    }
}

/// The metadata store cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    /// Since when.
    pub(crate) since: Instant,
    /// When it was asked last.
    pub(crate) tried: Instant,
    /// What it said.
    pub(crate) reason: Arc<str>,
}

impl ClusterView {
    /// Applies one server's change set. `awaited_until` is when segments that lose their last server
    /// by it begin to count as missing.
    pub(crate) fn apply(&mut self, server: &ServerId, changes: &ChangeSet, awaited_until: Instant) {
        for segment in &changes.add {
            self.table(&segment.id).announce(server, segment, awaited_until);
        }
        for growth in &changes.grow {
            self.change_known(&growth.id, |table| table.grow(server, growth));
        }
        for id in &changes.remove {
            self.change_known(id, |table| table.withdraw(server, id, awaited_until));
        }
    }

    /// Applies a change of another process, or of this one, which may come before what was committed
    /// ahead of it was read: rows that were buffered and are nowhere now are missing until then. True when
    /// there are such rows.
    pub(crate) fn apply_ahead(
        &mut self,
        server: &ServerId,
        changes: &ChangeSet,
        awaited_until: Instant,
    ) -> bool {
        let ChangeSet { add, remove, grow } = changes;
        let (add, grow) = (add.clone(), grow.clone());
        self.apply(server, &ChangeSet { add, grow, remove: Vec::new() }, awaited_until);
        self.lose(server, remove, awaited_until)
    }

    /// A server has these segments no longer: what it buffered is missing until the metadata say where
    /// its rows are. True when there are such rows.
    pub(crate) fn lose(
        &mut self,
        server: &ServerId,
        ids: &[SegmentId],
        awaited_until: Instant,
    ) -> bool {
        let mut has_lost = false;
        for id in ids {
            self.change_known(id, |table| has_lost |= table.lose(server, id, awaited_until));
        }
        has_lost
    }

    /// Brings the announcements in line with a snapshot: for an observer that fell too far behind.
    pub(crate) fn apply_snapshot(&mut self, snapshot: &DiscoverySnapshot, awaited_until: Instant) {
        let mut gone: BTreeMap<ServerId, Vec<SegmentId>> = BTreeMap::new();
        for (id, replica) in self.tables.values().flat_map(|table| table.announcements()) {
            let announced = snapshot.servers.get(&replica.server);
            if !announced.is_some_and(|announced| announced.segments.contains_key(id)) {
                gone.entry(replica.server.clone()).or_default().push(id.clone());
            }
        }
        // What is new comes first: a segment that moved is on some server at every instant.
        for (server, announced) in &snapshot.servers {
            let add = announced.segments.values().cloned().collect();
            self.apply(server, &ChangeSet { add, ..ChangeSet::default() }, awaited_until);
        }
        for (server, remove) in gone {
            if snapshot.servers.contains_key(&server) {
                self.apply(&server, &ChangeSet { remove, ..ChangeSet::default() }, awaited_until);
            } else {
                self.lose(&server, &remove, awaited_until);
            }
        }
        let description = |(server, announced): (&ServerId, &AnnouncedServer)| {
            (server.clone(), Arc::clone(&announced.description))
        };
        self.servers = snapshot.servers.iter().map(description).collect();
        self.version = snapshot.version;
    }

    /// Applies changes of the used segments, in order.
    pub(crate) fn apply_used(&mut self, changes: &[SegmentChange], awaited_until: Instant) {
        for change in changes {
            match change {
                SegmentChange::Used(segment) => self.publish(segment, awaited_until),
                SegmentChange::Unused(id) => self.change_known(id, |table| table.retire(id)),
            }
        }
    }

    /// Makes these the buffered segments, and no others.
    pub(crate) fn replace_buffered(
        &mut self,
        buffered: &[BufferedSegment],
        awaited_until: Instant,
    ) {
        let now: HashMap<&SegmentId, &ServerId> =
            buffered.iter().map(|buffered| (&buffered.id, &buffered.owner)).collect();
        let before = self.tables.values().flat_map(|table| table.held());
        let gone: Vec<SegmentId> =
            before.map(|(id, _)| id).filter(|id| !now.contains_key(id)).cloned().collect();
        for id in gone {
            self.change_known(&id, |table| table.let_go(&id, awaited_until));
        }
        self.holders = buffered.iter().map(|buffered| ServerId::clone(&buffered.owner)).collect();
        for (id, owner) in now {
            let known = self.tables.get(&id.datasource).and_then(|table| table.holder(id));
            if known != Some(owner) {
                self.table(id).hold(id, owner, awaited_until);
            }
        }
    }

    /// Makes these the servers that may buffer rows, and no others.
    pub(crate) fn replace_buffering(&mut self, servers: Vec<String>) {
        self.buffering = servers.into_iter().map(ServerId::from).collect();
    }

    /// Makes these the used segments, and no others.
    pub(crate) fn replace_used(&mut self, used: &[PublishedSegment], awaited_until: Instant) {
        let kept: std::collections::HashSet<&SegmentId> = used.iter().map(|s| &s.id).collect();
        let before = self.tables.values().flat_map(|table| table.used.keys());
        let gone: Vec<SegmentId> = before.filter(|id| !kept.contains(id)).cloned().collect();
        for id in gone {
            self.change_known(&id, |table| table.retire(&id));
        }
        for segment in used {
            self.publish(segment, awaited_until);
        }
    }

    /// Who announces a segment.
    #[must_use]
    pub(crate) fn replicas(&self, id: &SegmentId) -> &[Replica] {
        let table = self.tables.get(&id.datasource);
        table.and_then(|table| table.replicas.get(id)).map_or(&[], Vec::as_slice)
    }

    /// True for a published segment that the metadata did not call used when they were read: most likely it was
    /// published since, by another process.
    #[must_use]
    pub(crate) fn is_news(&self, announced: &AnnouncedSegment) -> bool {
        let table = self.tables.get(&announced.id.datasource);
        !announced.realtime && table.is_none_or(|table| !table.used.contains_key(&announced.id))
    }

    /// Where a server is reached; `None` when it is not there.
    #[must_use]
    pub(crate) fn address_of(&self, server: &ServerId) -> Option<&ServerAddress> {
        self.servers.get(server).map(|description| &description.address)
    }

    /// Servers of other processes that buffer, and where they are: what they announce is followed a moment
    /// later.
    pub(crate) fn buffering_elsewhere(&self) -> impl Iterator<Item = (&ServerId, &Arc<str>)> {
        self.servers.iter().filter_map(|(server, description)| {
            let ServerDescription { address, kind: ServerKind::Realtime, .. } = &**description
            else {
                return None;
            };
            match address {
                ServerAddress::Network(address) => Some((server, address)),
                ServerAddress::InProcess => None,
            }
        })
    }

    /// True when a server that buffers something, or may, is not there: nobody says what else it buffers, but
    /// the metadata.
    #[must_use]
    pub(crate) fn lacks_a_holder(&self) -> bool {
        let mut holders = self.holders.iter().chain(&self.buffering);
        holders.any(|holder| !self.servers.contains_key(holder))
    }

    /// The zone of a server; empty when it has none.
    #[must_use]
    pub(crate) fn zone_of(&self, server: &ServerId) -> &str {
        self.servers.get(server).map_or("", |description| &description.zone)
    }

    /// True when somebody announces a segment.
    #[must_use]
    pub(crate) fn is_served(&self, id: &SegmentId) -> bool {
        !self.replicas(id).is_empty()
    }

    fn publish(&mut self, segment: &PublishedSegment, awaited_until: Instant) {
        self.table(&segment.id).publish(segment, awaited_until);
    }

    fn table(&mut self, id: &SegmentId) -> &mut TableView {
        Arc::make_mut(self.tables.entry(Arc::clone(&id.datasource)).or_default())
    }

    fn change_known(&mut self, id: &SegmentId, change: impl FnOnce(&mut TableView)) {
        let Some(table) = self.tables.get_mut(&id.datasource) else { return };
        let table = Arc::make_mut(table);
        change(table);
        if table.is_empty() {
            self.tables.remove(&id.datasource);
        }
    }
}
