//! What readers see: the index at one moment.

use std::collections::HashMap;
use std::sync::OnceLock;

use henge_segment::metric::Arithmetic;
use henge_segment::{ColumnView, SegmentError, SegmentView};
use henge_types::{SegmentId, SegmentSchema, ValueType};

use crate::numeric::{GrowingNumeric, NumericSnapshot};
use crate::schema::MultiValueHandling;
use crate::string_dimension::{StringDimension, StringSnapshot};

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
    pub(crate) all_null: AllNull,
}

/// Columns of nulls, one a type for all columns without values; made when one is read.
#[derive(Default)]
pub(crate) struct AllNull {
    string: OnceLock<StringSnapshot>,
    long: OnceLock<NumericSnapshot<i64>>,
    float: OnceLock<NumericSnapshot<f32>>,
    double: OnceLock<NumericSnapshot<f64>>,
}

impl AllNull {
    fn view(&self, value_type: ValueType, rows: usize) -> ColumnView<'_> {
        let string = || StringDimension::new(rows, MultiValueHandling::default()).snapshot();
        match value_type {
            ValueType::String => ColumnView::String(self.string.get_or_init(string)),
            ValueType::Long => ColumnView::Long(self.long.get_or_init(|| nulls(rows))),
            ValueType::Float => ColumnView::Float(self.float.get_or_init(|| nulls(rows))),
            ValueType::Double => ColumnView::Double(self.double.get_or_init(|| nulls(rows))),
        }
    }
}

fn nulls<T: Copy + Default>(rows: usize) -> NumericSnapshot<T> {
    GrowingNumeric::new(rows).snapshot()
}

/// A column of a snapshot.
pub(crate) enum SnapshotColumn {
    /// No row has a value.
    Absent(ValueType),
    Kept(Box<dyn ColumnSnapshot>),
}

/// The values of a column of a snapshot.
pub(crate) trait ColumnSnapshot: Send + Sync {
    fn view(&self) -> ColumnView<'_>;
}

impl<T: Arithmetic> ColumnSnapshot for NumericSnapshot<T> {
    fn view(&self) -> ColumnView<'_> {
        T::view(self)
    }
}

impl ColumnSnapshot for StringSnapshot {
    fn view(&self) -> ColumnView<'_> {
        ColumnView::String(self)
    }
}

impl<S: ColumnSnapshot + 'static> From<S> for SnapshotColumn {
    fn from(snapshot: S) -> Self {
        Self::Kept(Box::new(snapshot))
    }
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
            SnapshotColumn::Absent(value_type) => self.all_null.view(*value_type, self.row_count),
            SnapshotColumn::Kept(column) => column.view(),
        }))
    }
}
