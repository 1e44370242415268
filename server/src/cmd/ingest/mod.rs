//! `henge ingest`: files into a datasource, as a batch task of the server.

mod args;
mod columns;
mod dialect;
mod dry_run;
mod existing;
mod follow;
mod glob;
mod guess;
mod header;
mod inputs;
mod interrupt;
mod kinds;
mod report;
mod sample;
mod shape;
mod spec;
mod time;
mod trial;
mod upload;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use henge_query::ingest::TextEncoding;
use serde_json::{Value, json};

use super::http::Client;
use super::output::{counted, say};
pub(crate) use args::IngestArgs;
use existing::Existing;
use follow::{Outcome, Progress};
use guess::{Guess, Hints};
use inputs::{Source, Sources};
use interrupt::{INTERRUPTED, Interrupts};
pub(crate) use report::lines as report_lines;
use sample::{Sample, Told};
use spec::TaskOptions;

/// Where a spec names its format.
const FORMAT_PLACES: [&str; 3] =
    ["/inputFormat", "/ioConfig/inputFormat", "/spec/ioConfig/inputFormat"];

/// Files to load and the task that loads them, but for where the server finds them.
struct Plan {
    sources: Sources,
    /// The first file that holds something.
    sample: Option<Sample>,
    task: Value,
    datasource: String,
}

