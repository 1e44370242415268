//! Segments of columns that tests fill in by row.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use henge_segment::{ColumnData, MappedSegment, SegmentWriter, WriteOptions};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, SegmentId, SegmentSchema, Version,
};

/// A segment of 1970-01-01 with a row a millisecond and these dimensions beside `__time`.
pub(crate) fn segment<'a>(
    rows: usize,
    dimensions: impl IntoIterator<Item = (&'a str, ColumnData<'a>)>,
) -> MappedSegment {
    let dimensions: Vec<_> = dimensions.into_iter().collect();
    let column = |name: &str, data: &ColumnData<'_>, role| ColumnSchema {
        name: name.to_owned(),
        column_type: match data {
            ColumnData::Long { .. } => ColumnType::Long,
            ColumnData::Float { .. } => ColumnType::Float,
            ColumnData::Double { .. } => ColumnType::Double,
            ColumnData::String { .. } => ColumnType::String,
            _ => panic!("column '{name}' is of another type than tests have needed so far"),
        },
        role,
        multi_value: false,
        has_nulls: true,
    };
    let times: Vec<i64> = (0..rows as i64).collect();
    let time = longs(&times);
    let mut columns = vec![column("__time", &time, ColumnRole::Time)];
    columns.extend(dimensions.iter().map(|(name, data)| column(name, data, ColumnRole::Dimension)));
    let schema = SegmentSchema {
        columns,
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    };
    let interval = Interval { start_ms: 0, end_ms: 86_400_000 };
    let id = SegmentId::new("t", interval, Version(1), 0);
    let options = WriteOptions::default();
    let mut writer = SegmentWriter::new(Vec::new(), id, schema, rows, options).unwrap();
    writer.write_column("__time", time).unwrap();
    for (name, data) in dimensions {
        writer.write_column(name, data).unwrap();
    }
    let (_, bytes) = writer.finish_into().unwrap();
    MappedSegment::open(Arc::new(bytes)).unwrap()
}

/// A LONG column without nulls.
pub(crate) fn longs(values: &[i64]) -> ColumnData<'_> {
    ColumnData::Long { values, nulls: None }
}

/// A DOUBLE column without nulls.
pub(crate) fn doubles(values: &[f64]) -> ColumnData<'_> {
    ColumnData::Double { values, nulls: None }
}
