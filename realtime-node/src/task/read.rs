//! Reading a task's inputs, piece by piece, while the chunks that are complete are written.

use std::path::PathBuf;
use std::sync::Arc;

use henge_ingest::{BatchCounts, ParseLimits, RowParser};
use henge_platform::metadata::DeadLetter;
use henge_query::closest_name;
use henge_query::ingest::{DataSchema, InputFormat, InputSource};
use henge_tabular::ChunkRows;

use super::input::{self, InputRef};
use super::pieces::{PieceLimits, Pieces};
use super::ready::ReadyChunk;
use super::report::Places;
use super::roots::LocalRoots;
use super::run::Run;
use super::store::{Rows, Store, make_folder};
use super::table::{Survey, TableInput, survey};
use super::text::TextInput;
use crate::error::{RealtimeError, Result};
use crate::priority::LOAD_PRIORITY;

/// What a task reads and has read so far.
pub(super) struct Reading {
    pub(super) store: Store,
    parser: RowParser,
    schema: Arc<DataSchema>,
    inputs: Vec<InputRef>,
    survey: Survey,
}

/// An input of any format.
enum Source {
    Text(Box<TextInput>),
    Table(Box<TableInput>),
}

/// What came of one piece.
struct Piece {
    counts: BatchCounts,
    stored_bytes_read: u64,
    /// Refused events.
    letters: Vec<DeadLetter>,
    /// Chunks that are to be written.
    ready: Vec<ChunkRows>,
}

impl Run {
    /// Opens the inputs as far as the schema depends on them.
    pub(super) async fn start_reading(&mut self) -> Result<Reading> {
        let mut spec = self.task.spec.clone();
        let source = spec.io_config.input_source.clone();
        let fetched = match &source {
            InputSource::Uploaded { files } => Some(self.fetch_uploads(files).await?),
            InputSource::Inline { .. } | InputSource::Local { .. } => None,
        };
        let options = &self.shared.options;
        let (allowed, own) = (options.local_roots.clone(), options.own_files.clone());
        let work = move || match fetched {
            Some(files) => input::open_files(files),
            None => input::open_all(&source, &LocalRoots::new(&allowed, &own)),
        };
        let (inputs, total_bytes) = self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await??;
        self.progress.total_bytes = total_bytes;
        let mut schema = spec.data_schema.clone();
        let mut found = Survey::default();
        if let InputFormat::Parquet { uint64, flatten, .. } = &spec.io_config.input_format {
            let paths = inputs.iter().map(|input| input.path().map(PathBuf::from));
            let paths = paths.collect::<Option<Vec<_>>>().ok_or_else(|| {
                let message = "ioConfig.inputSource: Parquet is read from files of its own: use type local, and \
                               unpack archives";
                RealtimeError::Invalid(message.into())
            })?;
            let (asked, uint64, flatten) = (schema.clone(), *uint64, flatten.clone());
            let work = move || survey(&paths, &asked, uint64, &flatten);
            found = self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await??;
            found.adapt(&mut schema);
            self.progress.total_rows = found.row_count;
        }
        self.show();
        let schema = Arc::new(schema);
        let now_ms = self.shared.clock.now_ms();
        let limits = ParseLimits { now_ms, ..self.shared.options.parse_limits.clone() };
        let mut parser = RowParser::new(Arc::clone(&schema), limits.clone())?;
        if let Some(flatten) = spec.io_config.input_format.flatten() {
            parser.set_flattening(flatten);
        }
        found.discover(&mut parser);
        let learned = self.learn_types(&mut parser, &inputs, &schema, &limits).await?;
        found.notes.extend(learned.notes);
        let schema = match schema.granularity_spec.is_automatic {
            true => {
                let choice = self.choose_chunks(&inputs, &schema, &found, learned.times).await?;
                let (chosen, reason) = choice;
                found.notes.extend(reason);
                spec.data_schema.granularity_spec = chosen.granularity_spec.clone();
                chosen
            }
            false => schema,
        };
        let options = &self.shared.options;
        let spill_dir = options.spill_dir.clone();
        let make = move || make_folder(&spill_dir);
        let folder = self.shared.ingest_pool.spawn(LOAD_PRIORITY, make).await??;
        let task = (&*self.id, folder);
        let mut store = Store::new(&spec, parser.dimensions(), options, task, &limits);
        store.report.note(std::mem::take(&mut found.notes));
        for (field, place) in found.ignored(&parser) {
            store.report.ignore(&field, || place);
        }
        self.hash_inputs(&inputs);
        Ok(Reading { store, parser, schema, inputs, survey: found })
    }

