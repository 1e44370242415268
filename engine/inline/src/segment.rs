//! [`InlineSegment`]: columns in memory as a segment.

use std::sync::Arc;

use henge_exec::{MemoryLease, QueryMemory};
use henge_query::{DataSource, InlineType, Query};
use henge_segment::{ColumnView, Result, SegmentView};
use henge_types::{
    ColumnRole, ColumnSchema, Granularity, Interval, SegmentId, SegmentSchema, TIME_COLUMN, Version,
};
use rustc_hash::FxHashMap;

use crate::values::{Numbers, Values};

/// What the rows are called where a segment's datasource is asked for.
const NAME: &str = "inline";

/// Rows in memory. A clone shares them.
#[derive(Debug, Clone)]
pub struct InlineSegment {
    content: Arc<Content>,
    /// What the rows are said to span, which may be more than they do.
    time_range: Option<(i64, i64)>,
}

#[derive(Debug)]
struct Content {
    id: SegmentId,
    schema: SegmentSchema,
    columns: Vec<Values>,
    /// Where a column is, `__time` included.
    positions: FxHashMap<String, usize>,
    row_count: usize,
    is_time_sorted: bool,
    memory_bytes: usize,
    _held: Option<MemoryLease>,
}

impl InlineSegment {
    /// Rows of these columns, each with as many values. Without `__time` all rows are of 1970; it is not
    /// shown then.
    pub(crate) fn new(
        columns: Vec<(String, Values)>,
        row_count: usize,
        memory: Option<&QueryMemory>,
    ) -> henge_exec::Result<Self> {
        let is_time = |(name, _): &(String, Values)| name == TIME_COLUMN;
        let shows_time = columns.iter().any(is_time);
        let (time, others): (Vec<_>, Vec<_>) = columns.into_iter().partition(is_time);
        let time = time.into_iter().next().map(|(_, values)| values);
        let time = times_of(time, row_count);
        let extent = time.values.iter().min().copied().zip(time.values.iter().max().copied());
        let is_time_sorted = time.values.is_sorted();
        let mut content = Content {
            id: SegmentId::new(NAME, Interval::ETERNITY, Version(0), 0),
            schema: schema_of(shows_time, &others),
            columns: vec![Values::Long(time)],
            positions: FxHashMap::from_iter([(TIME_COLUMN.to_owned(), 0)]),
            row_count,
            is_time_sorted,
            memory_bytes: 0,
            _held: None,
        };
        for (name, values) in others {
            content.positions.insert(name, content.columns.len());
            content.columns.push(values);
        }
        content.memory_bytes = content.columns.iter().map(Values::memory_bytes).sum();
        if let Some(memory) = memory {
            let mut lease = memory.lease();
            lease.set(content.memory_bytes)?;
            content._held = Some(lease);
        }
        Ok(Self { content: Arc::new(content), time_range: extent })
    }

    /// The same rows for a query: rows that are of no segment lie anywhere in time, as far as the answer
    /// tells where its data begin, unless it asks for that alone, or would fill buckets without end.
    #[must_use]
    pub fn for_query(&self, query: &Query) -> Self {
        let bounded = |interval: &Interval| {
            let eternity = Interval::ETERNITY;
            interval.start_ms > eternity.start_ms && interval.end_ms < eternity.end_ms
        };
        let is_everywhere = match query {
            Query::TimeBoundary(_) | Query::Scan(_) => false,
            Query::Search(query) => query.granularity == Granularity::All,
            _ => match query.grouped() {
                Some(grouped) if grouped.has_one_bucket() => true,
                _ => query.base().intervals.iter().all(bounded),
            },
        };
        let eternity = (Interval::ETERNITY.start_ms, Interval::ETERNITY.end_ms - 1);
        let is_everywhere = is_everywhere && self.content.row_count > 0;
        if is_everywhere { self.spanning(Some(eternity)) } else { self.clone() }
    }

    /// The same rows, said to span some time, which they do not go beyond.
    pub(crate) fn spanning(&self, time_range: Option<(i64, i64)>) -> Self {
        Self { content: Arc::clone(&self.content), time_range }
    }

    /// The rows as the data source of a query.
    #[must_use]
    pub fn into_data_source(self) -> DataSource {
        DataSource::Rows(Arc::new(self))
    }

    /// Bytes that the rows take in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.content.memory_bytes
    }

    /// The values of a column.
    pub(crate) fn values(&self, name: &str) -> Option<&Values> {
        let at = *self.content.positions.get(name)?;
        self.content.columns.get(at)
    }

    /// Names and values of the columns that are shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, &Values)> {
        let names = self.content.schema.columns.iter().map(|column| column.name.as_str());
        names.filter_map(|name| Some((name, self.values(name)?)))
    }
}

/// Times of rows; null is 1970.
fn times_of(given: Option<Values>, row_count: usize) -> Numbers<i64> {
    let mut values = match given {
        Some(Values::Long(numbers)) => {
            (0..row_count).map(|row| numbers.get(row).unwrap_or_default()).collect()
        }
        Some(other) => {
            (0..row_count).map(|row| other.expr_value(row).as_long().unwrap_or_default()).collect()
        }
        None => Vec::new(),
    };
    values.resize(row_count, 0);
    Numbers { values, nulls: None }
}

fn schema_of(shows_time: bool, others: &[(String, Values)]) -> SegmentSchema {
    let time = shows_time.then(|| ColumnSchema {
        name: TIME_COLUMN.to_owned(),
        column_type: henge_types::ColumnType::Long,
        role: ColumnRole::Time,
        multi_value: false,
        has_nulls: false,
    });
    let others = others.iter().map(|(name, values)| ColumnSchema {
        name: name.clone(),
        column_type: match values.column_type() {
            InlineType::Stored(column_type) => column_type,
            array @ InlineType::Array(_) => henge_types::ColumnType::Complex(array.to_string()),
        },
        role: ColumnRole::Dimension,
        multi_value: matches!(values, Values::Lists(_)),
        has_nulls: true,
    });
    SegmentSchema {
        columns: time.into_iter().chain(others).collect(),
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    }
}

impl SegmentView for InlineSegment {
    fn id(&self) -> &SegmentId {
        &self.content.id
    }

    fn schema(&self) -> &SegmentSchema {
        &self.content.schema
    }

    fn row_count(&self) -> usize {
        self.content.row_count
    }

    fn time_range(&self) -> Option<(i64, i64)> {
        self.time_range
    }

    fn is_time_sorted(&self) -> bool {
        self.content.is_time_sorted
    }

    fn size_bytes(&self) -> u64 {
        self.content.memory_bytes as u64
    }

    fn column(&self, name: &str) -> Result<Option<ColumnView<'_>>> {
        Ok(self.values(name).map(Values::view))
    }
}
