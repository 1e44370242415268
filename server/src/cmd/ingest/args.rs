//! Options of `henge ingest`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use henge_query::ingest::TextEncoding;

use super::guess::Hints;
use super::header::HeaderChoice;
use super::sample::{Format, Told};
use super::shape::{Dimension, Metric, Shape, delimiter};
use super::time::TimeHints;

/// Options of `henge ingest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --spec the first file says what the files look like: its format by the \
name or the first bytes, what separates the values of CSV and TSV (comma, semicolon, tab or bar), \
whether the first line names the columns, and which column is the time, which stays a column of its own \
name beside __time. Text is UTF-8, or UTF-16 with a byte-order mark; of other text say --encoding. The types of columns come from all values: whole numbers are LONG, decimals DOUBLE, and a \
column with anything that these would cut or lose is text (007 stays 007). Structs, maps and lists of \
them are kept as JSON text, lists of values as several values. Rows are kept as they are, in time chunks whose size \
the server chooses by how many rows there are in what time. Numbers as times are told apart by their size: seconds, \
milliseconds, microseconds, nanoseconds, and 20261101 is a day.

FILE is a file, a folder with all that is below it, a glob in quotes, - for standard input, or a URL (http, https, \
s3, gs, az; credentials come from the environment, as AWS_ACCESS_KEY_ID). Files packed by gzip, Zstandard or ZIP are \
unpacked by their content. A server of another machine is sent the files.

The spec may be a whole index_parallel task, its `spec`, its `dataSchema`, or a flat object:
  {
    \"timestampSpec\": {\"column\": \"time\", \"format\": \"auto\"},
    \"dimensionsSpec\": {\"dimensions\": [\"page\", {\"name\": \"bytes\", \"type\": \"long\"}]},
    \"metricsSpec\": [{\"type\": \"count\", \"name\": \"count\"}],
    \"granularitySpec\": {\"segmentGranularity\": \"auto\", \"rollup\": true}
  }

Where the datasource holds rows already, say --append or --replace (on a terminal you are asked); what \
was replaced is printed. A file that was loaded before is noticed by its content.

Events that cannot be stored do not stop the rest: they are counted by column with the line of the \
first, listed under /v1/datasources/NAME/dead-letters, and the exit code is 1 unless --max-errors \
allows as many. Ctrl-C stops the load on the server as well, and nothing of it is stored (exit code 130).

Examples:
  henge ingest trips.parquet
  henge ingest --datasource trips --timestamp-column pickup trips/
  henge ingest --datasource trips --append more.csv.zst
  henge ingest --dry-run --delimiter ';' --timestamp-format dd.MM.yyyy sales.txt
  henge ingest --datasource hits --rollup --query-granularity hour \\
      --dimensions page,status:long --metrics count,sum:bytes 'logs/2026-*/*.json.gz'
  zcat events.gz | henge ingest --datasource events -
  henge ingest --datasource wikipedia --spec wikipedia.spec.json edits.json.gz"
)]
pub(crate) struct IngestArgs {
    /// The datasource to write; by default the one that the spec names, or the name of the file.
    #[arg(long, value_name = "NAME")]
    pub(super) datasource: Option<String>,
    /// What the events look like; by default what the first file looks like.
    #[arg(long, value_name = "SPEC.json")]
    pub(super) spec: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    /// The server.
    #[arg(long, value_name = "URL", env = "HENGE_URL", default_value = "http://127.0.0.1:8888")]
    pub(super) url: String,
    /// The token of the cluster, where the server asks for it.
    #[arg(long, value_name = "TOKEN", env = "HENGE_CLUSTER__TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Send the files to the server, also when it runs on this machine; otherwise it reads them itself.
    #[arg(long)]
    pub(super) upload: bool,
    /// Add to the rows that are there.
    #[arg(long, conflicts_with = "replace")]
    pub(super) append: bool,
    /// Replace the time chunks that events fall into.
    #[arg(long)]
    pub(super) replace: bool,
    /// Add the rows of files that were loaded before once more.
    #[arg(long)]
    pub(super) force: bool,
    /// Store nothing when an event would be refused, a value changed, a field left out, or a field that
    /// the spec names is in no event.
    #[arg(long)]
    pub(super) strict: bool,
    /// Events refused and values changed or lost before the exit code is 1. Fields that the spec names
    /// nowhere and times that are cut to milliseconds do not count.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) max_errors: u64,
    /// Print the task as JSON, with the columns and the first rows as they would be stored, and load nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Return as soon as the server has taken the task (henge task list, log and stop).
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) detach: bool,
    /// Parquet, CSV, TSV or JSON (one event after the other, or lists of events); all but Parquet
    /// also packed.
    #[arg(value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// How files are read that come without a spec.
