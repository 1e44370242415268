//! One datasource: which segments belong into its timeline, and who has them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use henge_data_node::SegmentDescriptor;
use henge_platform::discovery::{AnnouncedSchema, AnnouncedSegment, SchemaGrowth, ServerId};
use henge_platform::metadata::PublishedSegment;
use henge_types::{Interval, SegmentId, ShardSpec, Timeline};
use tokio::time::Instant;

use super::columns::{SchemaKey, UsedColumns};

/// A server that has a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replica {
    /// The server.
    pub(crate) server: ServerId,
    /// What it announced.
    pub(crate) segment: AnnouncedSegment,
}

/// What the metadata say of a used segment, as far as queries are planned by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedSegment {
    /// Place among the chunk's partitions.
    pub(crate) shard_spec: ShardSpec,
    /// Checksum of the stored object: names the content.
    pub(crate) checksum: u64,
    /// Stored rows.
    pub(crate) row_count: u64,
    /// Smallest and largest timestamp; `None` without rows.
    pub(crate) times_ms: Option<(i64, i64)>,
    /// Names its schema.
    pub(crate) schema: SchemaKey,
}

/// One datasource.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableView {
    /// Used segments, by time and version.
    pub(crate) timeline: Timeline<()>,
    /// Buffered ones: to be answered for whatever their version, and whatever else lies there (ADR 7).
    pub(crate) buffered: BTreeSet<SegmentId>,
    /// Servers of each announced segment, the preferred one first.
    pub(crate) replicas: HashMap<SegmentId, Vec<Replica>>,
    /// What the metadata call used.
    pub(crate) used: Arc<HashMap<SegmentId, UsedSegment>>,
    /// The columns of those.
    pub(crate) columns: UsedColumns,
    /// Of the timeline, what nobody announces, and until when somebody is expected to.
    pub(crate) lost: HashMap<SegmentId, Instant>,
    /// Used once and no longer, and still announced: not to be taken for buffered.
    retired: HashSet<SegmentId>,
    /// What nodes buffer, as the metadata say, with the node: acknowledged rows, which are missing when
    /// nobody announces them. Also what a server had buffered when it left, until they were read again.
    held: HashMap<SegmentId, ServerId>,
    /// Buffered until another server announced them as published, which the metadata that were read
    /// so far do not know of: they stay buffered until the metadata say otherwise.
    handed_over: HashSet<SegmentId>,
}

impl TableView {
    /// A server announces a segment.
    pub(super) fn announce(
        &mut self,
        server: &ServerId,
        segment: &AnnouncedSegment,
        awaited_until: Instant,
    ) {
        let id = &segment.id;
        let was_buffered = self.is_buffered(id);
        let replicas = self.replicas.entry(id.clone()).or_default();
        replicas.retain(|replica| replica.server != *server);
        replicas.push(Replica { server: server.clone(), segment: segment.clone() });
        // Larger priorities first, then mapped segments before growing ones.
        replicas.sort_by_key(|r| (std::cmp::Reverse(r.segment.priority), r.segment.realtime));
        self.keep_if_handed_over(id, was_buffered);
        self.settle(id, awaited_until);
    }

    /// A segment that a server announces has more columns.
    pub(super) fn grow(&mut self, server: &ServerId, growth: &SchemaGrowth) {
        let replicas = self.replicas.get_mut(&growth.id).into_iter().flatten();
        for replica in replicas.filter(|replica| replica.server == *server) {
            let grown = replica.segment.schema.grown(&growth.columns);
            replica.segment.schema = Arc::new(grown);
        }
    }

    /// The columns of buffered rows, each list of them once; `None` when some rows are nowhere to be
    /// found.
    pub(crate) fn buffered_schemas(&self) -> Option<Vec<&AnnouncedSchema>> {
        let mut schemas: Vec<&AnnouncedSchema> = Vec::new();
        for id in &self.buffered {
            let replica = self.replicas.get(id)?.first()?;
            let schema = &*replica.segment.schema;
            if !schemas.iter().any(|known| known.key() == schema.key()) {
                schemas.push(schema);
            }
        }
        Some(schemas)
    }

    /// A server has a segment no longer.
    pub(super) fn withdraw(&mut self, server: &ServerId, id: &SegmentId, awaited_until: Instant) {
        let was_buffered = self.is_buffered(id);
        let Some(replicas) = self.replicas.get_mut(id) else { return };
        replicas.retain(|replica| replica.server != *server);
        if replicas.is_empty() {
            self.replicas.remove(id);
            self.retired.remove(id);
            self.handed_over.remove(id);
        }
        self.keep_if_handed_over(id, was_buffered);
        self.settle(id, awaited_until);
    }

    /// A server has a segment no longer, and perhaps is gone itself. What it buffered and nobody else has
    /// is missing from now on, until the metadata say where its rows are: published, under other
    /// identities, or still with that server. True when that has to be asked.
    pub(super) fn lose(
        &mut self,
        server: &ServerId,
        id: &SegmentId,
        awaited_until: Instant,
    ) -> bool {
        let was_buffered = self.is_buffered(id);
        self.withdraw(server, id, awaited_until);
        let is_lost = was_buffered && !self.is_served(id);
        if is_lost {
            self.hold(id, server, awaited_until);
        }
        is_lost
    }

    /// The metadata say that a node buffers a segment.
    pub(super) fn hold(&mut self, id: &SegmentId, owner: &ServerId, awaited_until: Instant) {
        self.held.insert(id.clone(), owner.clone());
        self.settle(id, awaited_until);
    }

