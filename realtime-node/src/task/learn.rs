//! A look at a task's whole input before it is read: the types of columns that the spec leaves open
//! come from all values, so that none is cut or lost because another came first. And its hash, so
//! that the same content is noticed when it comes again.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{ColumnKinds, ParseLimits, Rejection, RowError, RowParser, RowSink, TimesSeen};
use henge_platform::metadata::{InputPlace, TaskFilter, TaskInput, TaskStatus};
use henge_query::ingest::{DataSchema, InputFormat};
use henge_types::{ValueRef, format_timestamp};

use super::content::describe;
use super::input::InputRef;
use super::run::Run;
use super::text::TextInput;
use crate::error::{RealtimeError, Result};
use crate::priority::LOAD_PRIORITY;

/// Earlier tasks of the datasource among which the same content is looked for.
const TASKS_COMPARED: usize = 10_000;

/// Why a column that holds numbers is text.
fn why_text(kinds: &ColumnKinds, place: &InputPlace) -> String {
    let ColumnKinds { column, numbers, others, example, .. } = kinds;
    format!(
        "column '{column}' is text: {others} of its {} values are no numbers that a column of \
         numbers keeps, the first is '{example}' in {place}",
        numbers + others
    )
}

/// What a look at the whole input has found.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Why columns that hold numbers are text.
    pub(super) notes: Vec<String>,
    /// When events are.
    pub(super) times: TimesSeen,
}

/// Takes rows and keeps none.
struct NoRows;

impl RowSink for NoRows {
    fn row(&mut self, _: i64, _: &[ValueRef<'_>]) -> Result<(), RowError> {
        Ok(())
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

impl Run {
    /// Teaches the parser the types of the columns that the spec leaves open, by all of the input, and
    /// says of those that are text though they hold numbers which value made them so; and notes the times,
    /// where time chunks depend on them. Formats with types of their own need no such look.
    pub(super) async fn learn_types(
        &mut self,
        parser: &mut RowParser,
        inputs: &[InputRef],
        schema: &Arc<DataSchema>,
        limits: &ParseLimits,
    ) -> Result<Learned> {
        let format = &self.task.spec.io_config.input_format;
        let is_open = parser.learns_types() || schema.granularity_spec.is_automatic;
        if matches!(format, InputFormat::Parquet { .. }) || !is_open {
            return Ok(Learned::default());
        }
        // By column: the first value that is no number, and where it stands.
        let mut firsts: BTreeMap<usize, InputPlace> = BTreeMap::new();
        let mut surveyor = RowParser::new(Arc::clone(schema), limits.clone())?;
        if let Some(flatten) = format.flatten() {
            surveyor.set_flattening(flatten);
        }
        surveyor.begin_survey();
        for input in inputs {
            let most = self.shared.options.max_load_bytes;
            let (format, input) = (format.clone(), input.clone());
            let open = move || TextInput::open(&format, input, most);
            let mut text = self.shared.ingest_pool.spawn(LOAD_PRIORITY, open).await??;
            loop {
                self.stop.check(&self.id)?;
                let work = move || {
                    let parsed = text.parse_piece(&mut surveyor, &mut NoRows);
                    (text, surveyor, parsed)
                };
                let (text_back, surveyor_back, parsed) =
                    self.shared.ingest_pool.spawn(LOAD_PRIORITY, work).await?;
                (text, surveyor) = (text_back, surveyor_back);
                let Some(piece) = parsed? else { break };
                text.pass_piece(&piece, |places| {
                    for (column, kinds) in surveyor.column_kinds().iter().enumerate() {
                        if kinds.others > 0 {
                            firsts.entry(column).or_insert_with(|| places.of_event(kinds.position));
                        }
                    }
                });
                self.progress.total_rows += piece.counts.received;
                self.show();
            }
        }
        parser.add_known(&surveyor.discovered());
        let kinds = surveyor.column_kinds().iter().enumerate();
        let mixed = kinds.filter(|(_, kinds)| kinds.numbers > 0 && kinds.others > 0);
        let notes = mixed.filter_map(|(column, kinds)| Some(why_text(kinds, firsts.get(&column)?)));
        Ok(Learned { notes: notes.collect(), times: surveyor.times_seen().clone() })
    }

    /// Starts to hash the inputs beside everything else.
    pub(super) fn hash_inputs(&mut self, inputs: &[InputRef]) {
        let inputs = inputs.to_vec();
        let work = move || describe(&inputs);
        self.hashing = Some(self.shared.ingest_pool.spawn(LOAD_PRIORITY, work));
    }

    /// Notes what was read, and warns of what an earlier task of the datasource had read.
    pub(super) async fn note_inputs(&mut self) -> Result<()> {
        let Some(hashing) = self.hashing.take() else { return Ok(()) };
        let inputs = hashing.await?.map_err(RealtimeError::io(std::path::Path::new("inputs")))?;
        let filter = TaskFilter {
            status: Some(TaskStatus::Success),
            datasource: Some(self.task.spec.data_schema.data_source.clone()),
            limit: TASKS_COMPARED,
            ..TaskFilter::default()
        };
        let earlier = self.shared.metadata.list_tasks(&filter).await?;
        for input in &inputs {
            let same = |other: &TaskInput| {
                input.size_bytes > 0
                    && (other.size_bytes, &other.content_hash)
                        == (input.size_bytes, &input.content_hash)
            };
            let known = earlier.iter().find(|task| task.progress.report.inputs.iter().any(same));
            if let Some(known) = known {
                self.progress.report.warnings.push(format!(
                    "{} holds what was loaded before, at {} by task {}",
                    input.name,
                    format_timestamp(known.created_ms),
                    known.id
                ));
            }
        }
        self.progress.report.inputs = inputs;
        Ok(())
    }
}
