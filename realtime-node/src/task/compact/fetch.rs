//! The segments of a part: from deep storage into local files, with the time in which each is read.

use std::collections::HashMap;
use std::sync::Arc;

use henge_compaction::Visible;
use henge_platform::metadata::{PendingSegment, PublishedSegment};
use henge_platform::storage::PushedObject;
use henge_segment::{MappedSegment, MergeOptions, SegmentError, SegmentView, WriteOptions};
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::Compaction;
use super::work::Work;
use crate::error::Result;
use crate::priority::COMPACT_PRIORITY;
use crate::sink::{PartFiles, WrittenSegment, map_segment};

/// Rows to be merged.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// All of its rows are to be merged.
    pub(super) view: Arc<dyn SegmentView>,
    /// The first and the last time of its rows, both inclusive.
    pub(super) times: (i64, i64),
    /// Bytes of the object they are from.
    pub(super) size_bytes: u64,
}

impl Source {
    pub(super) fn rows(&self) -> u64 {
        self.view.row_count() as u64
    }

    /// True when it may have rows in an interval.
    pub(super) fn overlaps(&self, interval: Interval) -> bool {
        self.times.0 < interval.end_ms && self.times.1 >= interval.start_ms
    }
}

impl Compaction {
    /// Gets what queries see of a part: whole segments, and of those that newer ones hide in part the rows
    /// that are seen.
    pub(super) async fn fetch(&mut self, work: &Work) -> Result<Vec<Source>> {
        self.progress.total_bytes += work.unit.size_bytes();
        self.progress.total_rows += work.unit.rows();
        let mut views: HashMap<&SegmentId, Arc<MappedSegment>> = HashMap::new();
        let mut sources = Vec::with_capacity(work.unit.visible.len());
        for (number, Visible { segment, interval }) in work.unit.visible.iter().enumerate() {
            let Some(published) = work.used.get(&segment.id).filter(|_| segment.rows > 0) else {
                continue;
            };
            self.stop.check(&self.id)?;
            let view = match views.get(&segment.id) {
                Some(view) => Arc::clone(view),
                None => {
                    let view = self.fetch_one(published, number).await?;
                    views.insert(&segment.id, Arc::clone(&view));
                    self.progress.processed_bytes += published.size_bytes;
                    self.progress.received += published.row_count;
                    self.show();
                    view
                }
            };
            let Some(times) = view.time_range() else { continue };
            let is_whole = interval.contains(times.0) && interval.contains(times.1);
            let view: Arc<dyn SegmentView> = match is_whole {
                true => view,
                false => self.cut_out(view, *interval, number).await?,
            };
            let size_bytes = published.size_bytes;
            sources.extend(view.time_range().map(|times| Source { view, times, size_bytes }));
        }
        Ok(sources)
    }

    async fn fetch_one(
        &self,
        published: &PublishedSegment,
        number: usize,
    ) -> Result<Arc<MappedSegment>> {
        let path = self.folder.join(format!("input-{number}.segment"));
        let expected =
            PushedObject { size_bytes: published.size_bytes, checksum: published.checksum };
        self.shared.storage.pull(&published.object_key, expected, &path).await?;
        let id = published.id.clone();
        let open = move || -> Result<Arc<MappedSegment>> {
            let segment = map_segment(&path)?;
            match *segment.id() == id {
                true => Ok(segment),
                false => {
                    let reason = format!("the object of '{id}' is '{}'", segment.id());
                    Err(SegmentError::corrupt(reason).into())
                }
            }
        };
        self.shared.ingest_pool.spawn(COMPACT_PRIORITY, open).await?
    }

    /// The rows of a segment that are seen: in this part of its time, a newer version elsewhere.
    async fn cut_out(
        &self,
        segment: Arc<MappedSegment>,
        interval: Interval,
        number: usize,
    ) -> Result<Arc<dyn SegmentView>> {
        let files = PartFiles::of_published(&[], &self.shared.options).in_folder(&self.folder);
        // Files are named by identity, so each slice gets one, and none of those that are merged.
        let partition = number as u32;
        let id = SegmentId { version: Version(1), partition, ..segment.id().clone() };
        let target = PendingSegment { id, shard_spec: ShardSpec::appended(partition) };
        let cut = move || -> Result<WrittenSegment> {
            let options = MergeOptions {
                write: WriteOptions::hot(),
                interval: Some(interval),
                ..MergeOptions::new(segment.schema().clone())
            };
            let views: [Arc<dyn SegmentView>; 1] = [segment];
            files.write_merged(&views, &options, target)
        };
        Ok(self.shared.ingest_pool.spawn(COMPACT_PRIORITY, cut).await??.view as _)
    }
}
