//! Parquet files made in memory, and segments read back as rows.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use bytes::Bytes;
use henge_index::DimensionSchema;
use henge_ingest::{
    FieldValue, ParseLimits, Rejection, RowError, RowOrigin, RowParser, RowSink, TableFields,
};
use henge_query::ingest::{DataSchema, WideNumbers};
use henge_segment::{ColumnView, MappedSegment, MultiScratch, SegmentView, WriteOptions};
use henge_tabular::{
    BatchPlan, ChunkRows, ColumnLoader, LoadOptions, ParquetTable, TimeUnit, WantedField,
};
use henge_types::{Granularity, SegmentId, ValueRef, Version};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

/// The values of a column that are there, and its levels.
pub(crate) struct Column {
    pub(crate) values: Plain,
    pub(crate) definitions: Option<Vec<i16>>,
    pub(crate) repetitions: Option<Vec<i16>>,
}

/// Values by physical type.
pub(crate) enum Plain {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<[u32; 3]>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<Vec<u8>>),
    Fixed(Vec<Vec<u8>>),
}

/// A required column.
pub(crate) fn required(values: Plain) -> Column {
    Column { values, definitions: None, repetitions: None }
}

/// An optional column; `present` says which rows have a value.
pub(crate) fn optional(values: Plain, present: &[bool]) -> Column {
    let definitions = present.iter().map(|present| i16::from(*present)).collect();
    Column { values, definitions: Some(definitions), repetitions: None }
}

pub(crate) fn texts(values: &[&str]) -> Plain {
    Plain::Bytes(values.iter().map(|text| text.as_bytes().to_vec()).collect())
}

/// How a file is written.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) compression: Compression,
    pub(crate) dictionary: bool,
    pub(crate) version: WriterVersion,
}

pub(crate) const DEFAULT: Layout = Layout {
    compression: Compression::UNCOMPRESSED,
    dictionary: true,
    version: WriterVersion::PARQUET_1_0,
};

/// A file of row groups, each with all columns.
pub(crate) fn parquet(schema: &str, groups: &[Vec<Column>], layout: Layout) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(layout.compression)
        .set_dictionary_enabled(layout.dictionary)
        .set_writer_version(layout.version)
        .set_data_page_row_count_limit(64)
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    for group in groups {
        let mut row_group = writer.next_row_group().unwrap();
        for column in group {
            let mut open = row_group.next_column().unwrap().unwrap();
            write(open.untyped(), column);
            open.close().unwrap();
        }
        row_group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn write(writer: &mut ColumnWriter<'_>, column: &Column) {
    let (definitions, repetitions) = (column.definitions.as_deref(), column.repetitions.as_deref());
    macro_rules! put {
        ($writer:expr, $values:expr) => {
            $writer.write_batch($values, definitions, repetitions).map(|_| ()).unwrap()
        };
    }
    let array = |value: &Vec<u8>| ByteArray::from(value.clone());
    match (writer, &column.values) {
        (ColumnWriter::BoolColumnWriter(writer), Plain::Bool(values)) => put!(writer, values),
        (ColumnWriter::Int32ColumnWriter(writer), Plain::Int32(values)) => put!(writer, values),
        (ColumnWriter::Int64ColumnWriter(writer), Plain::Int64(values)) => put!(writer, values),
        (ColumnWriter::FloatColumnWriter(writer), Plain::Float(values)) => put!(writer, values),
        (ColumnWriter::DoubleColumnWriter(writer), Plain::Double(values)) => put!(writer, values),
        (ColumnWriter::Int96ColumnWriter(writer), Plain::Int96(values)) => {
            let values: Vec<Int96> = values.iter().map(|v| Int96::from(v.to_vec())).collect();
            put!(writer, &values);
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Plain::Bytes(values)) => {
            put!(writer, &values.iter().map(array).collect::<Vec<_>>());
        }
        (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Plain::Fixed(values)) => {
            let values: Vec<FixedLenByteArray> =
                values.iter().map(|value| FixedLenByteArray::from(value.clone())).collect();
            put!(writer, &values);
        }
        _ => panic!("the column is of another physical type"),
    }
}

/// A schema with `t` as timestamp.
#[allow(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
pub(crate) fn schema(dimensions: Value) -> Arc<DataSchema> {
    let schema = json!({
        "dataSource": "d",
        "timestampSpec": { "column": "t", "format": "millis" },
        "dimensionsSpec": { "dimensions": dimensions },
        "granularitySpec": { "segmentGranularity": "day", "rollup": false },
    });
    Arc::new(DataSchema::from_value(&schema).unwrap())
}

pub(crate) fn options() -> LoadOptions {
    let limits = ParseLimits::default();
    LoadOptions {
        before_time: Vec::new(),
        segment_granularity: Granularity::parse_name("day").unwrap(),
        query_granularity: Granularity::None,
        time_window: (limits.min_time_ms, limits.max_time_ms),
        max_text_bytes: limits.max_string_bytes,
        max_open_bytes: usize::MAX,
        max_chunks: 1_000,
    }
}

/// Takes rows into a loader and remembers why others were refused.
pub(crate) struct LoaderSink {
    pub(crate) loader: ColumnLoader,
    pub(crate) reasons: Vec<String>,
}

impl RowSink for LoaderSink {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.loader.add_row(timestamp_ms, values)
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        let raw = String::from_utf8_lossy(rejection.raw);
        self.reasons.push(format!("{}: {} [{raw}]", rejection.position, rejection.reason));
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.loader.add_dimension(dimension);
    }
}

