//! What readers see: the index at one moment.

use std::collections::HashMap;

use henge_segment::{ColumnView, ComplexColumn, SegmentError, SegmentView};
use henge_types::{SegmentId, SegmentSchema};

use crate::numeric::NumericSnapshot;
use crate::string_dimension::StringSnapshot;

/// The rows of an index at one moment. It never changes.
pub struct IndexSnapshot {
    pub(crate) id: SegmentId,
    pub(crate) schema: SegmentSchema,
    pub(crate) row_count: usize,
    pub(crate) event_count: u64,
    pub(crate) time_range: Option<(i64, i64)>,
    pub(crate) max_event_time_ms: Option<i64>,
    pub(crate) is_time_sorted: bool,
    pub(crate) size_bytes: usize,
    pub(crate) columns: HashMap<String, SnapshotColumn>,
}

/// A column of a snapshot.
pub(crate) enum SnapshotColumn {
    Long(NumericSnapshot<i64>),
    Float(NumericSnapshot<f32>),
    Double(NumericSnapshot<f64>),
    String(StringSnapshot),
    Complex(Box<dyn ComplexColumn>),
}

impl IndexSnapshot {
    /// Events that the rows were made of.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.event_count
    }

    /// The newest event's time, not truncated.
    #[must_use]
    pub fn max_event_time_ms(&self) -> Option<i64> {
        self.max_event_time_ms
    }
}

impl std::fmt::Debug for IndexSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexSnapshot")
            .field("id", &self.id)
            .field("row_count", &self.row_count)
            .field("columns", &self.schema.columns.len())
            .finish_non_exhaustive()
    }
}

impl SegmentView for IndexSnapshot {
    fn id(&self) -> &SegmentId {
        &self.id
    }

    fn schema(&self) -> &SegmentSchema {
        &self.schema
    }

    fn row_count(&self) -> usize {
        self.row_count
    }

    fn time_range(&self) -> Option<(i64, i64)> {
        self.time_range
    }

    fn is_time_sorted(&self) -> bool {
        self.is_time_sorted
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes as u64
    }

    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>, SegmentError> {
        Ok(self.columns.get(name).map(|column| match column {
            SnapshotColumn::Long(column) => ColumnView::Long(column),
            SnapshotColumn::Float(column) => ColumnView::Float(column),
            SnapshotColumn::Double(column) => ColumnView::Double(column),
            SnapshotColumn::String(column) => ColumnView::String(column),
            SnapshotColumn::Complex(column) => ColumnView::Complex(&**column),
        }))
    }
}
