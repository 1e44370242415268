//! What the node announces: buffered rows, and segments in local files until others serve them.
//!
//! A buffered row is visible because it is announced, whatever its id and whatever else lies there
//! (ADR 7), so each is announced under exactly one id at every instant. Segments of a publication
//! are announced as published: the metadata say when they count.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use henge_index::IndexSchema;
use henge_platform::discovery::{
    AnnouncedSchema, AnnouncedSegment, ChangeSet, Discovery, SchemaGrowth, ServerId,
};
use henge_platform::metadata::{PendingSegment, UNPLACED};
use henge_platform::runtime::{CpuPool, random, spawn};
use henge_segment::SegmentView;
use henge_types::{Interval, SegmentId, ShardSpec};
use parking_lot::Mutex;

use crate::error::Result;
use crate::priority::MERGE_PRIORITY;
use crate::sink::{Sink, WrittenSegment};

/// Identities that this node gives out have this bit: those that the metadata give out count from 0.
const LOCAL: u32 = 1 << 31;

/// What is announced.
#[derive(Debug)]
pub(crate) struct Serving {
    server_id: ServerId,
    discovery: Arc<dyn Discovery>,
    /// Removes files.
    pool: CpuPool,
    served: Mutex<HashMap<SegmentId, Served>>,
    /// The last number that was given out.
    unplaced: AtomicU32,
}

/// What answers for an id.
#[derive(Debug, Clone)]
enum Served {
    /// Rows that still come.
    Sink(Arc<Sink>),
    /// Rows in a local file.
    File(Arc<WrittenSegment>),
}

impl Serving {
    /// Nothing announced yet.
    #[must_use]
    pub(crate) fn new(server_id: ServerId, discovery: Arc<dyn Discovery>, pool: CpuPool) -> Self {
        Self {
            server_id,
            discovery,
            pool,
            served: Mutex::default(),
            // Others begin elsewhere, and so does this one when it starts again.
            unplaced: AtomicU32::new(random()),
        }
    }

    /// The node's name.
    #[must_use]
    pub(crate) fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    /// Views that together hold every row of an id once.
    #[must_use]
    pub(crate) fn views(&self, id: &SegmentId) -> Option<Vec<Arc<dyn SegmentView>>> {
        let served = self.served.lock().get(id).cloned()?;
        Some(match served {
            Served::Sink(sink) => sink.views(),
            Served::File(segment) => vec![Arc::clone(&segment.view) as _],
        })
    }

    /// An identity of this node for rows of a bucket that have no place, or several: never published.
    #[must_use]
    pub(crate) fn unplaced(&self, datasource: &Arc<str>, bucket: Interval) -> PendingSegment {
        let partition = self.unplaced.fetch_add(1, Ordering::Relaxed) | LOCAL;
        let datasource = Arc::clone(datasource);
        let id = SegmentId { datasource, interval: bucket, version: UNPLACED, partition };
        PendingSegment { id, shard_spec: ShardSpec::appended(partition) }
    }

