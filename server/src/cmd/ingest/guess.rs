//! Looking into a file that comes without a spec: its format, its columns, where its time is.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use henge_index::DimensionSchema;
use henge_ingest::{ParseLimits, Rejection, RowError, RowParser, RowSink};
use henge_query::ingest::{DataSchema, DelimitedFormat};
use henge_realtime_node::task::LocalFile;
use henge_tabular::{DelimitedReader, ParquetTable};
use henge_types::{ValueRef, parse_timestamp_ms};
use serde_json::{Value, json};

/// Bytes that are looked at, inflated.
const SAMPLE_BYTES: u64 = 1 << 20;
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
/// From 2000 to 2100, in seconds.
const PLAUSIBLE_SECONDS: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Tsv,
    Parquet,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    /// `long`, `double` or `string`.
    type_name: &'static str,
    /// How its values are written, if they can be times.
    time_format: Option<&'static str>,
}

/// The inputFormat of a file.
///
/// # Errors
/// When it cannot be read, or looks like none of the formats.
pub(super) fn input_format(path: &Path) -> Result<Value> {
    Ok(spec_of(format(path)?))
}

/// A spec for a file, with its time in the given column or the likeliest one.
///
/// # Errors
/// When the file cannot be read, or no column looks like a time.
pub(super) fn spec(path: &Path, time_column: Option<&str>) -> Result<Value> {
    let format = format(path)?;
    let columns = match format {
        Format::Parquet => parquet_columns(path)?,
        _ => sampled_columns(path, format)?,
    };
    let time = time_of(&columns, time_column)?;
    let dimensions: Vec<Value> = columns
        .iter()
        .filter(|column| column.name != time.name && column.name != "__time")
        .map(|column| json!({ "name": column.name, "type": column.type_name }))
        .collect();
    Ok(json!({
        "timestampSpec": { "column": time.name, "format": time.time_format.unwrap_or("auto") },
        "dimensionsSpec": { "dimensions": dimensions },
        "granularitySpec": {
            "segmentGranularity": "day", "queryGranularity": "none", "rollup": false,
        },
        "inputFormat": spec_of(format),
    }))
}