#[derive(Debug, Args)]
struct ReadingArgs {
    /// The column of the time, without --spec; by default the likeliest one.
    #[arg(long, value_name = "COLUMN", conflicts_with = "spec")]
    timestamp_column: Option<String>,
    /// How times are written: auto, iso, posix, millis, micro, nano, or a pattern as dd.MM.yyyy HH:mm.
    #[arg(long, value_name = "FORMAT", conflicts_with = "spec")]
    timestamp_format: Option<String>,
    /// Keep the column of the time only as __time, and not under its own name as well.
    #[arg(long, conflicts_with = "spec")]
    drop_timestamp_column: bool,
    /// Give all rows this time.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["spec", "timestamp_column", "timestamp_format"])]
    constant_time: Option<String>,
    /// What the files are, where neither their names nor their first bytes say it.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// How text is written that is neither UTF-8 nor UTF-16 with a byte-order mark: windows-1252 (Latin-1), utf-16le,
    /// utf-16be, or another name that the web has for an encoding. An encoding that the spec names goes before it.
    #[arg(long, value_name = "NAME", value_parser = text_encoding)]
    encoding: Option<TextEncoding>,
    /// What separates values, of files whose format no spec names: one character, or `tab`.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<char>,
    /// The first line of each CSV or TSV file names the columns. For files whose format no spec names.
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// CSV and TSV files begin with values: columns are named column_1, column_2 and so on.
    #[arg(long)]
    no_header: bool,
    /// What becomes of whole numbers above 2^63 - 1 in Parquet files whose format no spec names.
    #[arg(long, value_enum, value_name = "HOW")]
    uint64: Option<Uint64>,
}

/// What rows become that come without a spec.
#[derive(Debug, Args)]
struct ShapeArgs {
    /// Store only these columns; each may have a type behind a colon: long, double, float, string, or auto. Of JSON and
    /// Parquet a path leads to what is within a column: user.id
    #[arg(long, value_name = "COLUMN[:TYPE],...", value_delimiter = ',', conflicts_with = "spec")]
    dimensions: Vec<Dimension>,
    /// Compute these while loading: count, or sum, min or max of a field, each with a name behind =.
    #[arg(
        long,
        value_name = "KIND:FIELD[=NAME],...",
        value_delimiter = ',',
        conflicts_with = "spec"
    )]
    metrics: Vec<Metric>,
    /// Combine rows with the same time and dimensions; without --metrics they are counted.
    #[arg(long, conflicts_with = "spec")]
    rollup: bool,
    /// Cut times to this: none, second, minute, hour, day and so on.
    #[arg(long, value_name = "NAME", conflicts_with = "spec")]
    query_granularity: Option<String>,
    /// The size of time chunks: hour, day, month, year and so on; by default the server chooses.
    #[arg(long, value_name = "NAME", conflicts_with = "spec")]
    segment_granularity: Option<String>,
}

/// Whole numbers above 2^63 - 1.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Uint64 {
    /// The column is text, where there are such numbers.
    Text,
    /// The column is DOUBLE, where there are such numbers, with the nearest values.
    Decimal,
    /// The column is LONG; rows with such numbers are refused.
    Long,
}

impl IngestArgs {
    pub(super) fn hints(&self) -> Hints<'_> {
        let reading = &self.reading;
        Hints {
            time: TimeHints {
                column: reading.timestamp_column.as_deref(),
                format: reading.timestamp_format.as_deref(),
                constant: reading.constant_time.as_deref(),
            },
            keeps_time_column: !reading.drop_timestamp_column,
            header: match (reading.header, reading.no_header) {
                (true, _) => HeaderChoice::Given,
                (_, true) => HeaderChoice::None,
                _ => HeaderChoice::Look,
            },
            delimiter: reading.delimiter,
            uint64: reading.uint64.map(|how| match how {
                Uint64::Text => "text",
                Uint64::Decimal => "decimal",
                Uint64::Long => "long",
            }),
        }
    }

    /// What is said of the files.
    pub(super) fn told(&self) -> Told {
        let ReadingArgs { format, delimiter, encoding, .. } = self.reading;
        // What has a delimiter has lines.
        Told { format: format.or(delimiter.map(|_| Format::Csv)), encoding }
    }

    pub(super) fn shape(&self) -> Shape<'_> {
        let shape = &self.shape;
        Shape {
            dimensions: &shape.dimensions,
            metrics: &shape.metrics,
            rollup: shape.rollup,
            query_granularity: shape.query_granularity.as_deref(),
            segment_granularity: shape.segment_granularity.as_deref(),
        }
    }
}

fn text_encoding(name: &str) -> Result<TextEncoding, String> {
    TextEncoding::named(name).ok_or_else(|| {
        "no encoding that is known: use utf-8, utf-16le, utf-16be, windows-1252 (Latin-1), shift_jis, gbk or another \
         name that the web has"
            .to_owned()
    })
}
