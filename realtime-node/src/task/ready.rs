//! Chunks whose rows are all read: what is to be published, before it has an identity.

use std::sync::Arc;

use henge_index::{IndexLimits, IndexSchema, WriteIndex};
use henge_platform::metadata::PendingSegment;
use henge_segment::SegmentView;
use henge_types::Interval;

use super::chunks::Chunk;
use super::pieces::overlaps;
use crate::error::Result;
use crate::sink::{PartFiles, Sink, WrittenSegment};

/// One time chunk.
pub(super) struct ReadyChunk {
    pub(super) interval: Interval,
    pub(super) partitions: Vec<ReadyRows>,
}

/// The rows of one segment to be.
pub(super) enum ReadyRows {
    /// Some of the views of a sink: indexes and their parts.
    Indexed { sink: Arc<Sink>, views: Vec<Arc<dyn SegmentView>> },
    /// None, in these columns.
    Empty(Arc<IndexSchema>),
    /// Written, all but the identity.
    Written(WrittenSegment),
    /// The rows of an interval of several files.
    Merge { segments: Arc<Vec<WrittenSegment>>, interval: Interval },
}

impl ReadyChunk {
    /// A chunk whose segments are merged from at most `max_bytes` of indexes each.
    pub(super) fn of(chunk: Chunk, max_bytes: usize) -> Self {
        let sinks = chunk.partitions.into_iter().map(|partition| Arc::new(partition.sink));
        let rows = sinks.flat_map(|sink| {
            let groups = sink.view_groups(max_bytes).into_iter();
            groups.map(move |group| ReadyRows::Indexed {
                sink: Arc::clone(&sink),
                views: group.items,
            })
        });
        Self { interval: chunk.interval, partitions: rows.collect() }
    }
}

impl ReadyRows {
    /// Writes the segment that is to be published as `target`.
    pub(super) fn write(self, target: PendingSegment, files: &PartFiles) -> Result<WrittenSegment> {
        match self {
            Self::Indexed { sink, views } => {
                let written = files.write_segment(&views, target)?;
                drop(views);
                // The last of its segments.
                if let Some(sink) = Arc::into_inner(sink) {
                    sink.remove_files();
                }
                Ok(written)
            }
            Self::Empty(columns) => {
                let (id, limits) = (target.id.clone(), IndexLimits { max_rows: 1, max_bytes: 1 });
                let snapshot = WriteIndex::new(columns, limits)?.snapshot(id);
                files.write_segment(&[snapshot], target)
            }
            Self::Written(segment) => {
                let copy = files.copy_as(&segment, target)?;
                segment.remove_file();
                Ok(copy)
            }
            Self::Merge { segments, interval } => {
                let inside = segments.iter().filter(|segment| overlaps(segment, interval));
                let views: Vec<Arc<dyn SegmentView>> =
                    inside.map(|segment| Arc::clone(&segment.view) as _).collect();
                files.write_within(&views, Some(interval), target)
            }
        }
    }
}
