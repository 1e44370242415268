//! `henge ingest`: files into a datasource, as a batch task of the server.

mod dialect;
mod existing;
mod follow;
mod guess;
mod header;
mod kinds;
mod report;
mod spec;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::http::Client;
use super::output::{counted, say};
use existing::Existing;
use follow::{Outcome, Progress};
use guess::{Guess, Hints};
use header::HeaderChoice;
use spec::TaskOptions;

/// Options of `henge ingest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --spec the first file says what the files look like: its format by the \
name or the first bytes, what separates the values of CSV and TSV (comma, semicolon, tab or bar), \
whether the first line names the columns, and which column is the time. Text has to be UTF-8. The types of columns come from all values: whole numbers are LONG, decimals DOUBLE, and a \
column with anything that these would cut or lose is text (007 stays 007). Structs, maps and lists of \
them are kept as JSON text, lists of values as several values. Time chunks are days then, and rows are \
kept as they are. Numbers as times are told apart by their size: seconds, milliseconds, microseconds, \
nanoseconds, and 20261101 is a day.

The spec may be a whole index_parallel task, its `spec`, its `dataSchema`, or a flat object:
  {
    \"timestampSpec\": {\"column\": \"time\", \"format\": \"auto\"},
    \"dimensionsSpec\": {\"dimensions\": [\"page\", {\"name\": \"bytes\", \"type\": \"long\"}]},
    \"metricsSpec\": [{\"type\": \"count\", \"name\": \"count\"}],
    \"granularitySpec\": {\"segmentGranularity\": \"day\", \"rollup\": true}
  }

Where the datasource holds rows already, say --append or --replace (on a terminal you are asked); what \
was replaced is printed. A file that was loaded before is noticed by its content.

Events that cannot be stored do not stop the rest: they are counted by column with the line of the \
first, listed under /v1/datasources/NAME/dead-letters, and the exit code is 1 unless --max-errors \
allows as many.

