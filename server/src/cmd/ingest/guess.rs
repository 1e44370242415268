//! Looking into a file that comes without a spec: its format, its header, where its time is. The types
//! of its columns are for the server to find, from all values.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use henge_index::DimensionSchema;
use henge_ingest::{FieldValue, ParseLimits, Rejection, RowError, RowParser, RowSink};
use henge_query::ingest::{DataSchema, DelimitedFormat, NumberParsing};
use henge_realtime_node::LocalFile;
use henge_tabular::{DelimitedReader, ParquetTable, WantedField};
use henge_types::ValueRef;
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::header::{HeaderChoice, is_header};
use super::kinds::Seen;

/// Bytes that are looked at, inflated.
const SAMPLE_BYTES: u64 = 1 << 20;
/// Lines that are looked at for a header.
const HEADER_LINES: usize = 1_000;
/// Names of columns that are mostly the time, the likeliest first.
const TIME_NAMES: [&str; 11] = [
    "__time",
    "timestamp",
    "time",
    "ts",
    "event_time",
    "eventtime",
    "datetime",
    "date",
    "created_at",
    "createdat",
    "occurred_at",
];

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Tsv,
    Parquet,
}

/// What the command line says of the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hints<'a> {
    pub(super) time_column: Option<&'a str>,
    pub(super) header: HeaderChoice,
    /// What becomes of whole numbers above 2^63 - 1.
    pub(super) uint64: Option<&'a str>,
}

/// A spec, and in words how the file was understood.
#[derive(Debug)]
pub(super) struct Guess {
    pub(super) spec: Value,
    pub(super) decided: String,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    is_time: bool,
    /// A value that is no time, if there is one.
    other: Option<String>,
}

/// The inputFormat of a file, and in words what was decided.
///
/// # Errors
/// When it cannot be read, or looks like none of the formats.
pub(super) fn input_format(path: &Path, hints: &Hints<'_>) -> Result<(Value, String)> {
    let format = format(path)?;
    check_encoding(path, format)?;
    let (named, reader) = match format {
        Format::Json => return Ok((json!({ "type": "json" }), "JSON".to_owned())),
        Format::Parquet => {
            let mut value = json!({ "type": "parquet" });
            if let Some(uint64) = hints.uint64 {
                value["uint64"] = uint64.into();
            }
            return Ok((value, "Parquet".to_owned()));
        }
        Format::Csv => (Dialect::named(true), "CSV"),
        Format::Tsv => (Dialect::named(false), "TSV"),
    };
    let (dialect, lines) = first_lines(path, format)?;
    let Some((first, later)) = lines.split_first() else {
        bail!("{}: there is no line in it", path.display());
    };
    let reader = match dialect.separator == named.separator {
        true => reader.to_owned(),
        false => format!("CSV separated by {}", dialect.separator_name()),
    };
    let has_header = match hints.header {
        HeaderChoice::Given => true,
        HeaderChoice::None => false,
        HeaderChoice::Look => is_header(first, later),
    };
    let kind = if dialect.quoting { "csv" } else { "tsv" };
    let mut value = json!({ "type": kind, "tryParseNumbers": "exact" });
    if dialect.separator != Dialect::named(dialect.quoting).separator {
        value["delimiter"] = dialect.separator.to_string().into();
    }
    if dialect.lines_to_skip > 0 {
        value["skipHeaderRows"] = dialect.lines_to_skip.into();
    }
    let decided = if has_header {
        value["findColumnsFromHeader"] = true.into();
        format!("{reader} whose first line names the columns (--no-header if it does not)")
    } else {
        let names: Vec<String> = (1..=first.len()).map(|at| format!("column_{at}")).collect();
        let decided = format!(
            "{reader} without a header: its columns are named column_1 to column_{} (--header if \
             the first line names them)",
            first.len()
        );
        value["columns"] = names.into();
        decided
    };
    Ok((value, decided))
}

/// A spec for a file, with its time in the given column or the likeliest one.
///
/// # Errors
/// When the file cannot be read, or no column looks like a time.
pub(super) fn spec(path: &Path, hints: &Hints<'_>) -> Result<Guess> {
    let (input_format, how) = input_format(path, hints)?;
    let columns = match format(path)? {
        Format::Parquet => parquet_columns(path)?,
        format => sampled_columns(path, format, &input_format)?,
    };
    let time = time_of(&columns, hints.time_column)
        .with_context(|| format!("look into {} as {how}", path.display()))?;
    let spec = json!({
        "timestampSpec": { "column": time.name, "format": "auto" },
        "dimensionsSpec": { "useSchemaDiscovery": true },
        "granularitySpec": {
            "segmentGranularity": "day", "queryGranularity": "none", "rollup": false,
        },
        "inputFormat": input_format,
    });
    Ok(Guess { spec, decided: format!("{how}; the time is in '{}'", time.name) })
}

