//! A sink: the buffered rows of one time chunk, a write-optimised index in front and persisted parts
//! behind it. Readers see every row once, also while an index turns into a part.

mod part;
mod project;

use std::path::Path;
use std::sync::Arc;

use henge_index::{
    BatchView, DimensionSchema, IndexError, IndexLimits, IndexSchema, IndexSnapshot, WriteIndex,
};
use henge_platform::discovery::{AnnouncedColumn, AnnouncedSchema};
use henge_platform::metadata::{PendingSegment, UNPLACED};
use henge_platform::runtime::{MemoryAccount, files};
use henge_segment::SegmentView;
use henge_types::{ColumnType, Interval, TIME_COLUMN, ValueRef};
use parking_lot::Mutex;

pub(crate) use part::{PartFiles, WrittenSegment, map_segment, remove_files};

use crate::error::{RealtimeError, Result};
use crate::merging::{MergeGroup, in_groups};
use part::Part;

/// The buffered rows of one time chunk.
#[derive(Debug)]
pub(crate) struct Sink {
    /// The chunk.
    pub(crate) chunk: Interval,
    target: PendingSegment,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Shared by the sinks of a generation: they may be many, and columns may be many.
    schema: Arc<IndexSchema>,
    declared: usize,
    limits: IndexLimits,
    live: WriteIndex,
    parts: Vec<Part>,
    next_part: u64,
    /// The rows are elsewhere: no file of a part is wanted any more.
    let_go: bool,
    /// What frozen indexes are charged to until they are on disk.
    account: MemoryAccount,
}

/// An index that takes no more rows and waits to be written as a part.
#[derive(Debug)]
pub(crate) struct FrozenIndex {
    /// Number within the sink.
    pub(crate) number: u64,
    /// The rows.
    pub(crate) snapshot: Arc<IndexSnapshot>,
}

impl Sink {
    /// An empty sink that is to be published as `target`. The first `declared` dimensions are in its
    /// segments in any case, the others where a row has a value. Frozen indexes are charged to an
    /// account until they are on disk.
    ///
    /// # Errors
    /// When the schema contradicts itself.
    pub(crate) fn new(
        target: PendingSegment,
        schema: Arc<IndexSchema>,
        declared: usize,
        limits: IndexLimits,
        account: &MemoryAccount,
    ) -> Result<Self> {
        let chunk = target.id.interval;
        let live = new_index(&schema, declared, limits, chunk)?;
        let (parts, account) = (Vec::new(), account.clone());
        let (next_part, let_go) = (0, false);
        let state = State { schema, declared, limits, live, parts, next_part, let_go, account };
        Ok(Self { chunk, target, state: Mutex::new(state) })
    }

    /// What the sink is to be published as, when it is placed; what its rows are buffered as.
    #[must_use]
    pub(crate) fn target(&self) -> &PendingSegment {
        &self.target
    }

    /// False when its rows lie in several chunks and are cut by them before they are published.
    #[must_use]
    pub(crate) fn is_placed(&self) -> bool {
        self.target.id.version != UNPLACED
    }

    /// Adds a row. When the index in front is full, it is frozen first (see [`Sink::freeze`]).
    ///
    /// # Errors
    /// When the row is refused; then nothing changed.
    pub(crate) fn add(
        &self,
        timestamp_ms: i64,
        values: &[ValueRef<'_>],
    ) -> Result<Option<FrozenIndex>> {
        let mut state = self.state.lock();
        let frozen = if state.live.is_full() { self.freeze_locked(&mut state)? } else { None };
        state.live.add(timestamp_ms, values)?;
        Ok(frozen)
    }

    /// Adds rows of a batch, which are given by number and ascend. Gives the indexes that became full (see
    /// [`Sink::freeze`]); rows that are refused are told to `refuse`.
    ///
    /// # Errors
    /// When the batch has not the columns of the sink.
    pub(crate) fn add_rows(
        &self,
        batch: &BatchView<'_>,
        rows: &[u32],
        refuse: &mut dyn FnMut(u32, RealtimeError),
    ) -> Result<Vec<FrozenIndex>> {
        let mut frozen = Vec::new();
        let mut left = rows;
        while !left.is_empty() {
            // Queries get in between.
            let mut state = self.state.lock();
            if state.live.is_full() {
                frozen.extend(self.freeze_locked(&mut state)?);
            }
            let mut refuse = |row, error: IndexError| refuse(row, error.into());
            let taken = state.live.add_rows(batch, left, &mut refuse)?;
            left = left.get(taken..).unwrap_or_default();
        }
        Ok(frozen)
    }

    /// Adds the dimensions beyond those that the sink has, and gives them; rows so far read null.
    pub(crate) fn widen(&self, schema: &Arc<IndexSchema>) -> Vec<AnnouncedColumn> {
        let mut state = self.state.lock();
        let known = state.schema.dimensions.len();
        if schema.dimensions.len() > known {
            state.live.widen(schema);
            state.schema = Arc::clone(schema);
        }
        let column = |dimension: &DimensionSchema| AnnouncedColumn {
            name: dimension.name.as_str().into(),
            column_type: dimension.column_type.clone(),
        };
        state.schema.dimensions[known..].iter().map(column).collect()
    }

    /// The columns that its rows may have.
    #[must_use]
    pub(crate) fn columns(&self) -> AnnouncedSchema {
        let state = self.state.lock();
        let IndexSchema { dimensions, metrics, .. } = &*state.schema;
        let dimensions = dimensions.iter().map(|d| (d.name.as_str(), d.column_type.clone()));
        let metrics = metrics.iter().map(|m| (m.name.as_str(), m.kind.column_type()));
        let time = std::iter::once((TIME_COLUMN, ColumnType::Long));
        AnnouncedSchema::of(time.chain(dimensions).chain(metrics))
    }

    /// Rows and bytes of the index in front.
    #[must_use]
    pub(crate) fn in_memory(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.live.row_count(), state.live.memory_bytes())
    }

