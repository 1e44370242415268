//! CSV and TSV: lines of values into rows of fields.
//!
//! CSV follows RFC 4180: a value may stand in double quotes and then hold delimiters, line breaks
//! and, doubled, quotes. TSV has no quotes. A value that is not there is null, `""` is empty text.
//! A line whose number of values is not that of the columns is refused, and so is one that is not
//! UTF-8; the lines around it stay what they are.

mod record;

use henge_ingest::{
    BatchCounts, FieldValue, IngestError, RejectReason, RowOrigin, RowParser, RowSink, TableFields,
};
use henge_query::ingest::DelimitedFormat;

pub use record::MAX_RECORD_BYTES;
use record::{Record, Records};

use crate::error::{Result, TabularError};

/// Fields of one line.
const MAX_COLUMNS: usize = 10_000;

/// Turns the lines of one file into rows.
#[derive(Debug)]
pub struct DelimitedReader {
    format: DelimitedFormat,
    columns: Option<Columns>,
    lines_to_skip: u64,
    records: Records,
    /// Bytes of the file before the piece that comes next.
    offset: usize,
    is_first: bool,
}

#[derive(Debug)]
struct Columns {
    names: Vec<String>,
    fields: TableFields,
}

impl Columns {
    fn new(names: Vec<String>) -> Self {
        Self { fields: TableFields::new(names.clone()), names }
    }
}

impl DelimitedReader {
    /// A reader at the start of a file.
    #[must_use]
    pub fn new(format: DelimitedFormat) -> Self {
        Self {
            columns: format.columns.clone().map(Columns::new),
            lines_to_skip: format.skip_header_rows,
            records: Records::new(format.delimiter as u8, format.quoting),
            offset: 0,
            is_first: true,
            format,
        }
    }

    /// The end of the last whole line of a piece of the file, which begins at the start of a line;
    /// `None` when there is none.
    ///
    /// # Errors
    /// When a line is longer than any may be: mostly a quote that is never closed.
    pub fn last_boundary(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let (end, open) = self.records.last_end(bytes);
        if open > MAX_RECORD_BYTES {
            return Err(TabularError::Limit(format!(
                "the line at byte {} does not end within {MAX_RECORD_BYTES} bytes; a quote may not \
                 be closed",
                self.offset + bytes.len() - open
            )));
        }
        Ok(end)
    }

    /// Takes the lines of a piece of the file; the pieces are to be given in order.
    ///
    /// # Errors
    /// When the header cannot be used, or the sink stops.
    pub fn read(
        &mut self,
        bytes: &[u8],
        parser: &mut RowParser,
        sink: &mut dyn RowSink,
    ) -> Result<BatchCounts> {
        parser.begin_rows();
        let mut at = 0;
        if std::mem::take(&mut self.is_first) && bytes.starts_with(b"\xef\xbb\xbf") {
            at = 3;
        }
        while at < bytes.len() {
            let record = self.records.read(bytes, at);
            let (start, end) = (at, record.end);
            at = end;
            if record.is_blank {
                continue;
            }
            if self.lines_to_skip > 0 {
                self.lines_to_skip -= 1;
                continue;
            }
            let line = &bytes[start..end];
            match &mut self.columns {
                None => self.columns = Some(header(&self.records, &record)?),
                Some(columns) => {
                    let source = Line { bytes: line, offset: self.offset + start, record: &record };
                    take(&self.records, columns, &self.format, &source, parser, sink)?;
                }
            }
        }
        self.offset += bytes.len();
        Ok(parser.counts())
    }
}

/// One line.
struct Line<'a> {
    bytes: &'a [u8],
    offset: usize,
    record: &'a Record,
}

fn header(records: &Records, record: &Record) -> Result<Columns> {
    let invalid = |message: String| TabularError::Corrupt(format!("the header {message}"));
    if let Some(fault) = fault(records, record) {
        return Err(invalid(fault.to_string()));
    }
    if records.len() > MAX_COLUMNS {
        return Err(invalid(format!("has {} columns: at most {MAX_COLUMNS}", records.len())));
    }
    let mut names: Vec<String> = Vec::with_capacity(records.len());
    for at in 0..records.len() {
        let name = records.value(at).unwrap_or_default();
        // A column without a name is still counted, so that those behind it keep their places.
        let name = if name.is_empty() { format!("column_{}", at + 1) } else { name.to_owned() };
        if name.chars().any(char::is_control) {
            return Err(invalid(format!("names column {} with control characters", at + 1)));
        }
        if names.contains(&name) {
            return Err(invalid(format!("has the column '{name}' twice")));
        }
        names.push(name);
    }
    Ok(Columns::new(names))
}

fn take(
    records: &Records,
    columns: &mut Columns,
    format: &DelimitedFormat,
    line: &Line<'_>,
    parser: &mut RowParser,
    sink: &mut dyn RowSink,
) -> Result<(), IngestError> {
    let raw = || String::from_utf8_lossy(line.bytes).trim_end().to_owned();
    let origin = RowOrigin { offset: line.offset, raw: &raw };
    let (found, expected) = (records.len(), columns.names.len());
    let problem = fault(records, line.record).map(str::to_owned).or_else(|| {
        (found != expected)
            .then(|| format!("the line has {found} values, but there are {expected} columns"))
    });
    if let Some(message) = problem {
        let reason = RejectReason::Syntax { offset: line.offset, message };
        parser.refuse_row(reason, origin, sink);
        return Ok(());
    }
    let separator = format.list_delimiter.as_str();
    let scalar = |text| scalar(text, format.try_parse_numbers);
    let lists: Vec<Vec<FieldValue<'_>>> = (0..found)
        .map(|at| match records.value(at) {
            Some(text) if text.contains(separator) => text.split(separator).map(scalar).collect(),
            _ => Vec::new(),
        })
        .collect();
    let values: Vec<FieldValue<'_>> = lists
        .iter()
        .enumerate()
        .map(|(at, list)| match records.value(at) {
            None => FieldValue::Null,
            Some(_) if !list.is_empty() => FieldValue::List(list),
            Some(text) => scalar(text),
        })
        .collect();
    parser.parse_row(&mut columns.fields, &values, origin, sink)
}

/// Why a line cannot be taken at all.
fn fault(records: &Records, record: &Record) -> Option<&'static str> {
    if record.is_unclosed {
        return Some("a quote is not closed");
    }
    if record.is_too_long {
        return Some("the line is too long");
    }
    (!records.is_utf8()).then_some("the line is not UTF-8")
}

/// A value: text, or the number it looks like, as Druid's `tryParseNumbers` has it: a whole number
/// where 64 bits hold it, else a decimal.
fn scalar(text: &str, parse_numbers: bool) -> FieldValue<'_> {
    let starts_like_one =
        text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    if !parse_numbers || !starts_like_one {
        return FieldValue::Text(text);
    }
    if let Ok(value) = text.parse::<i64>() {
        return FieldValue::Long(value);
    }
    match henge_expr::number::parse_double(text) {
        Some(value) if value.is_finite() => FieldValue::Double(value),
        _ => FieldValue::Text(text),
    }
}
