//! [`World`]: the catalogue and the source of one process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, SchemaRef};
use async_trait::async_trait;
use henge_answer::Form;
use henge_exec::{ExecContext, finalise, merge, run};
use henge_index::{DimensionSchema, IndexLimits, IndexSchema, IndexSnapshot, WriteIndex};
use henge_query::Query;
use henge_segment::SegmentView;
use henge_sql::{Catalog, Column, NativeAnswer, NativeQuery, Result, Source, SqlError, Table};
use henge_types::{
    ColumnType, ErrorClass, Granularity, Interval, SegmentId, TIME_COLUMN, ValueRef, Version,
};
use serde_json::Value;

use crate::datasets;

/// A lookup's entries.
type Entries = Arc<[(String, Option<String>)]>;

/// Datasets, read when they are first asked for.
#[derive(Debug)]
pub(crate) struct World {
    folder: PathBuf,
    names: Vec<String>,
    segments: Mutex<HashMap<String, Arc<IndexSnapshot>>>,
    lookups: HashMap<String, Entries>,
    asked: Mutex<Vec<Value>>,
}

impl World {
    pub(crate) fn new(folder: &Path) -> Self {
        let text = std::fs::read(folder.join("datasets/lookups.json")).unwrap_or_default();
        let lookups: HashMap<String, HashMap<String, Option<String>>> =
            serde_json::from_slice(&text).unwrap_or_default();
        let lookups = lookups.into_iter().map(|(name, map)| (name, map.into_iter().collect()));
        Self {
            folder: folder.to_owned(),
            names: datasets::names(folder),
            segments: Mutex::default(),
            lookups: lookups.collect(),
            asked: Mutex::default(),
        }
    }

    /// The native queries since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn segment(&self, name: &str) -> Option<Arc<IndexSnapshot>> {
        if !self.names.iter().any(|known| known == name) {
            return None;
        }
        let mut segments = self.segments.lock().unwrap();
        let load = || datasets::load(&self.folder, name);
        Some(Arc::clone(segments.entry(name.to_owned()).or_insert_with(load)))
    }

    fn answer(
        &self,
        query: &NativeQuery,
        rows: Option<Arc<IndexSnapshot>>,
    ) -> Result<NativeAnswer> {
        self.asked.lock().unwrap().push(query.json.clone());
        let parsed = Query::from_value(&query.json)
            .map_err(|error| SqlError::new(error.class(), format!("{error} in {}", query.json)))?;
        let segments = match rows {
            Some(rows) => vec![rows],
            None => parsed
                .base()
                .data_source
                .table_names()
                .into_iter()
                .filter_map(|name| self.segment(name))
                .collect(),
        };
        let context = ExecContext::default();
        let failed = |error: henge_exec::ExecError| {
            SqlError::new(error.class(), format!("{error} in {}", query.json))
        };
        let partials = segments
            .iter()
            .map(|segment| run(&parsed, segment.as_ref(), &context))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let merged = merge(&parsed, partials, &context).map_err(failed)?;
        let answer = finalise(&parsed, merged, &context).map_err(failed)?;
        let mut bytes = Vec::new();
        henge_answer::write(&parsed, &answer, Form::Arrow, &mut bytes, &mut |_| Ok(()))
            .map_err(failed)?;
        let batches = read(&bytes)?;
        Ok(NativeAnswer { batches, ..NativeAnswer::default() })
    }
}

fn read(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let internal =
        |error: arrow_schema::ArrowError| SqlError::new(ErrorClass::Internal, error.to_string());
    let reader = StreamReader::try_new(bytes, None).map_err(internal)?;
    reader.collect::<std::result::Result<_, _>>().map_err(internal)
}