    /// They say so no longer: it is published, or its rows are under other identities.
    pub(super) fn let_go(&mut self, id: &SegmentId, awaited_until: Instant) {
        self.held.remove(id);
        self.settle(id, awaited_until);
    }

    /// What nodes buffer, as far as the metadata were read.
    pub(super) fn held(&self) -> impl Iterator<Item = (&SegmentId, &ServerId)> {
        self.held.iter()
    }

    /// The node that has the rows of a segment that is not published, or their log.
    #[must_use]
    pub(crate) fn holder(&self, id: &SegmentId) -> Option<&ServerId> {
        self.held.get(id)
    }

    /// The metadata call a segment used.
    pub(super) fn publish(&mut self, segment: &PublishedSegment, awaited_until: Instant) {
        let used = UsedSegment {
            shard_spec: segment.shard_spec,
            checksum: segment.checksum,
            row_count: segment.row_count,
            times_ms: (segment.row_count > 0).then_some((segment.min_time_ms, segment.max_time_ms)),
            schema: self.columns.add(&segment.schema_json),
        };
        let before = Arc::make_mut(&mut self.used).insert(segment.id.clone(), used);
        if let Some(before) = before {
            self.columns.remove(before.schema);
        }
        self.held.remove(&segment.id);
        self.retired.remove(&segment.id);
        self.handed_over.remove(&segment.id);
        self.settle(&segment.id, awaited_until);
    }

    /// The metadata call a segment used no longer.
    pub(super) fn retire(&mut self, id: &SegmentId) {
        if self.used.contains_key(id)
            && let Some(used) = Arc::make_mut(&mut self.used).remove(id)
        {
            self.columns.remove(used.schema);
        }
        self.handed_over.remove(id);
        self.held.remove(id);
        if self.replicas.contains_key(id) {
            self.retired.insert(id.clone());
        }
        self.lost.remove(id);
        self.timeline.remove(id);
        self.buffered.remove(id);
    }

    /// Brings the timeline, and what is buffered, in line with what is known of a segment.
    fn settle(&mut self, id: &SegmentId, awaited_until: Instant) {
        if self.is_buffered(id) {
            self.buffered.insert(id.clone());
        } else {
            self.buffered.remove(id);
        }
        match self.used.get(id) {
            Some(used) => drop(self.timeline.add(id.clone(), used.shard_spec, ())),
            None => drop(self.timeline.remove(id)),
        }
        let is_wanted = self.used.contains_key(id) || self.buffered.contains(id);
        if is_wanted && !self.replicas.contains_key(id) {
            self.lost.entry(id.clone()).or_insert(awaited_until);
        } else {
            self.lost.remove(id);
        }
    }

    /// True when rows of the segment are to be answered for that the metadata do not know of yet.
    fn is_buffered(&self, id: &SegmentId) -> bool {
        let has_sink = || {
            let replicas = self.replicas.get(id).into_iter().flatten();
            replicas.into_iter().any(|replica| replica.segment.realtime)
        };
        !self.used.contains_key(id)
            && !self.retired.contains(id)
            && (self.handed_over.contains(id) || self.held.contains_key(id) || has_sink())
    }

    fn keep_if_handed_over(&mut self, id: &SegmentId, was_buffered: bool) {
        if was_buffered && !self.is_buffered(id) && self.replicas.contains_key(id) {
            self.handed_over.insert(id.clone());
        }
    }

    /// The buffered segments that overlap an interval, and where.
    pub(crate) fn buffered_within(
        &self,
        interval: Interval,
    ) -> impl Iterator<Item = SegmentDescriptor> {
        self.buffered.iter().filter_map(move |id| {
            let visible = id.interval.intersect(&interval)?;
            Some(SegmentDescriptor { id: id.clone(), visible })
        })
    }

    /// The smallest interval that covers everything to be answered for; `None` when nothing is.
    #[must_use]
    pub(crate) fn span(&self) -> Option<Interval> {
        let buffered = self.buffered.iter().map(|id| id.interval);
        buffered.chain(self.timeline.visible_span()).reduce(|span, other| span.span(&other))
    }

    /// Who announces what.
    pub(super) fn announcements(&self) -> impl Iterator<Item = (&SegmentId, &Replica)> {
        self.replicas.iter().flat_map(|(id, replicas)| replicas.iter().map(move |r| (id, r)))
    }

    /// True when there is nothing to answer for and nobody announces anything.
    pub(super) fn is_empty(&self) -> bool {
        self.replicas.is_empty() && self.used.is_empty() && self.held.is_empty()
    }

    /// True when somebody announces the segment.
    #[must_use]
    pub(crate) fn is_served(&self, id: &SegmentId) -> bool {
        self.replicas.contains_key(id)
    }

    /// What is to be answered for, is not hidden by newer versions, and nobody announces.
    pub(crate) fn unavailable(&self) -> impl Iterator<Item = &SegmentId> {
        self.lost.keys().filter(|id| {
            let is_visible = self.may_have_rows(id) && !self.timeline.is_overshadowed(id);
            is_visible || self.buffered.contains(*id)
        })
    }

    /// False when the segment is known to hold no rows at all.
    #[must_use]
    pub(crate) fn may_have_rows(&self, id: &SegmentId) -> bool {
        self.used.get(id).is_none_or(|used| used.times_ms.is_some())
    }

    /// True when a row of the segment is known to lie in `slice`.
    #[must_use]
    pub(crate) fn has_row_in(&self, id: &SegmentId, slice: Interval) -> bool {
        let times = self.used.get(id).and_then(|used| used.times_ms);
        times.is_some_and(|(min, max)| slice.contains(min) || slice.contains(max))
    }
}
