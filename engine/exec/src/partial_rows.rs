//! The partials of queries that do not group: rows of scans, hits of searches, analyses of segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_expr::ExprValue;
use henge_types::{ColumnType, Granularity, Interval, MetricSpec, ProjectionDefinition, SegmentId};

use crate::partial::StringKeys;

/// Rows of a scan: one batch a segment, in the order of their segment ids once merged.
#[derive(Debug, Clone, Default)]
pub struct RowsPartial {
    /// One a segment that has rows to show.
    pub batches: Vec<RowBatch>,
}

/// The rows that one segment contributes, column by column.
#[derive(Debug, Clone)]
pub struct RowBatch {
    /// Where the rows come from.
    pub segment: SegmentId,
    /// The columns asked for, in that order.
    pub columns: Vec<RowColumn>,
    /// Number of rows.
    pub row_count: usize,
    /// For scans ordered by time: each row's time, in the query's direction. Empty otherwise.
    pub time_ms: Vec<i64>,
}

/// One column of a batch.
#[derive(Debug, Clone)]
pub struct RowColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type; `None` when the segment lacks the column or the type differs from row to row.
    pub column_type: Option<ColumnType>,
    /// One value a row.
    pub values: RowValues,
}

/// Values of a column of scanned rows.
#[derive(Debug, Clone)]
pub enum RowValues {
    /// Every row is null: the segment lacks the column.
    Null,
    /// LONG, and `__time` as milliseconds.
    Long {
        /// Values.
        values: Vec<i64>,
        /// False where null; `None` when no row is null.
        valid: Option<Vec<bool>>,
    },
    /// FLOAT
    Float {
        /// Values.
        values: Vec<f32>,
        /// False where null; `None` when no row is null.
        valid: Option<Vec<bool>>,
    },
    /// DOUBLE
    Double {
        /// Values.
        values: Vec<f64>,
        /// False where null; `None` when no row is null.
        valid: Option<Vec<bool>>,
    },
    /// STRING, one value a row.
    String(StringKeys),
    /// STRING, several values a row: row `r` holds `keys.ids[offsets[r]..offsets[r + 1]]`.
    Multi {
        /// One more than rows.
        offsets: Vec<usize>,
        /// The elements of all rows.
        keys: StringKeys,
    },
    /// COMPLEX: serialised sketches.
    Complex(Vec<Option<Vec<u8>>>),
    /// Values of an expression, each of its own type.
    Mixed(Vec<ExprValue>),
}

impl RowValues {
    /// Keeps the first rows.
    pub fn truncate(&mut self, row_count: usize) {
        match self {
            Self::Null => {}
            Self::Long { values, valid } => truncate_both(values, valid, row_count),
            Self::Float { values, valid } => truncate_both(values, valid, row_count),
            Self::Double { values, valid } => truncate_both(values, valid, row_count),
            Self::String(keys) => keys.ids.truncate(row_count),
            Self::Multi { offsets, keys } => {
                offsets.truncate(row_count + 1);
                keys.ids.truncate(offsets.last().copied().unwrap_or(0));
            }
            Self::Complex(values) => values.truncate(row_count),
            Self::Mixed(values) => values.truncate(row_count),
        }
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        fn validity(valid: &Option<Vec<bool>>) -> usize {
            valid.as_ref().map_or(0, Vec::len)
        }
        match self {
            Self::Null => 0,
            Self::Long { values, valid } => values.len() * 8 + validity(valid),
            Self::Float { values, valid } => values.len() * 4 + validity(valid),
            Self::Double { values, valid } => values.len() * 8 + validity(valid),
            Self::String(keys) => keys_bytes(keys),
            Self::Multi { offsets, keys } => offsets.len() * 8 + keys_bytes(keys),
            Self::Complex(values) => values.iter().map(|v| complex_bytes(v.as_deref())).sum(),
            Self::Mixed(values) => values.iter().map(expr_bytes).sum(),
        }
    }
}