/// Runs the command.
pub(crate) fn run(args: &IngestArgs) -> Result<ExitCode> {
    let Plan { sources, sample, mut task, datasource } = plan(args)?;
    if args.dry_run {
        let Some(sample) = &sample else { bail!("--dry-run looks into a file: name one") };
        let names: Vec<String> = sources.files.into_iter().map(|source| source.name).collect();
        return dry_run::print(&task, sample, &names).map(|()| ExitCode::SUCCESS);
    }
    let client = Client::new(&args.url)?.with_token(args.token.as_deref());
    let interrupts = Interrupts::listen(client.clone())?;
    let before = follow::segment_ids(&client, &datasource)?;
    settle_existing(&client, args, &sources.files, &mut task, &datasource)?;
    if !sources.files.is_empty() {
        task["spec"]["ioConfig"]["inputSource"] = input_source(&client, args, &sources.files)?;
    }
    let started = Instant::now();
    if !args.detach {
        interrupts.submits();
    }
    let id = submit(&client, &task)?;
    if args.detach {
        say(format!(
            "Task {id} loads into '{datasource}': henge task log {id}, henge task stop {id}"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    interrupts.watch(&id);
    let outcome = follow::follow(&client, &id, &datasource)?;
    if outcome.error.is_some() && interrupts.was_pressed() {
        say(format!("Task {id} was stopped; nothing of it is stored."))?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if outcome.error.is_none() {
        follow::wait_until_served(&client, &datasource, &before, outcome.progress.segments)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    conclude(&client, &datasource, &id, &outcome, seconds)?;
    Ok(exit_code(&outcome.progress, args.max_errors)?)
}

/// Loads a file, or all files of a folder, into a datasource that is not there yet, by what they look like. Gives what
/// is to be said of events that were refused.
pub(super) fn load(client: &Client, file: &Path, datasource: &str) -> Result<Vec<String>> {
    let sources = inputs::find(&[file.to_owned()])?;
    let looked = sources.files.iter().map(|source| Sample::of(source, Told::default()));
    let samples: Vec<Sample> = looked.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let Some((first, others)) = samples.split_first() else {
        bail!("{}: there is nothing in it", file.display());
    };
    for other in others {
        guess::check_alike(first, other, &Hints::NONE)?;
    }
    let Guess { spec, .. } = guess::spec(first, &Hints::NONE)?;
    let options = TaskOptions {
        datasource: Some(datasource),
        input_source: Some(local_files(&sources.files)?),
        format: None,
        existing: Some(Existing::Append),
    };
    let (task, datasource) = spec::task(spec, &options)?;
    let before = follow::segment_ids(client, &datasource)?;
    let id = submit(client, &task)?;
    let Outcome { progress, error } = follow::follow(client, &id, &datasource)?;
    if let Some(error) = error {
        bail!("{error}");
    }
    follow::wait_until_served(client, &datasource, &before, progress.segments)?;
    Ok(report::refused(&progress.report))
}

/// Looks into the files, and makes a task of them.
fn plan(args: &IngestArgs) -> Result<Plan> {
    let given = args.spec.as_deref().map(read_spec).transpose()?;
    let mut told = args.told();
    told.encoding = given.as_ref().and_then(encoding_of).or(told.encoding);
    let (sources, samples) = samples(args, told)?;
    let spec = match given {
        Some(spec) => spec,
        None => guessed_spec(args, &samples)?,
    };
    let format = samples.first().map(|sample| guess::input_format(sample, &args.hints()));
    // A spec that names its format needs no guess.
    let is_named = FORMAT_PLACES.iter().any(|place| spec.pointer(place).is_some());
    let format = if is_named { format.and_then(Result::ok) } else { format.transpose()? };
    let (format, decided) = format.unzip();
    let options = TaskOptions {
        datasource: args.datasource.as_deref(),
        input_source: (!sources.files.is_empty()).then(|| stand_in(&sources.files)),
        format: format.clone(),
        existing: match (args.append, args.replace) {
            (true, _) => Some(Existing::Append),
            (_, true) => Some(Existing::Replace),
            _ => None,
        },
    };
    let in_error = || match &args.spec {
        Some(path) => format!("cannot use the spec {}", path.display()),
        None => "cannot make a task of the files".to_owned(),
    };
    let (mut task, datasource) = spec::task(spec, &options).with_context(in_error)?;
    let used = task.pointer("/spec/ioConfig/inputFormat");
    if args.spec.is_some() && !is_named && used == format.as_ref() {
        note(args, format!("The spec names no inputFormat: {}", decided.unwrap_or_default()))?;
    }
    set_encoding(&mut task, told.encoding);
    if args.strict {
        task["context"]["strict"] = true.into();
    }
    Ok(Plan { sources, sample: samples.into_iter().next(), task, datasource })
}

/// The files that hold something, and a look into each that wants one.
fn samples(args: &IngestArgs, told: Told) -> Result<(Sources, Vec<Sample>)> {
    let mut sources = inputs::find(&args.files)?;
    let (mut samples, mut empty) = (Vec::new(), Vec::new());
    for source in std::mem::take(&mut sources.files) {
        // A spec that names a format needs no look.
        let looked = match Sample::of(&source, told) {
            Err(_) if args.spec.is_some() => None,
            looked => Some(looked?),
        };
        match looked {
            Some(None) => empty.push(source.name),
            Some(Some(sample)) => {
                samples.push(sample);
                sources.files.push(source);
            }
            None => sources.files.push(source),
        }
    }
    if sources.files.is_empty() && !empty.is_empty() {
        let are = if empty.len() == 1 { "it is empty" } else { "all of them are empty" };
        bail!("nothing to load from {}: {are}", empty.join(", "));
    }
    for name in empty {
        say(format!("{name} is empty and left out"))?;
    }
    Ok((sources, samples))
}

/// A spec by the first file, with the datasource named like it.
fn guessed_spec(args: &IngestArgs, samples: &[Sample]) -> Result<Value> {
    let Some(first) = samples.first() else { bail!("nothing to read: name at least one FILE") };
    let hints = args.hints();
    let Guess { mut spec, decided, mut columns } = guess::spec(first, &hints)?;
    for other in &samples[1..] {
        guess::check_alike(first, other, &hints)?;
    }
    let shape = args.shape();
    shape.reach_within(&mut spec, &mut columns);
    let types = match shape.needs_types() {
        true => dry_run::types(first, &spec["inputFormat"])?,
        false => BTreeMap::new(),
    };
    shape.apply(&mut spec, &columns, &types)?;
    note(args, format!("{}: {decided}", first.name))?;
    if args.datasource.is_none() {
        spec["dataSource"] = datasource_of(&first.path).into();
    }
    Ok(spec)
}

/// Says something, unless a program reads what is printed.
fn note(args: &IngestArgs, text: String) -> Result<()> {
    if !args.dry_run {
        say(text)?;
    }
    Ok(())
}

/// The name of a file up to its first point.
fn datasource_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("data");
    name.to_owned()
}

fn submit(client: &Client, task: &Value) -> Result<String> {
    let reply = client.post("/druid/indexer/v1/task", task)?;
    let id = reply.get("task").and_then(Value::as_str).context("the server gave no task id")?;
    Ok(id.to_owned())
}

/// The files by their paths where the server reads them, else as they are sent to it.
fn input_source(client: &Client, args: &IngestArgs, sources: &[Source]) -> Result<Value> {
    // What goes with this process would be gone when a task is taken up again.
    let is_sent = args.upload
        || !upload::is_here(client.base_url())
        || sources.iter().any(|source| source.is_temporary);
    if is_sent { upload::send(client, sources) } else { local_files(sources) }
}

/// The server may run in another directory, so it gets whole paths.
fn local_files(sources: &[Source]) -> Result<Value> {
    let absolute = |source: &Source| {
        let path = source.path.canonicalize().with_context(|| format!("read {}", source.name))?;
        match path.to_str() {
            Some(text) => Ok(text.to_owned()),
            None => bail!("{}: the path is not UTF-8, which JSON cannot hold", source.name),
        }
    };
    let files = sources.iter().map(absolute).collect::<Result<Vec<String>>>()?;
    Ok(json!({ "type": "local", "files": files }))
}

/// The files by their names, until it is known how the server gets them.
fn stand_in(sources: &[Source]) -> Value {
    let names: Vec<String> = sources.iter().map(|one| one.path.display().to_string()).collect();
    json!({ "type": "local", "files": names })
}

/// Decides what happens to rows that are there, and notices files that were loaded before.
fn settle_existing(
    client: &Client,
    args: &IngestArgs,
    sources: &[Source],
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
    existing::check_same_files(client, datasource, sources, existing, args.force)?;
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

/// The encoding that a spec names. One that is unknown is for the server to refuse.
fn encoding_of(spec: &Value) -> Option<TextEncoding> {
    let format = FORMAT_PLACES.iter().find_map(|place| spec.pointer(place))?;
    TextEncoding::named(format.get("encoding")?.as_str()?)
}

/// Says in a task how its text is written, where it does not say so itself.
fn set_encoding(task: &mut Value, encoding: Option<TextEncoding>) {
    let format = task.pointer_mut("/spec/ioConfig/inputFormat").and_then(Value::as_object_mut);
    if let (Some(encoding), Some(format)) = (encoding, format)
        && format.get("type").is_some_and(|kind| kind != "parquet")
    {
        format.entry("encoding").or_insert_with(|| encoding.name().to_lowercase().into());
    }
}

fn read_spec(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}