    /// Views that together hold every row once, at this instant.
    #[must_use]
    pub(crate) fn views(&self) -> Vec<Arc<dyn SegmentView>> {
        let id = self.target.id.clone();
        let mut state = self.state.lock();
        let mut views: Vec<Arc<dyn SegmentView>> = state.parts.iter().map(Part::view).collect();
        if state.live.row_count() > 0 {
            views.push(state.live.snapshot(id));
        }
        views
    }

    /// The views that together hold every row once, in order, in groups that can be merged: each took
    /// at most `max_bytes` as indexes, or is a single view.
    #[must_use]
    pub(crate) fn view_groups(&self, max_bytes: usize) -> Vec<MergeGroup<Arc<dyn SegmentView>>> {
        let id = self.target.id.clone();
        let mut state = self.state.lock();
        let mut views: Vec<(Arc<dyn SegmentView>, usize)> =
            state.parts.iter().map(|part| (part.view(), part.index_bytes())).collect();
        if state.live.row_count() > 0 {
            let bytes = state.live.memory_bytes();
            views.push((state.live.snapshot(id), bytes));
        }
        in_groups(views, max_bytes)
    }

    /// Puts a fresh index in front; the old one waits to be persisted. `None` when it has no rows.
    ///
    /// # Errors
    /// Never in practice: the schema was accepted before.
    pub(crate) fn freeze(&self) -> Result<Option<FrozenIndex>> {
        self.freeze_locked(&mut self.state.lock())
    }

    fn freeze_locked(&self, state: &mut State) -> Result<Option<FrozenIndex>> {
        if state.live.row_count() == 0 {
            return Ok(None);
        }
        let fresh = new_index(&state.schema, state.declared, state.limits, self.chunk)?;
        let mut full = std::mem::replace(&mut state.live, fresh);
        let snapshot = full.snapshot(self.target.id.clone());
        let number = state.next_part;
        state.next_part += 1;
        let mut charge = state.account.nothing();
        charge.force(full.memory_bytes());
        state.parts.push(Part::Frozen { number, snapshot: Arc::clone(&snapshot), charge });
        Ok(Some(FrozenIndex { number, snapshot }))
    }

    /// Writes a frozen index as a part and lets go of its memory.
    ///
    /// # Errors
    /// When the part cannot be written; the rows then stay in memory and nothing is lost.
    pub(crate) fn persist(&self, frozen: &FrozenIndex, files: &PartFiles) -> Result<()> {
        if self.state.lock().let_go {
            return Ok(());
        }
        let id = self.target.id.clone();
        let path = files.part_path(&id, frozen.number);
        let mapped = files.write_part(frozen.snapshot.as_ref(), id, &path)?;
        let mut state = self.state.lock();
        if state.let_go {
            drop(state);
            remove_file(&path);
            return Ok(());
        }
        if let Some(part) = state.parts.iter_mut().find(|part| part.number() == frozen.number) {
            let (number, index_bytes) = (frozen.number, part.index_bytes());
            *part = Part::Persisted { number, index_bytes, view: mapped, path };
        }
        Ok(())
    }

    /// Removes the local files of the parts, also of those that are being written: the rows are
    /// elsewhere. Readers that still hold them are not disturbed.
    pub(crate) fn remove_files(&self) {
        let mut state = self.state.lock();
        state.let_go = true;
        for part in &state.parts {
            if let Part::Persisted { path, .. } = part {
                remove_file(path);
            }
        }
    }
}

/// An empty index. Timestamps are not truncated to before the chunk's start.
fn new_index(
    schema: &Arc<IndexSchema>,
    declared: usize,
    limits: IndexLimits,
    chunk: Interval,
) -> Result<WriteIndex> {
    let mut index = WriteIndex::new(Arc::clone(schema), limits)?;
    index.set_declared(declared);
    index.set_min_time_ms(chunk.start_ms);
    Ok(index)
}

fn remove_file(path: &Path) {
    if let Err(error) = files::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "failed to remove spilled part");
    }
}
