//! What the node announces: segment ids and the sinks that answer for them.
//!
//! A sink must be visible at every instant, exactly once. While a task replaces a chunk, two
//! versions of it are announced side by side and a query sees one of them whole; the sink is then
//! announced under both, under *transient* ids that are never published.

mod replacement;

use std::collections::HashMap;
use std::sync::Arc;

use henge_platform::discovery::{AnnouncedSegment, ChangeSet, Discovery, ServerId};
use henge_platform::metadata::PendingSegment;
use henge_types::{SegmentId, ShardSpec, Timeline, Version};
use parking_lot::Mutex;

pub use replacement::{ReplacedChunk, Replacement};

use crate::error::Result;
use crate::sink::Sink;

/// Partitions from here on are transient. Published ones are counted from 0 and never get here.
const FIRST_TRANSIENT_PARTITION: u32 = 1 << 30;

/// The announced sinks.
#[derive(Debug)]
pub struct Serving {
    server_id: ServerId,
    discovery: Arc<dyn Discovery>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sinks: HashMap<SegmentId, Arc<Sink>>,
    replacements: Vec<Arc<Replacement>>,
    transient_ids: u32,
}

type Announcement = (SegmentId, ShardSpec);

impl Serving {
    /// Nothing announced yet.
    #[must_use]
    pub fn new(server_id: ServerId, discovery: Arc<dyn Discovery>) -> Self {
        Self { server_id, discovery, state: Mutex::default() }
    }

    /// The node's name.
    #[must_use]
    pub fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    /// The sink that answers for an id.
    #[must_use]
    pub fn sink(&self, id: &SegmentId) -> Option<Arc<Sink>> {
        self.state.lock().sinks.get(id).cloned()
    }

    /// Number of announced sinks.
    #[must_use]
    pub fn sink_count(&self) -> usize {
        let mut addresses: Vec<_> = self.state.lock().sinks.values().map(Arc::as_ptr).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.len()
    }

    /// Announces a new sink: under its target, and under the version that answers for its chunk
    /// now, if that is another one; while a task replaces the chunk, under the coming version.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub fn open(&self, sink: &Arc<Sink>) -> Result<()> {
        let mut state = self.state.lock();
        let target = sink.target();
        let visible = self.visible_version(&target);
        let coming = state.coming(&target.id);
        let mut add = Vec::new();
        match coming {
            // Its target may be newer than the coming version, which it would then hide.
            Some((replacement, core)) => {
                let id = SegmentId { version: visible.unwrap_or(Version(0)), ..target.id.clone() };
                add.push(state.transient(&id, 0));
                add.push(state.transient(&replacement.id_like(&target.id), core));
            }
            None => {
                if let Some(version) = visible.filter(|version| *version != target.id.version) {
                    add.push(state.transient(&SegmentId { version, ..target.id.clone() }, 0));
                }
                add.push((target.id, target.shard_spec));
            }
        }
        self.change(&mut state, sink, add, &[])
    }

    /// Announces a sink under a new target instead of the transient ids of the same version.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub fn retarget(&self, sink: &Arc<Sink>, target: PendingSegment) -> Result<()> {
        let mut state = self.state.lock();
        let version = target.id.version;
        let remove = state.ids_of(sink, |id| id.version == version);
        let add = vec![(target.id.clone(), target.shard_spec)];
        self.change(&mut state, sink, add, &remove)?;
        sink.retarget(target);
        Ok(())
    }

    /// Withdraws sinks under all their ids.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub fn withdraw(&self, withdrawn: &[Arc<Sink>]) -> Result<()> {
        let mut state = self.state.lock();
        let ids: Vec<SegmentId> =
            withdrawn.iter().flat_map(|sink| state.ids_of(sink, |_| true)).collect();
        self.discovery.unannounce(&self.server_id, ids.clone())?;
        for id in &ids {
            state.sinks.remove(id);
        }
        Ok(())
    }

    /// Changes what one sink is announced under, as one change.
    fn change(
        &self,
        state: &mut State,
        sink: &Arc<Sink>,
        add: Vec<Announcement>,
        remove: &[SegmentId],
    ) -> Result<()> {
        let announced = add.iter().map(|(id, shard_spec)| AnnouncedSegment {
            id: id.clone(),
            shard_spec: *shard_spec,
            tier: "_realtime".into(),
            priority: -1,
            realtime: true,
            size_bytes: 0,
        });
        let changes = ChangeSet { add: announced.collect(), remove: remove.to_vec() };
        self.discovery.apply(&self.server_id, changes)?;
        for id in remove {
            state.sinks.remove(id);
        }
        for (id, _) in add {
            state.sinks.insert(id, Arc::clone(sink));
        }
        Ok(())
    }

    /// The version that answers for a chunk now.
    fn visible_version(&self, target: &PendingSegment) -> Option<Version> {
        let snapshot = self.discovery.snapshot();
        let mut timeline = Timeline::new();
        let announced = snapshot.servers.values().flat_map(|segments| segments.values());
        for segment in announced.filter(|s| {
            s.id.datasource == target.id.datasource && s.id.interval.overlaps(&target.id.interval)
        }) {
            timeline.add(segment.id.clone(), segment.shard_spec, ());
        }
        timeline.lookup(target.id.interval).first().map(|holder| holder.version)
    }
}

impl State {
    fn ids_of(&self, sink: &Arc<Sink>, wanted: impl Fn(&SegmentId) -> bool) -> Vec<SegmentId> {
        self.sinks
            .iter()
            .filter(|(id, other)| Arc::ptr_eq(sink, other) && wanted(id))
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// A new transient id in the chunk and version of `like`.
    fn transient(&mut self, like: &SegmentId, core_partitions: u32) -> Announcement {
        let partition = FIRST_TRANSIENT_PARTITION + self.transient_ids;
        self.transient_ids = (self.transient_ids + 1) % FIRST_TRANSIENT_PARTITION;
        let id = SegmentId { partition, ..like.clone() };
        (id, ShardSpec::Numbered { partition, core_partitions })
    }
}
