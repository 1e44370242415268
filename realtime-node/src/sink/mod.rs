//! A sink: the buffered rows of one time chunk, a write-optimised index in front and persisted parts
//! behind it. Readers see every row once, also while an index turns into a part.

mod part;
mod project;

use std::path::PathBuf;
use std::sync::Arc;

use henge_index::{DimensionSchema, IndexLimits, IndexSchema, IndexSnapshot, WriteIndex};
use henge_platform::metadata::PendingSegment;
use henge_segment::{MappedSegment, SegmentView};
use henge_types::{Interval, SegmentId, ValueRef};
use parking_lot::Mutex;

pub use part::{PartFiles, WrittenSegment};

use crate::error::Result;
use part::Part;

/// The buffered rows of one time chunk.
#[derive(Debug)]
pub struct Sink {
    /// The chunk.
    pub chunk: Interval,
    target: Mutex<PendingSegment>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    schema: IndexSchema,
    limits: IndexLimits,
    live: WriteIndex,
    parts: Vec<Part>,
    next_part: u64,
}

/// An index that takes no more rows and waits to be written as a part.
#[derive(Debug)]
pub struct FrozenIndex {
    /// Number within the sink.
    pub number: u64,
    /// The rows.
    pub snapshot: Arc<IndexSnapshot>,
}

impl Sink {
    /// An empty sink that is to be published as `target`.
    ///
    /// # Errors
    /// When the schema contradicts itself.
    pub fn new(target: PendingSegment, schema: IndexSchema, limits: IndexLimits) -> Result<Self> {
        let chunk = target.id.interval;
        let live = new_index(&schema, limits, chunk)?;
        Ok(Self {
            chunk,
            target: Mutex::new(target),
            state: Mutex::new(State { schema, limits, live, parts: Vec::new(), next_part: 0 }),
        })
    }

    /// What the sink is to be published as.
    #[must_use]
    pub fn target(&self) -> PendingSegment {
        self.target.lock().clone()
    }

    /// Publishes as another segment instead: a task replaced the chunk.
    pub fn retarget(&self, target: PendingSegment) {
        *self.target.lock() = target;
    }

    /// Adds a row. When the index in front is full, it is frozen first (see [`Sink::freeze`]).
    ///
    /// # Errors
    /// When the row is refused; then nothing changed.
    pub fn add(&self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<Option<FrozenIndex>> {
        let mut state = self.state.lock();
        let frozen = if state.live.is_full() { self.freeze_locked(&mut state)? } else { None };
        state.live.add(timestamp_ms, values)?;
        Ok(frozen)
    }

    /// Adds the dimensions beyond those that the sink has; rows so far read null.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn widen(&self, dimensions: &[DimensionSchema]) -> Result<()> {
        let mut state = self.state.lock();
        for dimension in dimensions.iter().skip(state.schema.dimensions.len()) {
            state.live.add_dimension(dimension.clone())?;
            state.schema.dimensions.push(dimension.clone());
        }
        Ok(())
    }

    /// Rows and bytes of the index in front.
    #[must_use]
    pub fn in_memory(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live.row_count(), state.live.memory_bytes())
    }

    /// Views that together hold every row once, at this instant.
    #[must_use]
    pub fn views(&self) -> Vec<Arc<dyn SegmentView>> {
        let id = self.target.lock().id.clone();
        let mut state = self.state.lock();
        let mut views: Vec<Arc<dyn SegmentView>> = state.parts.iter().map(Part::view).collect();
        if state.live.row_count() > 0 {
            views.push(state.live.snapshot(id));
        }
        views
    }

    /// Puts a fresh index in front; the old one waits to be persisted. `None` when it has no rows.
    ///
    /// # Errors
    /// Never in practice: the schema was accepted before.
    pub fn freeze(&self) -> Result<Option<FrozenIndex>> {
        self.freeze_locked(&mut self.state.lock())
    }

    fn freeze_locked(&self, state: &mut State) -> Result<Option<FrozenIndex>> {
        if state.live.row_count() == 0 {
            return Ok(None);
        }
        let fresh = new_index(&state.schema, state.limits, self.chunk)?;
        let mut full = std::mem::replace(&mut state.live, fresh);
        let snapshot = full.snapshot(self.target.lock().id.clone());
        let number = state.next_part;
        state.next_part += 1;
        state.parts.push(Part::Frozen { number, snapshot: Arc::clone(&snapshot) });
        Ok(Some(FrozenIndex { number, snapshot }))
    }

    /// Writes a frozen index as a part and lets go of its memory.
    ///
    /// # Errors
    /// When the part cannot be written; the rows then stay in memory and nothing is lost.
    pub fn persist(&self, frozen: &FrozenIndex, files: &PartFiles) -> Result<()> {
        let id = self.target().id;
        let path = files.part_path(&id, frozen.number);
        let mapped = files.write_part(frozen.snapshot.as_ref(), id, &path)?;
        let mut state = self.state.lock();
        if let Some(part) = state.parts.iter_mut().find(|part| part.number() == frozen.number) {
            *part = Part::Persisted { number: frozen.number, view: mapped, path };
        }
        Ok(())
    }

    /// The whole sink is in one file now: lets go of the index and of the parts. Only for sinks that
    /// take no more rows.
    ///
    /// # Errors
    /// Never in practice: the schema was accepted before.
    pub fn replace_all(&self, view: Arc<MappedSegment>, path: PathBuf) -> Result<()> {
        let mut state = self.state.lock();
        state.live = new_index(&state.schema, state.limits, self.chunk)?;
        let number = state.next_part;
        state.next_part += 1;
        let whole = vec![Part::Persisted { number, view, path }];
        let parts = std::mem::replace(&mut state.parts, whole);
        drop(state);
        remove_files(&parts);
        Ok(())
    }

    /// Forgets the local files of the parts. Readers that still hold them are not disturbed.
    pub fn remove_files(&self) {
        remove_files(&self.state.lock().parts);
    }

    /// Identity of the segment to publish.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.target.lock().id.clone()
    }
}

/// An empty index. Timestamps are not truncated to before the chunk's start.
fn new_index(schema: &IndexSchema, limits: IndexLimits, chunk: Interval) -> Result<WriteIndex> {
    let mut index = WriteIndex::new(schema.clone(), limits)?;
    index.set_min_time_ms(chunk.start_ms);
    Ok(index)
}

fn remove_files(parts: &[Part]) {
    for part in parts {
        if let Part::Persisted { path, .. } = part
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "failed to remove spilled part");
        }
    }
}
