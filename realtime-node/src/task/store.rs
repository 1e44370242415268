//! Where a task's rows go: without roll-up and metrics straight into the columns of segments, else
//! through the index, which combines rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowSink, index_schema};
use henge_platform::metadata::DeadLetter;
use henge_platform::runtime::{files, random};
use henge_query::ingest::IndexTaskSpec;
use henge_tabular::{ChunkRows, ColumnLoader, LoadOptions};
use henge_types::{ChangeReport, IgnoredFields, ValueRef};

use super::chunks::Chunks;
use super::letters::Letters;
use super::report::{Places, Report};
use crate::error::{RealtimeError, Result};
use crate::options::RealtimeOptions;
use crate::sink::PartFiles;

/// Bytes of chunks that still grow, unless the spec says otherwise or memory is small. Those that are being written
/// come on top, one a thread.
const MAX_OPEN_BYTES: usize = 1536 << 20;
/// Time chunks of one task that goes straight into columns, as a multiple of those of a pushed
/// datasource: complete ones take no memory.
const CHUNKS_FACTOR: usize = 20;

/// The rows of a task.
pub(super) struct Store {
    pub(super) rows: Rows,
    pub(super) folder: PathBuf,
    letters: Letters,
    /// What happened to values and events.
    pub(super) report: Report,
}

/// The two ways of rows.
pub(super) enum Rows {
    Indexed(Box<Chunks>),
    Columns(Box<ColumnLoader>),
}

/// Makes a folder for the files of a task.
pub(super) fn make_folder(spill_dir: &Path) -> Result<PathBuf> {
    let folder = spill_dir.join(format!("task-{:016x}", random::<u64>()));
    files::create_dir_all(&folder).map_err(RealtimeError::io(&folder))?;
    Ok(folder)
}

impl Store {
    pub(super) fn new(
        spec: &IndexTaskSpec,
        dimensions: &[DimensionSchema],
        options: &RealtimeOptions,
        (task_id, folder): (&str, PathBuf),
        limits: &ParseLimits,
    ) -> Self {
        let schema = &spec.data_schema;
        let rows = if schema.granularity_spec.rollup || !schema.metrics_spec.is_empty() {
            let (schema, tuning) = (Arc::new(schema.clone()), &spec.tuning_config);
            Rows::Indexed(Box::new(Chunks::new(schema, dimensions, tuning, options, &folder)))
        } else {
            let max_bytes = spec.tuning_config.max_bytes_in_memory;
            let before_time = schema.dimensions_spec.before_time();
            let load = LoadOptions {
                before_time: before_time.map(str::to_owned).collect(),
                segment_granularity: schema.granularity_spec.segment_granularity.clone(),
                query_granularity: schema.granularity_spec.query_granularity.clone(),
                time_window: (limits.min_time_ms, limits.max_time_ms),
                max_text_bytes: limits.max_string_bytes,
                max_open_bytes: max_bytes
                    .map_or(MAX_OPEN_BYTES, |bytes| bytes as usize)
                    .min(options.max_load_bytes),
                max_chunks: options.max_open_chunks * CHUNKS_FACTOR,
            };
            Rows::Columns(Box::new(ColumnLoader::new(load, dimensions)))
        };
        let letters = Letters::new(task_id, limits.now_ms);
        Self { rows, folder, letters, report: Report::default() }
    }

    /// Makes room: writes indexes to parts, or gives chunks that are to be written.
    pub(super) fn relieve(&mut self, upcoming: Option<(i64, i64)>) -> Result<Vec<ChunkRows>> {
        match &mut self.rows {
            Rows::Indexed(chunks) => chunks.relieve().map(|()| Vec::new()),
            Rows::Columns(loader) => Ok(loader.take_ready(upcoming)),
        }
    }

    /// The refused events of a piece, and into the report what became of its values.
    pub(super) fn end_piece(
        &mut self,
        changes: &ChangeReport,
        ignored: &IgnoredFields,
        places: &Places<'_>,
    ) -> Vec<DeadLetter> {
        self.report.end_piece(changes, ignored, places);
        self.letters.take(places)
    }

    /// How segments are written.
    pub(super) fn files(&self, spec: &IndexTaskSpec, options: &RealtimeOptions) -> PartFiles {
        let dimensions = match &self.rows {
            Rows::Indexed(chunks) => return chunks.files(),
            Rows::Columns(loader) => loader.dimensions(),
        };
        let options = RealtimeOptions { spill_dir: self.folder.clone(), ..options.clone() };
        let schema = &spec.data_schema;
        PartFiles::new(&index_schema(schema, dimensions), &schema.projections, &options)
    }
}

impl RowSink for Store {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        match &mut self.rows {
            Rows::Indexed(chunks) => chunks.row(timestamp_ms, values),
            Rows::Columns(loader) => loader.add_row(timestamp_ms, values),
        }
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.report.refuse(&rejection);
        self.letters.add(&rejection);
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        match &mut self.rows {
            Rows::Indexed(chunks) => chunks.new_dimension(dimension),
            Rows::Columns(loader) => loader.add_dimension(dimension),
        }
    }
}
