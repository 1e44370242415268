//! [`Answer`]: finished rows as named columns, whatever they are written as.

use std::sync::Arc;

use henge_scan::Result;
use henge_types::TIME_COLUMN;
use henge_vector::Column;

use crate::finalise::field_type::FieldType;
use crate::finalise::fields::Frame;
use crate::finalise::scan::ScanRows;
use crate::partial_rows::SegmentAnalysis;

/// A finished answer.
#[derive(Debug, Clone)]
pub enum Answer {
    /// timeseries and groupBy: rows in their order. timeBoundary and dataSourceMetadata: a row of times
    /// when there is data.
    Rows(Table),
    /// topN and search: rows by time bucket.
    Buckets(BucketedRows),
    /// scan: rows as the segments gave them.
    Scan(ScanRows),
    /// segmentMetadata: one a segment, or one for all.
    SegmentMetadata(Vec<SegmentAnalysis>),
}

impl Answer {
    /// Number of rows: buckets of a timeseries, groups of topN and groupBy, rows of a scan, hits of
    /// a search, entries of the others.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match self {
            Self::Rows(table) => table.row_count(),
            Self::Buckets(rows) => rows.table.row_count(),
            Self::Scan(rows) => rows.row_count(),
            Self::SegmentMetadata(analyses) => analyses.len(),
        }
    }
}

/// Rows, column by column.
#[derive(Debug, Clone)]
pub struct Table {
    fields: Vec<Field>,
    row_count: usize,
}

impl Table {
    /// Fields of so many rows each.
    pub(crate) fn new(fields: Vec<Field>, row_count: usize) -> Self {
        Self { fields, row_count }
    }

    /// All fields of a frame's rows, the rows' times before them where rows have one.
    pub(crate) fn of(times: Option<Column>, frame: Frame<'_>) -> Result<Self> {
        let row_count = frame.rows().len();
        let mut fields: Vec<Field> =
            times.map(|times| Field::time(TIME_COLUMN, times)).into_iter().collect();
        let output = frame.into_output()?.into_iter();
        fields.extend(output.map(|(name, values)| Field::new(name, values)));
        Ok(Self { fields, row_count })
    }

    /// The fields, in the order of output. Where rows are of time buckets, the first is
    /// [`TIME_COLUMN`]: the bucket's start, null for a grand total.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.row_count
    }
}

/// A named column of an answer.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// True for LONGs that are points in time, in milliseconds since 1970 UTC.
    pub is_time: bool,
    /// One value a row.
    pub values: Column,
}

impl Field {
    pub(crate) fn new(name: &str, values: Column) -> Self {
        Self { name: Arc::from(name), is_time: false, values }
    }

    pub(crate) fn time(name: &str, values: Column) -> Self {
        Self { name: Arc::from(name), is_time: true, values }
    }

    /// The type of the values. Where each has its own, all are looked at.
    #[must_use]
    pub fn field_type(&self) -> FieldType {
        if self.is_time { FieldType::Time } else { FieldType::of(&self.values) }
    }
}

/// Rows by time bucket.
#[derive(Debug, Clone)]
pub struct BucketedRows {
    /// All rows, bucket after bucket.
    pub table: Table,
    /// The buckets, those without rows that are shown nevertheless among them.
    pub buckets: Vec<Bucket>,
}

/// A time bucket of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its start, in milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// Where its rows end in the table; they begin where those of the bucket before end.
    pub end_row: usize,
}

impl BucketedRows {
    /// The rows of these buckets, in their order.
    pub(crate) fn new(buckets: Vec<Bucket>, frame: Frame<'_>) -> Result<Self> {
        let table = Table::of(Some(times_of(&buckets)), frame)?;
        Ok(Self { table, buckets })
    }
}

/// The start of each row's bucket.
pub(crate) fn times_of(buckets: &[Bucket]) -> Column {
    let mut times = Vec::with_capacity(buckets.last().map_or(0, |last| last.end_row));
    for bucket in buckets {
        times.resize(bucket.end_row, bucket.start_ms);
    }
    Column::longs(times, None)
}
