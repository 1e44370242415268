//! Inputs of text (JSON, CSV, TSV), piece by piece, with the lines that pieces begin at.

use henge_ingest::{BatchCounts, RowParser, RowSink, event_start};
use henge_platform::metadata::DeadLetter;
use henge_query::ingest::InputFormat;
use henge_tabular::DelimitedReader;

use super::input::{Input, InputRef};
use super::report::{Places, line_breaks};
use super::store::Store;
use crate::error::Result;

/// An input that is being read.
pub(super) struct TextInput {
    input: Input,
    /// For lines of values; without it JSON.
    delimited: Option<Box<DelimitedReader>>,
    /// Lines of the pieces that are done.
    lines_read: u64,
}

/// A piece that was parsed.
pub(super) struct ParsedPiece {
    pub(super) counts: BatchCounts,
    bytes: Vec<u8>,
}

impl TextInput {
    /// Opens an input. A list or an event of more than `max_piece_bytes` is refused.
    pub(super) fn open(
        format: &InputFormat,
        input: InputRef,
        max_piece_bytes: usize,
    ) -> Result<Self> {
        let delimited = match format {
            InputFormat::Delimited(format) => Some(Box::new(DelimitedReader::new(format.clone()))),
            InputFormat::Json { .. } | InputFormat::Parquet { .. } => None,
        };
        let input = input.open(format.encoding())?.bounded(max_piece_bytes);
        Ok(Self { input, delimited, lines_read: 0 })
    }

    /// Gives the next piece to a parser; `None` at the end.
    pub(super) fn parse_piece(
        &mut self,
        parser: &mut RowParser,
        sink: &mut dyn RowSink,
    ) -> Result<Option<ParsedPiece>> {
        let bytes = match &mut self.delimited {
            None => self.input.next_piece()?,
            Some(reader) => self.input.next_cut(|bytes| Ok(reader.last_boundary(bytes)?))?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let counts = match &mut self.delimited {
            None => parser.parse_batch(&bytes, sink)?,
            Some(reader) => reader.read(&bytes, parser, sink)?,
        };
        Ok(Some(ParsedPiece { counts, bytes }))
    }

    /// Tells the store where what it met in a piece stands; gives the refused events.
    pub(super) fn end_piece(
        &mut self,
        piece: &ParsedPiece,
        parser: &mut RowParser,
        store: &mut Store,
    ) -> Vec<DeadLetter> {
        let letters = self.with_places(piece, |places| {
            store.end_piece(&parser.take_changes(), &parser.take_ignored(), places)
        });
        self.lines_read += line_breaks(&piece.bytes);
        letters
    }

    /// Ends a piece of which nothing is stored: `look` is told where its events stand.
    pub(super) fn pass_piece(&mut self, piece: &ParsedPiece, look: impl FnOnce(&Places<'_>)) {
        self.with_places(piece, look);
        self.lines_read += line_breaks(&piece.bytes);
    }

    fn with_places<R>(&self, piece: &ParsedPiece, work: impl FnOnce(&Places<'_>) -> R) -> R {
        let bytes = piece.bytes.as_slice();
        let start_of = |position: u64| match &self.delimited {
            None => event_start(bytes, position),
            Some(reader) => reader.start_of(position),
        };
        let places = Places::Lines {
            input: &self.input.name,
            bytes,
            // Offsets of JSON begin with each piece.
            base_offset: self.delimited.as_ref().map_or(0, |r| r.bytes_read() - bytes.len()),
            lines_before: self.lines_read,
            start_of: &start_of,
        };
        work(&places)
    }

    /// How much of the input's size was read.
    pub(super) fn stored_bytes_read(&self) -> u64 {
        self.input.stored_bytes_read()
    }
}
