//! The size of time chunks, where a task leaves it to the times of its input.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowOrigin, RowParser, RowSink, TimesSeen};
use henge_query::ingest::{DataSchema, DimensionsSpec, FlattenSpec, TransformSpec};
use henge_tabular::WantedField;
use henge_types::{Interval, ValueRef};

use super::flattened::{columns_of, read_of};
use super::input::InputRef;
use super::run::Run;
use super::table::{Survey, at, open};
use crate::error::Result;
use crate::priority::LOAD_PRIORITY;

/// Takes rows and keeps their times.
#[derive(Default)]
struct Times(TimesSeen);

impl RowSink for Times {
    fn row(&mut self, timestamp_ms: i64, _: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.0.see(timestamp_ms);
        Ok(())
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

impl Run {
    /// Chooses the size of time chunks by the times of the input; gives the schema that has it, and the
    /// choice in words. Without events it stays what stands in for it.
    pub(super) async fn choose_chunks(
        &mut self,
        inputs: &[InputRef],
        schema: &Arc<DataSchema>,
        survey: &Survey,
        seen: TimesSeen,
    ) -> Result<(Arc<DataSchema>, Option<String>)> {
        let paths: Vec<PathBuf> =
            inputs.iter().filter_map(InputRef::path).map(Into::into).collect();
        let times = match survey.times() {
            _ if seen.rows() > 0 => seen,
            Some(times) if times.rows() > 0 => times,
            _ if survey.row_count == 0 => seen,
            _ => {
                let limits = ParseLimits {
                    now_ms: self.shared.clock.now_ms(),
                    ..self.shared.options.parse_limits.clone()
                };
                let schema = Arc::clone(schema);
                let flatten = self.task.spec.io_config.input_format.flatten();
                let flatten = flatten.cloned().unwrap_or_default();
                let work = move || read_times(&paths, &schema, &limits, &flatten);
                self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await??
            }
        };
        let replaced = self.smallest_replaced().await?;
        let mut chosen = DataSchema::clone(schema);
        let spec = &mut chosen.granularity_spec;
        spec.is_automatic = false;
        let reason = times.choose_chunks(replaced).map(|found| {
            spec.segment_granularity = found.granularity;
            found.reason
        });
        self.task.spec.data_schema.granularity_spec = spec.clone();
        Ok((Arc::new(chosen), reason))
    }

    /// The smallest time chunk of what is published of the datasource, when the task replaces some of it.
    async fn smallest_replaced(&self) -> Result<Option<Interval>> {
        if self.task.spec.io_config.append_to_existing {
            return Ok(None);
        }
        let name = &self.task.spec.data_schema.data_source;
        let used = self.shared.metadata.used_segments().await?.segments;
        let own = used.iter().filter(|segment| *segment.id.datasource == **name);
        Ok(own.map(|segment| segment.id.interval).min_by_key(Interval::duration_ms))
    }
}

/// Reads nothing but the column of the timestamps, and what it is made of.
fn read_times(
    paths: &[PathBuf],
    schema: &DataSchema,
    limits: &ParseLimits,
    flatten: &FlattenSpec,
) -> Result<TimesSeen> {
    let name = schema.timestamp_spec.column.clone();
    let mut alone = schema.clone();
    alone.dimensions_spec = DimensionsSpec::default();
    alone.metrics_spec = Vec::new();
    alone.projections = Vec::new();
    alone.transform_spec = TransformSpec::default();
    let mut flatten = flatten.clone();
    flatten.fields.retain(|field| field.name == name);
    let mut parser = RowParser::new(Arc::new(alone), limits.clone())?;
    parser.set_flattening(&flatten);
    let mut times = Times::default();
    for path in paths {
        read_file(path, &name, &flatten, &mut parser, &mut times)?;
    }
    Ok(times.0)
}

fn read_file(
    path: &Path,
    name: &str,
    flatten: &FlattenSpec,
    parser: &mut RowParser,
    times: &mut Times,
) -> Result<()> {
    let table = open(path)?;
    let names = read_of(&table, vec![name.to_owned()], flatten);
    let wanted = names.iter().map(|name| WantedField { name: name.clone(), as_text: false });
    let wanted: Vec<WantedField> = wanted.collect();
    let mut fields = columns_of(&table, names);
    let mut reader = table.read(&wanted, false);
    while let Some(batch) = reader.next_batch().map_err(at(path))? {
        parser.begin_rows();
        batch.for_each_row(|offset, values| {
            let origin = RowOrigin { offset, raw: &String::new };
            parser.parse_row(&mut fields, values, origin, times)
        })?;
    }
    Ok(())
}
