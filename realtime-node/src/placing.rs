//! Cutting rows by the chunks that lie where they are (ADR 7): for what is to be published and has
//! no place, or lost it to somebody who replaced or dropped meanwhile.

use std::sync::Arc;

use henge_platform::metadata::Allocation;
use henge_segment::{ColumnView, SegmentView};
use henge_types::{Granularity, Interval, TIME_COLUMN};

use crate::error::Result;
use crate::shared::Shared;
use crate::sink::{PartFiles, WrittenSegment, remove_files};

/// How rows of one datasource find their chunks.
pub(crate) struct Placing<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) datasource: &'a str,
    /// Of the schema: what is wanted where nothing lies.
    pub(crate) granularity: &'a Granularity,
    pub(crate) files: &'a PartFiles,
    /// Of the work on the ingestion's CPU threads.
    pub(crate) priority: i32,
}

impl Placing<'_> {
    /// Writes the rows of a segment anew, as one segment a slice of time that one chunk takes. The
    /// segment itself stays as it is.
    ///
    /// # Errors
    /// When the metadata store fails or a file cannot be written; then nothing is left behind.
    pub(crate) async fn place(
        &self,
        segment: &Arc<WrittenSegment>,
    ) -> Result<Vec<Arc<WrittenSegment>>> {
        let mut pieces = Vec::new();
        let placed = self.place_into(segment, &mut pieces).await;
        if let Err(error) = placed {
            remove_files(&self.shared.ingest_pool, pieces).await;
            return Err(error);
        }
        Ok(pieces)
    }

    async fn place_into(
        &self,
        segment: &Arc<WrittenSegment>,
        pieces: &mut Vec<Arc<WrittenSegment>>,
    ) -> Result<()> {
        let view = Arc::clone(&segment.view);
        let pool = &self.shared.ingest_pool;
        let times = pool.spawn(self.priority, move || sorted_times(view.as_ref())).await??;
        let mut next = 0;
        while let Some(&start_ms) = times.get(next) {
            let moment = Interval { start_ms, end_ms: start_ms.saturating_add(1) };
            let bucket = self.granularity.bucket(start_ms);
            let (metadata, owner) = (&self.shared.metadata, self.shared.serving.server_id());
            let Allocation { segment: target, slice } =
                metadata.allocate_segment(owner, self.datasource, moment, bucket).await?;
            let end = times.partition_point(|time| *time < slice.end_ms);
            let (whole, files) = (next == 0 && end == times.len(), self.files.clone());
            let segment = Arc::clone(segment);
            let write = move || {
                if whole {
                    return files.copy_as(&segment, target);
                }
                let views = [Arc::clone(&segment.view) as Arc<dyn SegmentView>];
                // What lies there may have changed since the last slice: rows before are placed.
                let rest = Interval { start_ms, ..slice };
                files.write_within(&views, Some(rest), target)
            };
            pieces.push(Arc::new(pool.spawn(self.priority, write).await??));
            next = end;
        }
        Ok(())
    }
}

/// The times of all rows of a view, ascending.
pub(crate) fn sorted_times(view: &dyn SegmentView) -> Result<Vec<i64>> {
    let mut times = Vec::with_capacity(view.row_count());
    if let Some(ColumnView::Long(column)) = view.column(TIME_COLUMN)? {
        let mut scratch = Vec::new();
        for block in 0..view.block_count() {
            let decoded = column.block(block, &mut scratch)?;
            times.extend((0..view.block_rows(block)).map(|row| decoded.values.get(row)));
        }
    }
    times.sort_unstable();
    Ok(times)
}
