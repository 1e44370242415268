//! `henge ingest`: files into a datasource, as a batch task of the server.

mod follow;
mod guess;
mod spec;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use super::http::{Client, path_segment};
use super::output::{counted, say};
use follow::{Outcome, Progress};
use spec::TaskOptions;

/// Reasons for refused events that are printed.
const REASONS_SHOWN: usize = 3;
/// Refused events among which those reasons are looked for.
const LETTERS_READ: usize = 10_000;

/// Options of `henge ingest`.
#[derive(Debug, Args)]
#[command(
    after_help = "The spec may be a whole index_parallel task, its `spec`, its `dataSchema`, or \
a flat object:
  {
    \"timestampSpec\": {\"column\": \"time\", \"format\": \"auto\"},
    \"dimensionsSpec\": {\"dimensions\": [\"page\", {\"name\": \"bytes\", \"type\": \"long\"}]},
    \"metricsSpec\": [{\"type\": \"count\", \"name\": \"count\"}],
    \"granularitySpec\": {\"segmentGranularity\": \"day\", \"rollup\": true}
  }
The time chunks that events fall into are replaced, unless --append is given. Refused events do not
stop the rest; they are listed with reasons under /v1/datasources/NAME/dead-letters.

Without --spec, columns and types are taken from the first file: from the schema of a Parquet file, \
from the first rows of others (CSV and TSV need a header). Time chunks are days then, and rows are \
kept as they are.

Examples:
  henge ingest trips.parquet
  henge ingest --datasource trips --timestamp-column pickup trips/*.csv.gz
  henge ingest --datasource wikipedia --spec wikipedia.spec.json edits.json.gz
  henge ingest --datasource wikipedia --spec wikipedia.spec.json --append more/*.json"
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
    /// The server, which has to run on this machine: it reads the files itself.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8888")]
    url: String,
    /// Add to what is there instead of replacing the time chunks that events fall into.
    #[arg(long)]
    append: bool,
    /// Parquet, CSV, TSV or JSON (one event after the other, or lists of events); all but Parquet
    /// also as .gz.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &IngestArgs) -> Result<ExitCode> {
    let client = Client::new(&args.url)?;
    let spec = match &args.spec {
        Some(path) => read_spec(path)?,
        None => guessed_spec(args)?,
    };
    let files =
        args.files.iter().map(|file| absolute_file(file)).collect::<Result<Vec<String>>>()?;
    let format = args.files.first().map(|file| guess::input_format(file)).transpose();
    let options = TaskOptions {
        datasource: args.datasource.as_deref(),
        files: &files,
        // A spec that names its format needs no guess.
        format: format.ok().flatten(),
        append: args.append,
    };
    let (task, datasource) = spec::task(spec, &options).with_context(|| match &args.spec {
        Some(path) => format!("cannot use the spec {}", path.display()),
        None => "cannot make a task of the files".to_owned(),
    })?;
    let before = follow::segment_ids(&client, &datasource)?;
    let started = Instant::now();
    let reply = client.post("/druid/indexer/v1/task", &task)?;
    let id = reply.get("task").and_then(Value::as_str).context("the server gave no task id")?;
    let outcome = follow::follow(&client, id, &datasource)?;
    if outcome.error.is_none() {
        follow::wait_until_served(&client, &datasource, &before, outcome.progress.segments)?;
    }
    report(&client, &datasource, id, &outcome, started.elapsed().as_secs_f64())
}

fn report(
    client: &Client,
    datasource: &str,
    id: &str,
    outcome: &Outcome,
    seconds: f64,
) -> Result<ExitCode> {
    let Progress { accepted, rejected, filtered, segments, .. } = outcome.progress;
    if outcome.error.is_none() {
        say(format!(
            "{} stored in datasource '{datasource}' as {}, in {seconds:.1} s ({}/s)",
            counted(accepted, "event"),
            counted(segments, "segment"),
            counted((accepted as f64 / seconds) as u64, "event"),
        ))?;
    }
    if outcome.error.is_none() && accepted + filtered + rejected == 0 {
        say("The files hold no events.")?;
    }
    if filtered > 0 {
        say(format!("{} left out by the filter of the spec", counted(filtered, "event")))?;
    }
    if rejected > 0 {
        say(format!("{} refused, for example:", counted(rejected, "event")))?;
        for reason in reasons(client, datasource, id) {
            say(format!("  {reason}"))?;
        }
        say(format!(
            "All of them: curl '{}'",
            client.base_url().to_owned() + &letters(datasource)
        ))?;
    }
    if let Some(error) = &outcome.error {
        bail!("task {id} failed: {error}");
    }
    if let Some((first, last)) = follow::time_boundary(client, datasource)? {
        say(format!("The datasource now holds {first} to {last}, and answers queries."))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn letters(datasource: &str) -> String {
    format!("/v1/datasources/{}/dead-letters", path_segment(datasource))
}

/// Why events of the task were refused; nothing when the server cannot say.
fn reasons(client: &Client, datasource: &str, id: &str) -> Vec<String> {
    let path = format!("{}?limit={LETTERS_READ}", letters(datasource));
    let reply = client.get(&path).unwrap_or_default();
    let origin = format!("task {id}");
    let all = reply.get("deadLetters").and_then(Value::as_array).cloned().unwrap_or_default();
    let own = all.iter().filter(|letter| letter["origin"].as_str() == Some(&origin));
    own.take(REASONS_SHOWN)
        .map(|letter| format!("event {}: {}", letter["position"], text(&letter["reason"])))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A spec by the first file, with the datasource named like it.
fn guessed_spec(args: &IngestArgs) -> Result<Value> {
    let Some(first) = args.files.first() else { bail!("nothing to read: name at least one FILE") };
    let mut spec = guess::spec(first, args.timestamp_column.as_deref())?;
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