impl Catalog for World {
    fn version(&self) -> u64 {
        1
    }

    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        let segment = self.segment(name)?;
        let columns = segment.schema().columns.iter().map(|column| Column {
            name: column.name.clone(),
            column_type: column.column_type.clone(),
            multi_value: column.multi_value,
        });
        Some(Arc::new(Table { name: name.to_owned(), columns: columns.collect() }))
    }

    fn lookup_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lookups.keys().cloned().collect();
        names.sort();
        names
    }

    fn lookup(&self, name: &str) -> Option<Entries> {
        self.lookups.get(name).cloned()
    }
}

#[async_trait]
impl Source for World {
    async fn ask(&self, query: NativeQuery) -> Result<NativeAnswer> {
        self.answer(&query, None)
    }

    async fn ask_over(
        &self,
        query: NativeQuery,
        schema: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<NativeAnswer> {
        self.answer(&query, Some(index(&schema, &rows)))
    }

    async fn system_rows(&self, _: &str) -> Result<Vec<RecordBatch>> {
        Ok(Vec::new())
    }
}

/// Rows as a segment.
fn index(schema: &SchemaRef, batches: &[RecordBatch]) -> Arc<IndexSnapshot> {
    let kept: Vec<usize> =
        (0..schema.fields().len()).filter(|at| schema.field(*at).name() != TIME_COLUMN).collect();
    let dimension = |at: &usize| {
        let field = schema.field(*at);
        let column_type = match field.data_type() {
            DataType::Float32 => ColumnType::Float,
            DataType::Float64 => ColumnType::Double,
            DataType::Int64 | DataType::Boolean | DataType::Timestamp(..) => ColumnType::Long,
            _ => ColumnType::String,
        };
        DimensionSchema::new(field.name(), column_type)
    };
    let columns = IndexSchema {
        dimensions: kept.iter().map(dimension).collect(),
        before_time: Vec::new(),
        metrics: Vec::new(),
        query_granularity: Granularity::None,
        rollup: false,
    };
    let limits = IndexLimits { max_rows: usize::MAX, max_bytes: usize::MAX };
    let mut index = WriteIndex::new(columns, limits).unwrap();
    for batch in batches {
        let time = schema.index_of(TIME_COLUMN).ok();
        for row in 0..batch.num_rows() {
            let time_ms = time.map_or(0, |at| match value(batch.column(at), row) {
                ValueRef::Long(ms) => ms,
                _ => 0,
            });
            let lists: Vec<Option<ArrayRef>> =
                kept.iter().map(|at| list(batch.column(*at), row)).collect();
            let parts: Vec<Vec<Option<&str>>> =
                lists.iter().map(|list| list.as_ref().map(texts).unwrap_or_default()).collect();
            let values: Vec<ValueRef<'_>> = kept
                .iter()
                .zip(lists.iter().zip(&parts))
                .map(|(at, (list, parts))| match list {
                    Some(_) => ValueRef::Multi(parts),
                    None => value(batch.column(*at), row),
                })
                .collect();
            index.add(time_ms, &values).unwrap();
        }
    }
    index.snapshot(SegmentId::new("rows", Interval::ETERNITY, Version(1), 0))
}

fn list(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    let is_list = matches!(array.data_type(), DataType::List(_)) && array.is_valid(row);
    is_list.then(|| array.as_list::<i32>().value(row))
}

fn texts(list: &ArrayRef) -> Vec<Option<&str>> {
    match list.as_string_opt::<i32>() {
        Some(texts) => texts.iter().collect(),
        None => Vec::new(),
    }
}

fn value(array: &ArrayRef, row: usize) -> ValueRef<'_> {
    if array.is_null(row) {
        return ValueRef::Null;
    }
    match array.data_type() {
        DataType::Utf8 => ValueRef::String(array.as_string::<i32>().value(row)),
        DataType::Int64 => ValueRef::Long(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => ValueRef::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            ValueRef::Double(array.as_primitive::<Float32Type>().value(row).into())
        }
        DataType::Boolean => ValueRef::Long(array.as_boolean().value(row).into()),
        DataType::Timestamp(..) => {
            ValueRef::Long(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        _ => ValueRef::Null,
    }
}