/// Makes sure that what was found in the first file holds for another: a header that is taken for
/// values, or values that are taken for a header, would be lost.
///
/// # Errors
/// When it does not, or the file cannot be read.
pub(super) fn check_alike(first: &Path, other: &Path, hints: &Hints<'_>) -> Result<()> {
    let (this, that) = (input_format(first, hints)?.0, input_format(other, hints)?.0);
    if this["type"] != that["type"] || this["delimiter"] != that["delimiter"] {
        bail!(
            "{} and {} have different formats: load them one by one",
            first.display(),
            other.display()
        );
    }
    if this.get("columns").is_some() != that.get("columns").is_some() {
        let (named, bare) =
            if this.get("columns").is_none() { (first, other) } else { (other, first) };
        bail!(
            "the first line of {} names the columns, that of {} does not: load them one by one, or \
             say --header or --no-header, which then holds for all files",
            named.display(),
            bare.display()
        );
    }
    Ok(())
}

/// By the name, else by the first bytes.
fn format(path: &Path) -> Result<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("parquet" | "pq") => return Ok(Format::Parquet),
        Some("csv") => return Ok(Format::Csv),
        Some("tsv" | "tab") => return Ok(Format::Tsv),
        Some("json" | "jsonl" | "ndjson") => return Ok(Format::Json),
        _ => {}
    }
    let sample = sample(path)?;
    let line = sample.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&sample).trim_ascii_start();
    match text.first() {
        _ if sample.starts_with(b"PAR1") => Ok(Format::Parquet),
        Some(b'{' | b'[') => Ok(Format::Json),
        _ if line.contains(&b'\t') => Ok(Format::Tsv),
        _ if [b',', b';', b'|'].iter().any(|separator| line.contains(separator)) => Ok(Format::Csv),
        _ if henge_tabular::encoding_fault(&sample).is_some() => Ok(Format::Csv),
        _ => bail!(
            "{}: neither the name nor the first bytes say what format it is; name it .parquet, \
             .csv, .tsv or .json, or give inputFormat in a --spec",
            path.display()
        ),
    }
}

/// The first bytes, inflated, up to the end of a line where the file goes on.
fn sample(path: &Path) -> Result<Vec<u8>> {
    let context = || format!("read {}", path.display());
    let file = BufReader::new(File::open(path).with_context(context)?);
    let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut bytes = Vec::new();
    reader.take(SAMPLE_BYTES).read_to_end(&mut bytes).with_context(context)?;
    if bytes.len() as u64 == SAMPLE_BYTES
        && let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n')
    {
        bytes.truncate(end + 1);
    }
    Ok(bytes)
}

/// How the values of a file are separated, and those of its first lines.
fn first_lines(path: &Path, format: Format) -> Result<(Dialect, Vec<Vec<Option<String>>>)> {
    let bytes = sample(path)?;
    let named = Dialect::named(format == Format::Csv);
    let dialect = Dialect::of(&bytes, named).with_context(|| format!("read {}", path.display()))?;
    let skipped = usize::try_from(dialect.lines_to_skip).unwrap_or(0);
    let most = HEADER_LINES + skipped;
    let mut lines = henge_tabular::first_lines(&bytes, dialect.separator, dialect.quoting, most);
    lines.drain(..skipped.min(lines.len()));
    Ok((dialect, lines))
}

/// # Errors
/// When a file of text is not UTF-8, with the way to convert it.
fn check_encoding(path: &Path, format: Format) -> Result<()> {
    if format == Format::Parquet {
        return Ok(());
    }
    match henge_tabular::encoding_fault(&sample(path)?) {
        Some(fault) => bail!("{}: {fault}", path.display()),
        None => Ok(()),
    }
}