impl RowBatch {
    /// Keeps the first rows.
    pub fn truncate(&mut self, row_count: usize) {
        if row_count < self.row_count {
            self.row_count = row_count;
            self.time_ms.truncate(row_count);
            for column in &mut self.columns {
                column.values.truncate(row_count);
            }
        }
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.time_ms.len() * 8 + self.columns.iter().map(|c| c.values.memory_bytes()).sum::<usize>()
    }
}

fn truncate_both<T>(values: &mut Vec<T>, valid: &mut Option<Vec<bool>>, row_count: usize) {
    values.truncate(row_count);
    if let Some(valid) = valid {
        valid.truncate(row_count);
    }
}

/// Bytes of memory of a serialised sketch, roughly.
pub(crate) fn complex_bytes(bytes: Option<&[u8]>) -> usize {
    size_of::<Option<Vec<u8>>>() + bytes.map_or(0, <[u8]>::len)
}

fn keys_bytes(keys: &StringKeys) -> usize {
    keys.ids.len() * 4 + keys.ends.len() * 8 + keys.bytes.len()
}

/// Bytes of memory of an expression's value, roughly.
pub(crate) fn expr_bytes(value: &ExprValue) -> usize {
    let inner = match value {
        ExprValue::String(text) => text.len(),
        ExprValue::Array(items) => items.iter().map(expr_bytes).sum(),
        _ => 0,
    };
    size_of::<ExprValue>() + inner
}

/// Values that a search found.
#[derive(Debug, Clone, Default)]
pub struct SearchPartial {
    /// The hits, at most the query's limit a bucket, in the query's order once merged.
    pub hits: Vec<SearchHit>,
    /// The first moment of the data within the query's intervals: the timestamp that granularity
    /// `all` shows.
    pub data_start_ms: Option<i64>,
}

/// A dimension value and the number of rows that hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// Start of the time bucket.
    pub bucket_start_ms: i64,
    /// Output name of the dimension.
    pub dimension: Arc<str>,
    /// The value.
    pub value: Option<String>,
    /// Rows.
    pub count: u64,
}

/// What segmentMetadata says about a segment, or about several merged.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentAnalysis {
    /// The segment's id, `merged` for several.
    pub id: String,
    /// The segments' intervals, when asked for.
    pub intervals: Option<Vec<Interval>>,
    /// Columns by name, in the order of the schema.
    pub columns: Vec<(String, ColumnAnalysis)>,
    /// Bytes, when asked for, else 0.
    pub size_bytes: u64,
    /// Rows.
    pub row_count: u64,
    /// Metrics by name, when asked for. In a lenient merge a metric that segments disagree on is
    /// `None`; in a strict merge all are.
    pub aggregators: Option<BTreeMap<String, Option<MetricSpec>>>,
    /// Granularity of stored timestamps, when asked for and agreed on.
    pub query_granularity: Option<Granularity>,
    /// Whether rows were rolled up, when asked for and agreed on.
    pub rollup: Option<bool>,
    /// Projections by name, with the rows of each, when asked for. Of definitions that differ under
    /// one name only the rows are left.
    pub projections: Option<BTreeMap<String, (Option<ProjectionDefinition>, u64)>>,
}

/// What segmentMetadata says about a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnAnalysis {
    /// Type.
    pub column_type: ColumnType,
    /// Several values a row.
    pub has_multiple_values: bool,
    /// Null occurs.
    pub has_nulls: bool,
    /// Bytes the values would take as text, when asked for, else 0.
    pub size_bytes: u64,
    /// Distinct values (STRING only), when asked for, else 0.
    pub cardinality: Option<u64>,
    /// Smallest value (STRING only), when asked for.
    pub min_value: Option<String>,
    /// Largest value (STRING only), when asked for.
    pub max_value: Option<String>,
    /// Why there is no analysis.
    pub error_message: Option<String>,
}