Examples:
  henge ingest trips.parquet
  henge ingest --datasource trips --timestamp-column pickup trips/*.csv.gz
  henge ingest --datasource trips --append more.csv
  henge ingest --datasource wikipedia --spec wikipedia.spec.json edits.json.gz"
)]
pub(crate) struct IngestArgs {
    /// The datasource to write; by default the one that the spec names, or the name of the file.
    #[arg(long, value_name = "NAME")]
    datasource: Option<String>,
    /// What the events look like; by default what the first file looks like.
    #[arg(long, value_name = "SPEC.json")]
    spec: Option<PathBuf>,
    /// The column of the time, without --spec; by default the likeliest one.
    #[arg(long, value_name = "COLUMN", conflicts_with = "spec")]
    timestamp_column: Option<String>,
    /// The first line of each CSV or TSV file names the columns. For files whose format no spec names.
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// CSV and TSV files begin with values: columns are named column_1, column_2 and so on.
    #[arg(long)]
    no_header: bool,
    /// What becomes of whole numbers above 2^63 - 1 in Parquet files whose format no spec names.
    #[arg(long, value_enum, value_name = "HOW")]
    uint64: Option<Uint64>,
    /// The server, which has to run on this machine: it reads the files itself.
    #[arg(long, value_name = "URL", env = "HENGE_URL", default_value = "http://127.0.0.1:8888")]
    url: String,
    /// The token of the cluster, where the server asks for it.
    #[arg(long, value_name = "TOKEN", env = "HENGE_CLUSTER__TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Add to the rows that are there.
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Replace the time chunks that events fall into.
    #[arg(long)]
    replace: bool,
    /// Add the rows of files that were loaded before once more.
    #[arg(long)]
    force: bool,
    /// Store nothing when an event would be refused, a value changed, a field left out, or a field that
    /// the spec names is in no event.
    #[arg(long)]
    strict: bool,
    /// Events refused and values changed or lost before the exit code is 1. Fields that the spec names
    /// nowhere and times that are cut to milliseconds do not count.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_errors: u64,
    /// Parquet, CSV, TSV or JSON (one event after the other, or lists of events); all but Parquet
    /// also as .gz.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Where a spec names its format.
const FORMAT_PLACES: [&str; 3] =
    ["/inputFormat", "/ioConfig/inputFormat", "/spec/ioConfig/inputFormat"];

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

/// Runs the command.
pub(crate) fn run(args: &IngestArgs) -> Result<ExitCode> {
    let client = Client::new(&args.url)?.with_token(args.token.as_deref());
    let spec = match &args.spec {
        Some(path) => read_spec(path)?,
        None => guessed_spec(args)?,
    };
    let files =
        args.files.iter().map(|file| absolute_file(file)).collect::<Result<Vec<String>>>()?;
    let format = args.files.first().map(|file| guess::input_format(file, &hints(args)));
    // A spec that names its format needs no guess.
    let is_named = FORMAT_PLACES.iter().any(|place| spec.pointer(place).is_some());
    let format = if is_named { format.and_then(Result::ok) } else { format.transpose()? };
    let (format, decided) = format.unzip();
    let said = match (args.append, args.replace) {
        (true, _) => Some(Existing::Append),
        (_, true) => Some(Existing::Replace),
        _ => None,
    };
    let options = TaskOptions {
        datasource: args.datasource.as_deref(),
        files: &files,
        format: format.clone(),
        existing: said,
    };
    let in_error = || match &args.spec {
        Some(path) => format!("cannot use the spec {}", path.display()),
        None => "cannot make a task of the files".to_owned(),
    };
    let (mut task, datasource) = spec::task(spec, &options).with_context(in_error)?;
    let used = task.pointer("/spec/ioConfig/inputFormat");
    if args.spec.is_some() && used == format.as_ref() {
        say(format!("The spec names no inputFormat: {}", decided.unwrap_or_default()))?;
    }
    if args.strict {
        task["context"]["strict"] = true.into();
    }
    let before = follow::segment_ids(&client, &datasource)?;
    settle_existing(&client, args, &mut task, &datasource)?;
    let started = Instant::now();
    let reply = client.post("/druid/indexer/v1/task", &task)?;
    let id = reply.get("task").and_then(Value::as_str).context("the server gave no task id")?;
    let outcome = follow::follow(&client, id, &datasource)?;
    if outcome.error.is_none() {
        follow::wait_until_served(&client, &datasource, &before, outcome.progress.segments)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    conclude(&client, &datasource, id, &outcome, seconds)?;
    Ok(exit_code(&outcome.progress, args.max_errors)?)
}

/// Loads a file into a datasource that is not there yet, by what it looks like; nothing is said of it.
pub(super) fn load(client: &Client, file: &Path, datasource: &str) -> Result<()> {
    let hints = Hints { time_column: None, header: HeaderChoice::Look, uint64: None };
    let Guess { spec, .. } = guess::spec(file, &hints)?;
    let (format, _) = guess::input_format(file, &hints)?;
    let files = [absolute_file(file)?];
    let options = TaskOptions {
        datasource: Some(datasource),
        files: &files,
        format: Some(format),
        existing: Some(Existing::Append),
    };
    let (task, datasource) = spec::task(spec, &options)?;
    let before = follow::segment_ids(client, &datasource)?;
    let reply = client.post("/druid/indexer/v1/task", &task)?;
    let id = reply.get("task").and_then(Value::as_str).context("the server gave no task id")?;
    let Outcome { progress, error } = follow::follow(client, id, &datasource)?;
    if let Some(error) = error {
        bail!("{error}");
    }
    follow::wait_until_served(client, &datasource, &before, progress.segments)
}

/// Decides what happens to rows that are there, and notices files that were loaded before.
fn settle_existing(
    client: &Client,
    args: &IngestArgs,
    task: &mut Value,
    datasource: &str,
) -> Result<()> {
    let Some(rows) = existing::rows_there(client, datasource) else { return Ok(()) };
    let existing = match spec::existing_of(task) {
        Some(existing) => existing,
        None => existing::ask(datasource, &rows)?,
    };
    if let Some(io) = task.pointer_mut("/spec/ioConfig").and_then(Value::as_object_mut) {
        io.entry("appendToExisting").or_insert((existing == Existing::Append).into());
    }
    existing::check_same_files(client, datasource, &args.files, existing, args.force)?;
    say(format!("There already: {rows}"))?;
    Ok(())
}

fn conclude(
    client: &Client,
    datasource: &str,
    id: &str,
    outcome: &Outcome,
    seconds: f64,
) -> Result<()> {
    let Progress { accepted, rejected, filtered, segments, ref report, .. } = outcome.progress;
    if outcome.error.is_none() {
        say(format!(
            "{} stored in datasource '{datasource}' as {}, in {seconds:.1} s ({}/s)",
            counted(accepted, "event"),
            counted(segments, "segment"),
            counted((accepted as f64 / seconds) as u64, "event"),
        ))?;
        if accepted + filtered + rejected == 0 {
            say("The files hold no events.")?;
        }
    }
    if filtered > 0 {
        say(format!("{} left out by the filter of the spec", counted(filtered, "event")))?;
    }
    report::print(report, client.base_url(), datasource, id)?;
    if let Some(error) = &outcome.error {
        bail!("task {id} failed: {error}");
    }
    if let Some((first, last)) = follow::time_boundary(client, datasource)? {
        if let Some(columns) = report::columns(client, datasource) {
            say(format!("Columns: {columns}"))?;
        }
        say(format!("The datasource now holds {first} to {last}, and answers queries."))?;
    }
    Ok(())
}

/// Not 0 when more was refused, changed or lost than the command line allows.
fn exit_code(progress: &Progress, max_errors: u64) -> std::io::Result<ExitCode> {
    let changes = progress.report.changes.iter();
    // No column of times holds less than a millisecond: that is told of and is no error.
    let changed: u64 = changes.filter(|entry| !entry.cut_to_ms).map(|entry| entry.count).sum();
    let errors = progress.rejected + changed;
    if errors <= max_errors {
        return Ok(ExitCode::SUCCESS);
    }
    say(format!(
        "{} (events and values that are not stored as they came), --max-errors allows {max_errors}: \
         the exit code is 1, though all else is stored",
        counted(errors, "error")
    ))?;
    Ok(ExitCode::FAILURE)
}

fn hints(args: &IngestArgs) -> Hints<'_> {
    Hints {
        time_column: args.timestamp_column.as_deref(),
        header: match (args.header, args.no_header) {
            (true, _) => HeaderChoice::Given,
            (_, true) => HeaderChoice::None,
            _ => HeaderChoice::Look,
        },
        uint64: args.uint64.map(|how| match how {
            Uint64::Text => "text",
            Uint64::Decimal => "decimal",
            Uint64::Long => "long",
        }),
    }
}

/// A spec by the first file, with the datasource named like it.
fn guessed_spec(args: &IngestArgs) -> Result<Value> {
    let Some(first) = args.files.first() else { bail!("nothing to read: name at least one FILE") };
    let Guess { mut spec, decided } = guess::spec(first, &hints(args))?;
    for other in &args.files[1..] {
        guess::check_alike(first, other, &hints(args))?;
    }
    say(format!("{}: {decided}", first.display()))?;
    let name = first.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("data");
    if args.datasource.is_none() {
        spec["dataSource"] = name.into();
    }
    Ok(spec)
}

fn read_spec(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}

/// The server may run in another directory, so it gets whole paths.
fn absolute_file(path: &Path) -> Result<String> {
    let absolute = path.canonicalize().with_context(|| format!("read {}", path.display()))?;
    if absolute.is_dir() {
        bail!("{} is a directory: name the files in it", path.display());
    }
    match absolute.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("{}: the path is not UTF-8, which JSON cannot hold", path.display()),
    }
}
