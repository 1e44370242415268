//! CSV and TSV: lines of values into rows of fields.
//!
//! CSV follows RFC 4180: a value may stand in double quotes and then hold delimiters, line breaks
//! and, doubled, quotes. TSV has no quotes. A value that is not there is null, `""` is empty text.
//! A line whose number of values is not that of the columns is refused, and so is one that is not
//! UTF-8; the lines around it stay what they are. Files of other encodings come through [`crate::Utf8Reader`].

mod encoding;
mod record;

use henge_ingest::{
    BatchCounts, FieldValue, IngestError, RejectReason, RowOrigin, RowParser, RowSink, TableFields,
};
use henge_query::ingest::{DelimitedFormat, NumberParsing};

pub use encoding::encoding_fault;
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
    /// Where the lines of values of the latest piece begin in it.
    starts: Vec<usize>,
}

#[derive(Debug)]
struct Columns {
    names: Vec<String>,
    fields: TableFields,
    /// Which values are numbers, by column.
    numbers: Vec<NumberParsing>,
}

impl Columns {
    fn new(names: Vec<String>) -> Self {
        Self { fields: TableFields::new(names.clone()), numbers: Vec::new(), names }
    }

    /// Numbers are not made of what a STRING column takes: `1.50` is to stay what it is. A survey counts
    /// them, also once another value made the column text.
    fn find_numbers(&mut self, asked: NumberParsing, parser: &RowParser) {
        let is_text = |name: &String| {
            if parser.surveys() && parser.learns_type_of(name) {
                return false;
            }
            parser.keeps_text(name)
        };
        let numbers = |name| if is_text(name) { NumberParsing::Never } else { asked };
        self.numbers = self.names.iter().map(numbers).collect();
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
            starts: Vec::new(),
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
        self.starts.clear();
        if let Some(columns) = &mut self.columns {
            columns.find_numbers(self.format.try_parse_numbers, parser);
        }
        let mut at = 0;
        if std::mem::take(&mut self.is_first) {
            refuse_wide_text(bytes)?;
            at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
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
                None => {
                    let mut columns = header(&self.records, &record)?;
                    columns.find_numbers(self.format.try_parse_numbers, parser);
                    self.columns = Some(columns);
                }
                Some(columns) => {
                    self.starts.push(start);
                    let source = Line { bytes: line, offset: self.offset + start, record: &record };
                    take(&self.records, columns, &self.format, &source, parser, sink)?;
                }
            }
        }
        self.offset += bytes.len();
        Ok(parser.counts())
    }

    /// Where an event of the latest piece begins in it, by its index.
    #[must_use]
    pub fn start_of(&self, position: u64) -> Option<usize> {
        self.starts.get(usize::try_from(position).ok()?).copied()
    }

    /// Bytes of the file that were given to be read.
    #[must_use]
    pub fn bytes_read(&self) -> usize {
        self.offset
    }
}

/// The values of the first lines of a file; `None` is a value that is not there. Lines that cannot
/// be read end it.
#[must_use]
pub fn first_lines(
    bytes: &[u8],
    delimiter: char,
    quoting: bool,
    most: usize,
) -> Vec<Vec<Option<String>>> {
    let mut records = Records::new(delimiter as u8, quoting);
    let mut lines = Vec::new();
    let mut at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while at < bytes.len() && lines.len() < most {
        let record = records.read(bytes, at);
        at = record.end;
        if record.is_blank {
            continue;
        }
        if fault(&records, &record).is_some() {
            break;
        }
        let value = |place| records.value(place).map(str::to_owned);
        lines.push((0..records.len()).map(value).collect());
    }
    lines
}

/// Of UTF-16 and UTF-32 no line can be read. Other encodings show line by line.
fn refuse_wide_text(bytes: &[u8]) -> Result<()> {
    let head = &bytes[..bytes.len().min(256)];
    match encoding_fault(head).filter(|fault| fault.contains("it is UTF-")) {
        Some(fault) => Err(TabularError::Corrupt(fault)),
        None => Ok(()),
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
    let numbers = &columns.numbers;
    let scalar = |at: usize, text| scalar(text, numbers.get(at).copied().unwrap_or_default());
    let lists: Vec<Vec<FieldValue<'_>>> = (0..found)
        .map(|at| match records.value(at) {
            Some(text) if text.contains(separator) => {
                text.split(separator).map(|text| scalar(at, text)).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let values: Vec<FieldValue<'_>> = lists
        .iter()
        .enumerate()
        .map(|(at, list)| match records.value(at) {
            None => FieldValue::Null,
            Some(_) if !list.is_empty() => FieldValue::List(list),
            Some(text) => scalar(at, text),
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
    (!records.is_utf8()).then_some(
        "the line has bytes that are no text in the encoding of the file, which is UTF-8 unless --encoding (in a \
         spec: \"encoding\" of the inputFormat) says otherwise: windows-1252 for Latin-1",
    )
}

/// A value: text, or the number it looks like.
fn scalar(text: &str, numbers: NumberParsing) -> FieldValue<'_> {
    let number = match numbers {
        NumberParsing::Never => None,
        NumberParsing::All => any_number(text),
        NumberParsing::Exact => exact_number(text),
    };
    number.unwrap_or(FieldValue::Text(text))
}

/// As Druid's `tryParseNumbers` has it: a whole number where 64 bits hold it, else a decimal.
fn any_number(text: &str) -> Option<FieldValue<'static>> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    if let Ok(value) = text.parse::<i64>() {
        return Some(FieldValue::Long(value));
    }
    henge_expr::number::parse_double(text).filter(|v| v.is_finite()).map(FieldValue::Double)
}

/// A whole number where 64 bits hold it, a decimal where a double holds all its digits. What has
/// leading zeros or a plus is a name (a post code, a telephone number).
fn exact_number(text: &str) -> Option<FieldValue<'static>> {
    /// Decimals of so many digits are read back from the double as they were.
    const DIGITS_OF_A_DOUBLE: usize = 17;
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'0', b'0'..=b'9', ..] => return None,
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => {}
        _ => return None,
    }
    if !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    if digits.iter().all(u8::is_ascii_digit) {
        return text.parse().ok().map(FieldValue::Long);
    }
    let mantissa = digits.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let significant = mantissa.iter().filter(|b| b.is_ascii_digit()).skip_while(|b| **b == b'0');
    if significant.count() > DIGITS_OF_A_DOUBLE {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(FieldValue::Double)
}