    /// Reads everything; gives the chunks by time.
    pub(super) async fn read(
        &mut self,
        mut reading: Reading,
    ) -> Result<(Reading, Vec<ReadyChunk>)> {
        let spec = &self.task.spec;
        let max_rows = usize::try_from(spec.tuning_config.max_rows_per_segment);
        let max_rows = max_rows.unwrap_or(usize::MAX);
        let datasource = spec.data_schema.data_source.clone();
        let limits = PieceLimits {
            rows_per_segment: max_rows,
            writing_bytes: self.shared.options.max_load_bytes.saturating_mul(2),
            merge_bytes: self.shared.options.max_merge_bytes,
        };
        let mut pieces = Pieces::new(self.shared.ingest_pool.clone(), &datasource, limits);
        for (number, input) in std::mem::take(&mut reading.inputs).into_iter().enumerate() {
            let name = input.name();
            let done_before = self.progress.processed_bytes;
            let most = self.shared.options.max_load_bytes;
            let format = self.task.spec.io_config.input_format.clone();
            let work = move || {
                let opened = reading.open(&format, number, input, most);
                (reading, opened)
            };
            let (reading_back, opened) = self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await?;
            reading = reading_back;
            let (size_bytes, mut source) = opened?;
            loop {
                self.stop.check(&self.id)?;
                let work = move || {
                    let outcome = source.read_piece(&mut reading);
                    (source, reading, outcome)
                };
                // The Parquet library may panic on a damaged file: the pool makes an error of it.
                let done = self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await;
                let (source_back, reading_back, outcome) = done.map_err(|error| {
                    RealtimeError::Input { name: name.clone(), error: Box::new(error.into()) }
                })?;
                (source, reading) = (source_back, reading_back);
                let Some(piece) = outcome? else { break };
                self.count(&piece, done_before, &reading.store);
                self.keep_letters(&piece.letters).await;
                self.check_rejections()?;
                self.write(&mut reading.store, piece.ready, &mut pieces).await?;
            }
            self.progress.processed_bytes = done_before + size_bytes;
            self.show();
        }
        self.check_counts()?;
        reading.store.report.copy_to(&mut self.progress.report);
        self.warn_of_missing(&reading);
        let rest = match &mut reading.store.rows {
            Rows::Columns(loader) => loader.finish(),
            Rows::Indexed(chunks) => {
                let max_bytes = self.shared.options.max_merge_bytes;
                let chunks = chunks.take_chunks().into_iter();
                let chunks = chunks.map(|chunk| ReadyChunk::of(chunk, max_bytes)).collect();
                return Ok((reading, chunks));
            }
        };
        self.write(&mut reading.store, rest, &mut pieces).await?;
        Ok((reading, pieces.finish().await?))
    }

    /// Warns of fields that the spec names and that nothing in the input has: they are null.
    fn warn_of_missing(&mut self, reading: &Reading) {
        if self.progress.accepted == 0 {
            return;
        }
        let missing = match self.task.spec.io_config.input_format {
            InputFormat::Parquet { .. } => reading.survey.missing(&reading.parser),
            _ => reading.parser.fields_missing(),
        };
        let time = &self.task.spec.data_schema.timestamp_spec;
        // Events without it have a time nevertheless.
        let has_constant = time.missing_value_ms.is_some();
        let missing = missing.into_iter().filter(|field| !(has_constant && *field == time.column));
        for field in missing {
            let meant = closest_name(&field, reading.store.report.ignored());
            let meant = meant.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            self.progress.report.warnings.push(format!(
                "the spec names the field '{field}', which none of {} events has{meant}",
                self.progress.accepted
            ));
        }
    }

    fn count(&mut self, piece: &Piece, done_before: u64, store: &Store) {
        self.progress.received += piece.counts.received;
        self.progress.accepted += piece.counts.accepted;
        self.progress.rejected += piece.counts.rejected;
        self.progress.filtered += piece.counts.filtered;
        self.progress.processed_bytes = done_before + piece.stored_bytes_read;
        store.report.copy_to(&mut self.progress.report);
        self.show();
    }

    async fn write(
        &mut self,
        store: &mut Store,
        chunks: Vec<ChunkRows>,
        pieces: &mut Pieces,
    ) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        let files = store.files(&self.task.spec, &self.shared.options);
        for chunk in chunks {
            pieces.write(chunk, &files).await?;
            self.progress.segments = pieces.segment_count();
            self.show();
        }
        Ok(())
    }
}

impl Reading {
    /// Opens an input; gives its size too.
    fn open(
        &self,
        format: &InputFormat,
        number: usize,
        input: InputRef,
        max_piece_bytes: usize,
    ) -> Result<(u64, Source)> {
        let size_bytes = input.size_bytes();
        let source = match (format, input.path()) {
            (InputFormat::Parquet { binary_as_string, flatten, .. }, Some(path)) => {
                let (schema, parser) = (&self.schema, &self.parser);
                let how = (*binary_as_string, flatten);
                let times_after = self.survey.times_after(number);
                let table = TableInput::open(path, schema, parser, how, times_after)?;
                Source::Table(Box::new(table))
            }
            (format, _) => Source::Text(Box::new(TextInput::open(format, input, max_piece_bytes)?)),
        };
        Ok((size_bytes, source))
    }
}

impl Source {
    /// Reads a piece; `None` at the end.
    fn read_piece(&mut self, reading: &mut Reading) -> Result<Option<Piece>> {
        let Reading { parser, store, .. } = reading;
        let (counts, letters, stored_bytes_read, upcoming) = match self {
            Self::Text(text) => {
                let Some(piece) = text.parse_piece(parser, store)? else { return Ok(None) };
                let letters = text.end_piece(&piece, parser, store);
                (piece.counts, letters, text.stored_bytes_read(), None)
            }
            Self::Table(table) => {
                let (input, rows_before) = (table.name(), table.rows_read());
                let Some(counts) = table.read_piece(parser, store)? else { return Ok(None) };
                let places = Places::Rows { input: &input, rows_before };
                let mut changes = parser.take_changes();
                changes.absorb(table.take_changes());
                let letters = store.end_piece(&changes, &parser.take_ignored(), &places);
                (counts, letters, table.stored_bytes_read(), table.upcoming())
            }
        };
        let ready = store.relieve(upcoming)?;
        Ok(Some(Piece { counts, stored_bytes_read, letters, ready }))
    }
}