/// What a load gave.
pub(crate) struct Loaded {
    /// Rows of the segments, in order.
    pub(crate) rows: Vec<Value>,
    pub(crate) reasons: Vec<String>,
    /// Batches that were taken as a whole.
    pub(crate) whole_batches: usize,
}

/// Loads files, column by column where that is possible, or row by row.
pub(crate) fn load(files: &[Vec<u8>], schema: &Arc<DataSchema>, by_rows: bool) -> Loaded {
    let mut parser = RowParser::new(Arc::clone(schema), ParseLimits::default()).unwrap();
    for file in files {
        let table = ParquetTable::open(Arc::new(Bytes::from(file.clone()))).unwrap();
        for field in table.fields() {
            let needs = table.needs(field, WideNumbers::Text).unwrap();
            parser.discover_field(&field.name, needs);
        }
    }
    let loader = ColumnLoader::new(options(), parser.dimensions());
    let mut sink = LoaderSink { loader, reasons: Vec::new() };
    let mut whole_batches = 0;
    for file in files {
        let table = ParquetTable::open(Arc::new(Bytes::from(file.clone()))).unwrap();
        let names = parser.fields_read();
        let wanted: Vec<WantedField> = names
            .iter()
            .map(|n| WantedField { name: n.clone(), as_text: parser.keeps_text(n) })
            .collect();
        let position = |name: &str| names.iter().position(|n| n == name).unwrap();
        let plan = BatchPlan {
            time: position("t"),
            unit: TimeUnit::Millis,
            dimensions: parser.dimensions().iter().map(|d| position(&d.name)).collect(),
        };
        let mut fields = TableFields::new(names.clone());
        let mut reader = table.read(&wanted, false);
        while let Some(batch) = reader.next_batch().unwrap() {
            if !by_rows && sink.loader.add_batch(&batch, &plan) {
                whole_batches += 1;
                continue;
            }
            parser.begin_rows();
            batch
                .for_each_row(|row, values: &[FieldValue<'_>]| {
                    let raw = || format!("{values:?}");
                    let origin = RowOrigin { offset: row, raw: &raw };
                    parser.parse_row(&mut fields, values, origin, &mut sink)
                })
                .unwrap();
        }
    }
    let rows = sink.loader.finish().into_iter().flat_map(|chunk| segments(chunk, usize::MAX));
    let rows = rows.flat_map(|segment| rows_of(&segment)).collect();
    Loaded { rows, reasons: sink.reasons, whole_batches }
}

/// The segments of a chunk.
pub(crate) fn segments(chunk: ChunkRows, max_rows: usize) -> Vec<MappedSegment> {
    let interval = chunk.interval();
    let mut sorted = chunk.sort(max_rows).unwrap();
    (0..sorted.partitions())
        .map(|partition| {
            let version = Version(1);
            let id = SegmentId {
                datasource: "d".into(),
                interval,
                version,
                partition: partition as u32,
            };
            let mut bytes = Vec::new();
            sorted.write(partition, id, &mut bytes, WriteOptions::default()).unwrap();
            MappedSegment::open(Arc::new(bytes)).unwrap()
        })
        .collect()
}

/// Every row of a segment as an object; null values are left out.
pub(crate) fn rows_of(segment: &MappedSegment) -> Vec<Value> {
    let mut rows = vec![json!({}); segment.row_count()];
    for column in &segment.schema().columns {
        for block in 0..segment.block_count() {
            let first = block * henge_segment::BLOCK_ROWS;
            for row in 0..segment.block_rows(block) {
                let value = value_of(segment, &column.name, block, row);
                if !value.is_null() {
                    rows[first + row][column.name.as_str()] = value;
                }
            }
        }
    }
    rows
}

fn value_of(segment: &MappedSegment, name: &str, block: usize, row: usize) -> Value {
    macro_rules! number {
        ($column:expr) => {{
            let mut scratch = Vec::new();
            let decoded = $column.block(block, &mut scratch).unwrap();
            match decoded.nulls.is_some_and(|mask| mask.is_null(row)) {
                true => Value::Null,
                false => decoded.values.get(row).into(),
            }
        }};
    }
    match segment.column(name).unwrap().unwrap() {
        ColumnView::Long(column) => number!(column),
        ColumnView::Float(column) => number!(column),
        ColumnView::Double(column) => number!(column),
        ColumnView::String(column) => {
            let text = |id: u32| -> Value {
                column.dictionary().get(id).unwrap().map(|text| text.into_owned()).into()
            };
            if column.is_multi_value() {
                let mut scratch = MultiScratch::default();
                let lists = column.multi_block(block, &mut scratch).unwrap();
                return match lists.row(row) {
                    [] => Value::Null,
                    [only] => text(*only),
                    many => many.iter().map(|id| text(*id)).collect(),
                };
            }
            let mut scratch = Vec::new();
            text(column.id_block(block, &mut scratch).unwrap().get(row))
        }
        ColumnView::Complex(_) => Value::Null,
    }
}
