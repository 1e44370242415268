//! The types of discovered columns, from all values of a task's inputs: the inputs are at hand, so
//! they are read once for the types and once for the rows, and no value has to be stored under a
//! type that a later one does not fit.

use std::sync::Arc;

use henge_index::DimensionSchema;
use henge_ingest::{DiscoveredColumn, ParseLimits, Rejection, RowError, RowParser, RowSink};
use henge_query::ingest::{DataSchema, InputFormat};
use henge_tabular::DelimitedReader;
use henge_types::ValueRef;

use super::input::{Input, InputRef};
use super::run::Run;
use crate::error::Result;
use crate::push::accept::LOAD_PRIORITY;

impl Run {
    /// Reads the inputs for the columns that they bring.
    pub(super) async fn learn_types(
        &self,
        inputs: &[InputRef],
        schema: &Arc<DataSchema>,
        limits: &ParseLimits,
    ) -> Result<Vec<DiscoveredColumn>> {
        let mut parser = RowParser::new(Arc::clone(schema), limits.clone())?;
        parser.begin_survey();
        for input in inputs {
            let mut source = Texts::open(input.clone(), &self.task.spec.io_config.input_format)?;
            loop {
                let work = move || {
                    let outcome = source.read_piece(&mut parser);
                    (source, parser, outcome)
                };
                let pool = &self.shared.ingest_pool;
                let (source_back, parser_back, more) = pool.spawn(LOAD_PRIORITY, work).await?;
                (source, parser) = (source_back, parser_back);
                if !more? {
                    break;
                }
            }
        }
        Ok(parser.discovered())
    }
}

/// An input that says nothing of its types.
struct Texts {
    input: Input,
    lines: Option<Box<DelimitedReader>>,
}

impl Texts {
    fn open(input: InputRef, format: &InputFormat) -> Result<Self> {
        let lines = match format {
            InputFormat::Delimited(format) => Some(Box::new(DelimitedReader::new(format.clone()))),
            _ => None,
        };
        Ok(Self { input: input.open()?, lines })
    }

    /// Reads a piece; false at the end.
    fn read_piece(&mut self, parser: &mut RowParser) -> Result<bool> {
        let piece = match &mut self.lines {
            None => self.input.next_piece()?,
            Some(reader) => self.input.next_cut(|bytes| Ok(reader.last_boundary(bytes)?))?,
        };
        let Some(piece) = piece else { return Ok(false) };
        match &mut self.lines {
            None => parser.parse_batch(&piece, &mut Nowhere)?,
            Some(reader) => reader.read(&piece, parser, &mut Nowhere)?,
        };
        Ok(true)
    }
}

/// Takes nothing: what is refused here is refused again, and kept, when the rows are read.
struct Nowhere;

impl RowSink for Nowhere {
    fn row(&mut self, _: i64, _: &[ValueRef<'_>]) -> Result<(), RowError> {
        Ok(())
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}