    /// Announces a new sink.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub(crate) fn open(&self, sink: &Arc<Sink>) -> Result<()> {
        let PendingSegment { id, shard_spec } = sink.target().clone();
        let announced = announced(id, shard_spec, true, 0, sink.columns());
        self.change(vec![(announced, Served::Sink(Arc::clone(sink)))], &[])
    }

    /// Gives sinks the columns beyond those that they have, and announces those: before a row has one.
    ///
    /// # Errors
    /// When discovery is away.
    pub(crate) fn widen(&self, sinks: &[Arc<Sink>], schema: &Arc<IndexSchema>) -> Result<()> {
        let growth = |sink: &Arc<Sink>| {
            let columns = sink.widen(schema);
            (!columns.is_empty()).then(|| SchemaGrowth { id: sink.target().id.clone(), columns })
        };
        let grow: Vec<SchemaGrowth> = sinks.iter().filter_map(growth).collect();
        if !grow.is_empty() {
            self.discovery.apply(&self.server_id, ChangeSet { grow, ..ChangeSet::default() })?;
        }
        Ok(())
    }

    /// Announces files instead of what so far was buffered under `old`, in one step. They together
    /// hold its rows; only one that holds them all may keep its identity.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub(crate) fn exchange(&self, old: &SegmentId, files: &[Arc<WrittenSegment>]) -> Result<()> {
        debug_assert!(
            files.len() == 1 || files.iter().all(|file| file.published.id != *old),
            "a part of the rows of {old} goes by its identity"
        );
        self.change(files.iter().map(|file| local(file, true)).collect(), std::slice::from_ref(old))
    }

    /// Announces segments that the metadata call used, or soon will.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub(crate) fn announce_published(&self, files: &[Arc<WrittenSegment>]) -> Result<()> {
        self.change(files.iter().map(|file| local(file, false)).collect(), &[])
    }

    /// Withdraws ids, and removes the files that answered for them. Unknown ids are ignored.
    ///
    /// # Errors
    /// When discovery is away; then nothing changed.
    pub(crate) fn withdraw(&self, ids: &[SegmentId]) -> Result<()> {
        let mut served = self.served.lock();
        self.discovery.unannounce(&self.server_id, ids.to_vec())?;
        let gone: Vec<_> = ids.iter().filter_map(|id| served.remove(id)).collect();
        drop(served);
        self.remove(gone);
        Ok(())
    }

    /// Removes files. Nobody waits for it.
    fn remove(&self, gone: Vec<Served>) {
        if !gone.is_empty() {
            let work = move || gone.iter().for_each(Served::remove_files);
            spawn(self.pool.spawn(MERGE_PRIORITY, work));
        }
    }

    /// One change of what is announced. What answered for removed ids, and no longer does, is let go.
    fn change(&self, add: Vec<(AnnouncedSegment, Served)>, remove: &[SegmentId]) -> Result<()> {
        let mut served = self.served.lock();
        // What only changes hands looks the same from outside.
        let stays =
            |id: &SegmentId| remove.contains(id) && add.iter().any(|(new, _)| new.id == *id);
        let new = add.iter().filter(|(announced, _)| !stays(&announced.id));
        let changes = ChangeSet {
            add: new.map(|(announced, _)| announced.clone()).collect(),
            remove: remove.iter().filter(|id| !stays(id)).cloned().collect(),
            grow: Vec::new(),
        };
        if !changes.add.is_empty() || !changes.remove.is_empty() {
            self.discovery.apply(&self.server_id, changes)?;
        }
        let gone: Vec<_> = remove.iter().filter_map(|id| served.remove(id)).collect();
        served.extend(add.into_iter().map(|(announced, by)| (announced.id, by)));
        drop(served);
        self.remove(gone);
        Ok(())
    }
}

impl Served {
    /// Readers that still hold them are not disturbed.
    fn remove_files(&self) {
        match self {
            Self::Sink(sink) => sink.remove_files(),
            Self::File(segment) => segment.remove_file(),
        }
    }
}

fn local(file: &Arc<WrittenSegment>, realtime: bool) -> (AnnouncedSegment, Served) {
    let published = &file.published;
    let (id, shard_spec) = (published.id.clone(), published.shard_spec);
    let columns = file.view.schema().columns.iter();
    let columns = columns.map(|column| (column.name.as_str(), column.column_type.clone()));
    let schema = AnnouncedSchema::of(columns);
    let announced = announced(id, shard_spec, realtime, published.size_bytes, schema);
    (announced, Served::File(Arc::clone(file)))
}

fn announced(
    id: SegmentId,
    shard_spec: ShardSpec,
    realtime: bool,
    size_bytes: u64,
    schema: AnnouncedSchema,
) -> AnnouncedSegment {
    AnnouncedSegment {
        id,
        shard_spec,
        tier: "_realtime".into(),
        priority: -1,
        realtime,
        size_bytes,
        schema: Arc::new(schema),
    }
}