fn parquet_columns(path: &Path) -> Result<Vec<Column>> {
    let context = || format!("read {}", path.display());
    let file = LocalFile::open(path).with_context(context)?;
    let table = ParquetTable::open(Arc::new(file)).with_context(context)?;
    let column = |field: &henge_tabular::ParquetField| Column {
        name: field.name.clone(),
        is_time: field.is_time(),
        other: None,
    };
    let mut columns: Vec<Column> = table.fields().iter().map(column).collect();
    if columns.iter().any(|column| column.is_time) {
        return Ok(columns);
    }
    // No point in time: numbers or texts may be times.
    let wanted = |column: &Column| WantedField { name: column.name.clone(), as_text: false };
    let wanted: Vec<WantedField> = columns.iter().map(wanted).collect();
    let Some(batch) = table.read(&wanted, false).next_batch().with_context(context)? else {
        return Ok(columns);
    };
    let mut seen = vec![Seen::default(); columns.len()];
    let all = batch.for_each_row(|_, values| -> Result<(), std::convert::Infallible> {
        for (seen, value) in seen.iter_mut().zip(values) {
            match value {
                FieldValue::Long(number) => seen.see(&number.to_string()),
                FieldValue::Double(number) => seen.see(&number.to_string()),
                FieldValue::Text(text) => seen.see(text),
                FieldValue::Null | FieldValue::Bool(_) | FieldValue::List(_) => {}
            }
        }
        Ok(())
    });
    match all {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for (column, seen) in columns.iter_mut().zip(seen) {
        column.is_time = seen.is_time();
        column.other = seen.other;
    }
    Ok(columns)
}

/// Columns by the values of the first events.
fn sampled_columns(path: &Path, format: Format, input_format: &Value) -> Result<Vec<Column>> {
    // Every event has a time: only its columns matter here.
    let schema = json!({
        "dataSource": "sample",
        "timestampSpec": { "column": "\u{10ffff}", "missingValue": "2000-01-01" },
        "dimensionsSpec": {},
    });
    let schema = Arc::new(DataSchema::from_value(&schema)?);
    let mut parser = RowParser::new(schema, ParseLimits::default())?;
    let mut samples = Samples::default();
    let bytes = sample(path)?;
    let context = || format!("read {}", path.display());
    let names = input_format["columns"].as_array();
    let name = |name: &Value| name.as_str().unwrap_or_default().to_owned();
    match format {
        Format::Csv | Format::Tsv => {
            let dialect = first_lines(path, format)?.0;
            let mut reader = DelimitedReader::new(DelimitedFormat {
                quoting: dialect.quoting,
                delimiter: dialect.separator,
                list_delimiter: "\u{1}".to_owned(),
                columns: names.map(|names| names.iter().map(name).collect()),
                has_header: names.is_none(),
                skip_header_rows: dialect.lines_to_skip,
                try_parse_numbers: NumberParsing::Never,
            });
            reader.read(&bytes, &mut parser, &mut samples).map(|_| ()).with_context(context)?;
        }
        _ => parser.parse_batch(&bytes, &mut samples).map(|_| ()).with_context(context)?,
    }
    if samples.rows == 0 {
        match samples.refused.first() {
            Some(reason) => {
                bail!("{}: none of its events can be read; the first: {reason}", path.display())
            }
            None => bail!("{}: it has a header and no line of values", path.display()),
        }
    }
    let names = parser.dimensions().iter().map(|dimension| dimension.name.clone());
    let column =
        |(name, seen): (String, Seen)| Column { name, is_time: seen.is_time(), other: seen.other };
    Ok(names.zip(samples.columns).map(column).collect())
}

/// Takes rows and keeps what their values have in common.
#[derive(Debug, Default)]
struct Samples {
    columns: Vec<Seen>,
    rows: u64,
    /// Why the first line was refused.
    refused: Vec<String>,
}

impl RowSink for Samples {
    fn row(&mut self, _: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.rows += 1;
        self.columns.resize(self.columns.len().max(values.len()), Seen::default());
        for (seen, value) in self.columns.iter_mut().zip(values) {
            if let ValueRef::String(text) = value {
                seen.see(text);
            }
        }
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        if self.refused.is_empty() {
            self.refused.push(rejection.reason.to_string());
        }
    }

    fn new_dimension(&mut self, _: &DimensionSchema) {}
}

fn time_of<'a>(columns: &'a [Column], asked: Option<&str>) -> Result<&'a Column> {
    let named = |name: &str| columns.iter().find(|c| c.name.eq_ignore_ascii_case(name));
    let names = || columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(asked) = asked {
        let column = columns.iter().find(|column| column.name == asked);
        return column.with_context(|| {
            format!("--timestamp-column: there is no column '{asked}', only {}", names())
        });
    }
    let mut likely = TIME_NAMES.iter().filter_map(|name| named(name));
    let found = likely.find(|column| column.is_time);
    let found = found.or_else(|| columns.iter().find(|column| column.is_time));
    found.with_context(|| {
        // A column that is called a time may hold times of a format that nobody guesses.
        let unread = TIME_NAMES.iter().filter_map(|name| named(name)).find_map(|column| {
            let value = column.other.as_ref()?;
            Some(format!(
                "'{}' holds '{value}', whose format a --spec has to name: \
                 {{\"timestampSpec\": {{\"column\": \"{}\", \"format\": \"dd.MM.yyyy\"}}, \
                 \"dimensionsSpec\": {{}}}}",
                column.name, column.name
            ))
        });
        match unread {
            Some(unread) => format!(
                "no column looks like a time: {unread}; or name another column with \
                 --timestamp-column: {}",
                names()
            ),
            None => {
                format!(
                    "no column looks like a time; name one with --timestamp-column: {}",
                    names()
                )
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_HINTS: Hints<'_> =
        Hints { time_column: None, header: HeaderChoice::Look, uint64: None };

    fn guess(name: &str, content: &str, hints: &Hints<'_>) -> Result<Guess> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        spec(&path, hints)
    }

    #[test]
    fn formats_and_headers_are_found() {
        let csv = "id,when,n\n1,2024-01-01T00:00:00Z,5\n2,2024-01-02T00:00:00Z,\n";
        let found = guess("a.csv", csv, &NO_HINTS).unwrap();
        assert_eq!(found.spec["timestampSpec"], json!({ "column": "when", "format": "auto" }));
        assert_eq!(found.spec["inputFormat"]["findColumnsFromHeader"], true);
        assert!(found.decided.contains("first line names the columns"), "{}", found.decided);
        let tsv = csv.replace(',', "\t");
        assert_eq!(guess("noname", &tsv, &NO_HINTS).unwrap().spec["inputFormat"]["type"], "tsv");
        let (_, bare) = csv.split_once('\n').unwrap();
        let found = guess("a.csv", bare, &NO_HINTS).unwrap();
        assert_eq!(
            found.spec["inputFormat"]["columns"],
            json!(["column_1", "column_2", "column_3"])
        );
        assert_eq!(found.spec["timestampSpec"]["column"], "column_2");
        assert!(found.decided.contains("without a header"), "{}", found.decided);
        let folder = tempfile::tempdir().unwrap();
        let (named, unnamed) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
        std::fs::write(&named, csv).unwrap();
        std::fs::write(&unnamed, bare).unwrap();
        let error = check_alike(&unnamed, &named, &NO_HINTS).unwrap_err().to_string();
        assert!(error.contains("a.csv names") && error.contains("b.csv does not"), "{error}");
        assert!(check_alike(&named, &named, &NO_HINTS).is_ok());
        let given = Hints { header: HeaderChoice::Given, ..NO_HINTS };
        let found = guess("a.csv", bare, &given).unwrap();
        assert_eq!(found.spec["inputFormat"]["findColumnsFromHeader"], true);
    }

    #[test]
    fn times_are_found_by_name_then_by_value() {
        let json_lines = "{\"a\":1700000000,\"time\":1700000000000,\"tags\":[\"x\",\"y\"]}";
        let found = guess("a.json", json_lines, &NO_HINTS).unwrap().spec;
        assert_eq!(found["timestampSpec"], json!({ "column": "time", "format": "auto" }));
        let asked = Hints { time_column: Some("a"), ..NO_HINTS };
        let found = guess("a.json", json_lines, &asked).unwrap().spec;
        assert_eq!(found["timestampSpec"], json!({ "column": "a", "format": "auto" }));
        let refused = |column| {
            let hints = Hints { time_column: column, ..NO_HINTS };
            format!("{:#}", guess("a.json", "{\"a\":\"x\"}", &hints).unwrap_err())
        };
        assert!(refused(Some("b")).contains("only a"));
        assert!(refused(None).contains("--timestamp-column"));
        let german = guess("a.csv", "time;n\n01.02.2026;5\n", &NO_HINTS).unwrap_err();
        let german = format!("{german:#}");
        assert!(german.contains("'time' holds '01.02.2026', whose format a --spec"), "{german}");
        assert!(guess("a.bin", "nothing", &NO_HINTS).unwrap_err().to_string().contains("format"));
    }
}