fn spec_of(format: Format) -> Value {
    match format {
        Format::Json => json!({ "type": "json" }),
        Format::Parquet => json!({ "type": "parquet" }),
        Format::Csv => json!({ "type": "csv", "findColumnsFromHeader": true }),
        Format::Tsv => json!({ "type": "tsv", "findColumnsFromHeader": true }),
    }
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
        _ if line.contains(&b',') => Ok(Format::Csv),
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

fn parquet_columns(path: &Path) -> Result<Vec<Column>> {
    let context = || format!("read {}", path.display());
    let file = LocalFile::open(path).with_context(context)?;
    let table = ParquetTable::open(Arc::new(file)).with_context(context)?;
    let columns = table.fields().iter().filter(|field| field.refusal().is_none());
    let column = |field: &henge_tabular::ParquetField| {
        let column_type = field.column_type().to_string().to_lowercase();
        let type_name = match column_type.as_str() {
            "long" => "long",
            "double" => "double",
            _ => "string",
        };
        let name = field.name.clone();
        Column { name, type_name, time_format: field.is_time().then_some("millis") }
    };
    Ok(columns.map(column).collect())
}

/// Columns by the values of the first events.
fn sampled_columns(path: &Path, format: Format) -> Result<Vec<Column>> {
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
    match format {
        Format::Csv | Format::Tsv => {
            let mut reader = DelimitedReader::new(DelimitedFormat {
                quoting: format == Format::Csv,
                delimiter: if format == Format::Csv { ',' } else { '\t' },
                list_delimiter: "\u{1}".to_owned(),
                columns: None,
                has_header: true,
                skip_header_rows: 0,
                try_parse_numbers: false,
            });
            reader.read(&bytes, &mut parser, &mut samples).map(|_| ()).with_context(context)?;
        }
        _ => parser.parse_batch(&bytes, &mut samples).map(|_| ()).with_context(context)?,
    }
    let names = parser.dimensions().iter().map(|dimension| dimension.name.clone());
    Ok(names.zip(samples.columns).map(|(name, seen)| seen.column(name)).collect())
}

/// What the values of a column have in common.
#[derive(Debug, Clone)]
struct Seen {
    long: bool,
    double: bool,
    list: bool,
    text_time: bool,
    seconds: bool,
    millis: bool,
}

impl Default for Seen {
    fn default() -> Self {
        let list = false;
        Self { long: true, double: true, list, text_time: true, seconds: true, millis: true }
    }
}

impl Seen {
    fn see(&mut self, text: &str) {
        let number = text.parse::<i64>().ok();
        // Leading zeros are part of a name, not of a number.
        let is_name = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
        self.long &= number.is_some() && !is_name;
        self.double &= text.parse::<f64>().is_ok_and(f64::is_finite) && !is_name;
        self.text_time &= number.is_none() && parse_timestamp_ms(text).is_ok();
        self.seconds &= number.is_some_and(|number| PLAUSIBLE_SECONDS.contains(&number));
        self.millis &= number.is_some_and(|n| PLAUSIBLE_SECONDS.contains(&(n / 1_000)));
    }

    fn column(self, name: String) -> Column {
        let type_name = match self {
            Self { list: false, long: true, .. } => "long",
            Self { list: false, double: true, .. } => "double",
            _ => "string",
        };
        let time_format = match self {
            Self { list: true, .. } => None,
            Self { seconds: true, .. } => Some("posix"),
            Self { text_time: true, .. } | Self { millis: true, .. } => Some("auto"),
            _ => None,
        };
        Column { name, type_name, time_format }
    }
}

/// Takes rows and keeps what their values have in common.
#[derive(Debug, Default)]
struct Samples {
    columns: Vec<Seen>,
}

impl RowSink for Samples {
    fn row(&mut self, _: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        self.columns.resize(self.columns.len().max(values.len()), Seen::default());
        for (seen, value) in self.columns.iter_mut().zip(values) {
            match value {
                ValueRef::String(text) => seen.see(text),
                ValueRef::Multi(_) => seen.list = true,
                _ => {}
            }
        }
        Ok(())
    }

    fn rejected(&mut self, _: Rejection<'_>) {}

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
    let found = likely.find(|column| column.time_format.is_some());
    let found = found.or_else(|| columns.iter().find(|column| column.time_format.is_some()));
    found.with_context(|| {
        format!("no column looks like a time; name one with --timestamp-column: {}", names())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec_for(name: &str, content: &str, time_column: Option<&str>) -> Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        spec(&path, time_column)
    }

    #[test]
    fn columns_and_their_types_come_from_the_first_rows() {
        let csv =
            "id,when,n,x,zip\n1,2024-01-01T00:00:00Z,5,1.5,0815\n2,2024-01-02T00:00:00Z,,2,7\n";
        let found = spec_for("a.csv", csv, None).unwrap();
        assert_eq!(found["timestampSpec"], json!({ "column": "when", "format": "auto" }));
        let expected = json!([
            { "name": "id", "type": "long" }, { "name": "n", "type": "long" },
            { "name": "x", "type": "double" }, { "name": "zip", "type": "string" },
        ]);
        assert_eq!(found["dimensionsSpec"]["dimensions"], expected);
        assert_eq!(found["inputFormat"]["type"], "csv");
        let tsv = csv.replace(',', "\t");
        assert_eq!(
            spec_for("a.tsv", &tsv, None).unwrap()["dimensionsSpec"],
            found["dimensionsSpec"]
        );
        assert_eq!(spec_for("noname", &tsv, None).unwrap()["inputFormat"]["type"], "tsv");
    }

    #[test]
    fn times_are_found_by_name_then_by_value() {
        let json_lines = "{\"a\":1700000000,\"time\":1700000000000,\"tags\":[\"x\",\"y\"]}";
        let found = spec_for("a.json", json_lines, None).unwrap();
        assert_eq!(found["timestampSpec"], json!({ "column": "time", "format": "auto" }));
        let found = spec_for("a.json", json_lines, Some("a")).unwrap();
        assert_eq!(found["timestampSpec"], json!({ "column": "a", "format": "posix" }));
        let refused = |column| spec_for("a.json", "{\"a\":\"x\"}", column).unwrap_err().to_string();
        assert!(refused(Some("b")).contains("only a"));
        assert!(refused(None).contains("--timestamp-column"));
        assert!(spec_for("a.bin", "nothing", None).unwrap_err().to_string().contains("format"));
    }
}
