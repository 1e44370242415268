//! A loaded segment as queries see it: it is opened when the first of it is read, and stays open as long as
//! the query holds it.

use std::sync::{Arc, OnceLock};

use henge_segment::{ColumnView, MappedSegment, Projection, Result, SegmentError, SegmentView};
use henge_types::{ErrorClass, Granularity, SegmentId, SegmentSchema};

use crate::error::HistoricalError;
use crate::open::OpenSegment;
use crate::{Loaded, Serving};

/// What is seen of the schema before the segment is open.
static UNKNOWN: SegmentSchema = SegmentSchema {
    columns: Vec::new(),
    metrics: Vec::new(),
    rollup: false,
    query_granularity: Granularity::None,
};

/// A loaded segment of one query.
#[derive(Debug)]
pub(crate) struct LazySegment {
    serving: Arc<Serving>,
    loaded: Arc<Loaded>,
    opened: OnceLock<Arc<OpenSegment>>,
}

impl LazySegment {
    pub(crate) fn new(serving: &Arc<Serving>, loaded: &Arc<Loaded>) -> Self {
        let (serving, loaded) = (Arc::clone(serving), Arc::clone(loaded));
        Self { serving, loaded, opened: OnceLock::new() }
    }

    fn open(&self) -> Result<&MappedSegment> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = self.serving.open_current(&self.loaded).map_err(unreadable)?;
        Ok(self.opened.get_or_init(|| opened))
    }

    fn known(&self) -> Option<&MappedSegment> {
        self.opened.get().map(|opened| &***opened)
    }
}

/// What is wrong with a file is wrong with the segment; a disk that fails is something else.
fn unreadable(error: HistoricalError) -> SegmentError {
    match error {
        HistoricalError::Segment(error) => error,
        HistoricalError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => {
            SegmentError::Io(source)
        }
        other @ HistoricalError::Io { .. } => SegmentError::corrupt(other.to_string()),
        other if other.class() == ErrorClass::Corrupt => SegmentError::corrupt(other.to_string()),
        other => SegmentError::Io(std::io::Error::other(other.to_string())),
    }
}

impl SegmentView for LazySegment {
    fn id(&self) -> &SegmentId {
        &self.loaded.segment.id
    }

    fn schema(&self) -> &SegmentSchema {
        self.known().map_or(&UNKNOWN, MappedSegment::schema)
    }

    fn row_count(&self) -> usize {
        usize::try_from(self.loaded.segment.row_count).unwrap_or(usize::MAX)
    }

    fn time_range(&self) -> Option<(i64, i64)> {
        let segment = &self.loaded.segment;
        let recorded =
            (segment.row_count > 0).then_some((segment.min_time_ms, segment.max_time_ms));
        self.known().map_or(recorded, MappedSegment::time_range)
    }

    fn is_time_sorted(&self) -> bool {
        self.known().is_some_and(MappedSegment::is_time_sorted)
    }

    fn size_bytes(&self) -> u64 {
        self.known().map_or(self.loaded.segment.size_bytes, MappedSegment::size_bytes)
    }

    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>> {
        self.open()?.column(name)
    }

    fn ready(&self) -> Result<()> {
        self.open().map(|_| ())
    }

    fn locate(&self, error: SegmentError) -> SegmentError {
        match self.known() {
            Some(opened) => opened.locate(error),
            None => error,
        }
    }

    fn projections(&self) -> &[Projection] {
        self.known().map_or(&[], MappedSegment::projections)
    }
}
