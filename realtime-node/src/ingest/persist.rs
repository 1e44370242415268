//! Indexes that are full, or take memory that others need, become parts on disk.

use henge_platform::runtime::spawn;
use std::sync::Arc;

use super::writer::Writer;
use crate::error::{RealtimeError, Result};
use crate::index_memory::IndexMemory;
use crate::priority::MERGE_PRIORITY;
use crate::sink::{FrozenIndex, Sink};

/// A sink that holds less keeps as much once its rows are on disk.
const SMALL_SINK_BYTES: usize = 32 << 10;

/// An index that takes no more rows, with its sink.
pub(super) type Frozen = (Arc<Sink>, FrozenIndex);

impl Writer {
    /// Starts writing full indexes to parts; waits only when too many are under way. All are full
    /// when memory is short and it is worth it.
    pub(super) async fn persist_what_is_full(&mut self, frozen: Vec<Frozen>) -> Result<()> {
        let (rows, bytes) = self.generation.in_memory();
        let (options, memory) = (&self.shared.options, &self.shared.index_memory);
        let is_short = memory.is_tight() && IndexMemory::is_worth_writing(bytes);
        let are_full =
            is_short || rows >= options.max_rows_in_memory || bytes >= options.max_bytes_in_memory;
        if are_full {
            return self.persist_all(frozen).await;
        }
        self.note_memory(bytes);
        self.persist(frozen).await
    }

    async fn persist_all(&mut self, mut frozen: Vec<Frozen>) -> Result<()> {
        for sink in self.generation.sinks.values() {
            frozen.extend(sink.freeze()?.map(|index| (Arc::clone(sink), index)));
        }
        let (_, bytes) = self.generation.in_memory();
        self.note_memory(bytes);
        self.persist(frozen).await
    }

    fn note_memory(&mut self, bytes: usize) {
        self.generation.held.force(bytes);
        self.memory.note(bytes);
    }

    /// Others have no room: writes rows to disk, or hands off many sinks that hold little each, which
    /// would hold as much without their rows.
    pub(super) async fn relieve(&mut self) {
        let (_, bytes) = self.generation.in_memory();
        let sinks = self.generation.sinks.len();
        if sinks > 0 && bytes / sinks < SMALL_SINK_BYTES && self.handoff.has_room() {
            self.close(None);
        } else if let Err(error) = self.persist_all(Vec::new()).await {
            tracing::error!(datasource = %self.datasource, %error, "failed to free memory");
        }
    }

    async fn persist(&self, frozen: Vec<Frozen>) -> Result<()> {
        let files = self.generation.part_files(&self.shared.options);
        for (sink, index) in frozen {
            let closed = |_| RealtimeError::Unavailable("ingestion is shutting down".into());
            let place = Arc::clone(&self.persists).acquire_owned().await.map_err(closed)?;
            let files = files.clone();
            let task = self.shared.ingest_pool.spawn(MERGE_PRIORITY, move || {
                let _place = place;
                if let Err(error) = sink.persist(&index, &files) {
                    tracing::error!(segment = %sink.target().id, %error, "failed to persist, rows stay in memory");
                }
            });
            spawn(task);
        }
        Ok(())
    }
}
