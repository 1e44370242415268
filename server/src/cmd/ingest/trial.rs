//! Reading the sample of a file as a task would read all of it.

use std::sync::Arc;

use anyhow::{Context, Result};
use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowOrigin, RowParser, RowSink, TableFields};
use henge_query::ingest::{DataSchema, IndexTask, InputFormat};
use henge_realtime_node::LocalFile;
use henge_tabular::{DelimitedReader, ParquetTable, WantedField};
use henge_types::ValueRef;
use serde_json::{Value, json};

use super::sample::{Format, Sample};

/// A task that reads in this format, for a look at its values.
///
/// # Errors
/// When the format or the schema is none.
pub(super) fn task(input_format: &Value, schema: &Value) -> Result<IndexTask> {
    let source = json!({ "type": "inline", "data": "" });
    let io =
        json!({ "type": "index_parallel", "inputSource": source, "inputFormat": input_format });
    let spec = json!({ "dataSchema": schema, "ioConfig": io });
    Ok(IndexTask::from_value(&json!({ "type": "index_parallel", "spec": spec }))?)
}

/// Reads a sample once for the types of the columns that its values decide, and once for its rows;
/// gives the dimensions.
///
/// # Errors
/// When it cannot be read at all.
pub(super) fn read(
    sample: &Sample,
    task: &IndexTask,
    sink: &mut dyn RowSink,
) -> Result<Vec<DimensionSchema>> {
    let schema = Arc::new(task.spec.data_schema.clone());
    let format = &task.spec.io_config.input_format;
    let mut surveyor = parser(&schema)?;
    let mut parser = parser(&schema)?;
    if let Some(flatten) = format.flatten() {
        surveyor.set_flattening(flatten);
        parser.set_flattening(flatten);
    }
    surveyor.begin_survey();
    feed(sample, format, &mut surveyor, &mut Nothing)?;
    parser.add_known(&surveyor.discovered());
    feed(sample, format, &mut parser, sink)?;
    Ok(parser.dimensions().to_vec())
}

fn parser(schema: &Arc<DataSchema>) -> Result<RowParser> {
    Ok(RowParser::new(Arc::clone(schema), ParseLimits::default())?)
}

fn feed(
    sample: &Sample,
    format: &InputFormat,
    parser: &mut RowParser,
    sink: &mut dyn RowSink,
) -> Result<()> {
    let context = || format!("read {}", sample.name);
    match (format, sample.format) {
        (_, Format::Parquet) => feed_table(sample, parser, sink),
        (InputFormat::Delimited(format), _) => {
            let mut reader = DelimitedReader::new(format.clone());
            reader.read(&sample.bytes, parser, sink).map(|_| ()).with_context(context)
        }
        _ => parser.parse_batch(&sample.bytes, sink).map(|_| ()).with_context(context),
    }
}

/// The first rows of a Parquet file.
fn feed_table(sample: &Sample, parser: &mut RowParser, sink: &mut dyn RowSink) -> Result<()> {
    let context = || format!("read {}", sample.name);
    let file = LocalFile::open(&sample.path).with_context(context)?;
    let table = ParquetTable::open(Arc::new(file)).with_context(context)?;
    let names: Vec<String> = table.fields().iter().map(|field| field.name.clone()).collect();
    let wanted = names.iter().map(|name| WantedField { name: name.clone(), as_text: false });
    let wanted: Vec<WantedField> = wanted.collect();
    let nested = table.fields().iter().filter(|field| field.is_nested());
    let nested: Vec<String> = nested.map(|field| field.name.clone()).collect();
    let Some(batch) = table.read(&wanted, false).next_batch().with_context(context)? else {
        return Ok(());
    };
    parser.begin_rows();
    let mut fields = TableFields::new(names).with_json(|name| nested.contains(name));
    batch.for_each_row(|offset, values| {
        let origin = RowOrigin { offset, raw: &String::new };
        parser.parse_row(&mut fields, values, origin, sink)
    })?;
    Ok(())
}

/// Takes rows and keeps none.
struct Nothing;

impl RowSink for Nothing {
    fn row(&mut self, _: i64, _: &[ValueRef<'_>]) -> Result<(), RowError> {
        Ok(())
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

/// Whether all of some texts are times of a format.
pub(super) fn are_times(texts: &[String], format: &str) -> bool {
    let Ok(read) = times_read(texts, format) else { return false };
    !texts.is_empty() && read == texts.len() as u64
}

fn times_read(texts: &[String], format: &str) -> Result<u64> {
    let schema = json!({
        "dataSource": "times",
        "timestampSpec": { "column": "t", "format": format },
        "dimensionsSpec": { "dimensions": ["none"] },
    });
    let mut parser = parser(&Arc::new(DataSchema::from_value(&schema)?))?;
    let lines: Vec<String> = texts.iter().map(|text| json!({ "t": text }).to_string()).collect();
    Ok(parser.parse_batch(lines.join("\n").as_bytes(), &mut Nothing)?.accepted)
}
