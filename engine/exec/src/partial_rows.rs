//! The partials of queries that do not group: rows of scans, hits of searches, analyses of segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_types::{ColumnType, Granularity, Interval, MetricSpec, ProjectionDefinition, SegmentId};
use henge_vector::Column;
use serde::{Deserialize, Serialize};

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
    /// For scans ordered by time alone: each row's time, in the query's direction. Empty otherwise;
    /// rows of other orders are compared by their columns.
    pub time_ms: Vec<i64>,
}

/// One column of a batch.
#[derive(Debug, Clone)]
pub struct RowColumn {
    /// Its name.
    pub name: Arc<str>,
    /// Its type; `None` when the segment lacks the column or the type differs from row to row.
    pub column_type: Option<ColumnType>,
    /// One value a row: null where the segment lacks the column.
    pub values: Column,
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

impl SearchHit {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.value.as_ref().map_or(0, String::len)
    }
}

/// What segmentMetadata says about a segment, or about several merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl SegmentAnalysis {
    /// Bytes of memory, roughly. Names dominate: metrics are counted as their names and a constant.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        const METRIC_BYTES: usize = 128;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let columns = self.columns.iter().map(|(name, column)| {
            name.len()
                + size_of_val(column)
                + text(&column.min_value)
                + text(&column.max_value)
                + text(&column.error_message)
        });
        let metrics = self.aggregators.iter().flatten();
        size_of::<Self>()
            + self.id.len()
            + columns.sum::<usize>()
            + metrics.map(|(name, _)| name.len() + METRIC_BYTES).sum::<usize>()
    }
}

/// What segmentMetadata says about a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
