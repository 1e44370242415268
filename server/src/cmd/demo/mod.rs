//! `henge demo`: a server with sample page views, and what it answers.
//!
//! Everything goes the way of a real client: events over HTTP into the write-ahead log, hand-off to
//! segments, native queries over HTTP.

mod events;
mod push;
mod queries;
mod tables;

use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use henge_platform::config::ServerConfig;
use henge_platform::runtime::{Clock, SystemClock};
use henge_platform::telemetry::init_logging;
use henge_server::Running;
use henge_types::{Interval, parse_timestamp_ms};
use serde_json::json;

use self::push::{LiveEvents, StopFlag, backfill};
use self::queries::{DATASOURCE, hour_start};
use super::http::Client;
use super::output::{counted, duration, grouped, say, size};
use super::segment::find_segments;
use super::stop::StopSignals;

/// Whole hours that a new demo fills before the current one.
const PAST_HOURS: i64 = 5;
const STATUS_PERIOD: Duration = Duration::from_secs(2);

/// Options of `henge demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge demo                                  everything in a temporary directory
  henge demo --data-dir ./demo-data           keep the data; the next start goes on with it
  henge demo --events-per-second 20000
  henge demo --once --port 0                  print the answers and exit")]
pub(crate) struct DemoArgs {
    /// Where everything is kept; by default a temporary directory, removed at the end.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 8888)]
    port: u16,
    /// Live events pushed each second; 0 pushes none.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000)]
    events_per_second: u32,
    /// Events of the last hours that the demo starts with.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    backfill: u64,
    /// Exit after the answers; for scripts.
    #[arg(long)]
    once: bool,
    /// Log filter, for example `info` or `henge_broker=debug`.
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    log: String,
}

/// Runs until Ctrl-C, or with `--once` until the answers are printed.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode> {
    let mut config = ServerConfig::load(None)?;
    config.port = args.port;
    config.log.filter.clone_from(&args.log);
    let temporary = match &args.data_dir {
        Some(data_dir) => {
            config.data_dir.clone_from(data_dir);
            None
        }
        None => {
            let directory = tempfile::Builder::new().prefix("henge-demo-").tempdir();
            let directory = directory.context("make a temporary directory")?;
            config.data_dir = directory.path().to_owned();
            Some(directory)
        }
    };
    init_logging(&config.log).context("start logging")?;
    let mut signals = StopSignals::listen()?;
    let running = henge_server::start(&config, None)
        .await
        .context("the demo cannot start its server; --port 0 takes a free port")?;
    let kept = if temporary.is_some() { ", removed at the end" } else { "" };
    say(format!(
        "server     {}, ready after {}, data in {}{kept}",
        running.url,
        duration(running.startup),
        config.data_dir.display()
    ))?;
    let stop = StopFlag::default();
    let outcome = tokio::select! {
        outcome = show(&running, &config, &args, &stop) => outcome,
        () = signals.next() => Ok(()),
    };
    stop.store(true, Ordering::Relaxed);
    // The folder is ours until the process ends.
    std::mem::forget(running.stop().await);
    outcome?;
    Ok(ExitCode::SUCCESS)
}

async fn show(
    running: &Running,
    config: &ServerConfig,
    args: &DemoArgs,
    stop: &StopFlag,
) -> Result<()> {
    let client = Client::new(&running.url)?;
    let count = args.backfill;
    let (interval, loaded) = {
        let (client, stop) = (client.clone(), Arc::clone(stop));
        blocking(move || load(&client, count, &stop)).await?
    };
    let started = Instant::now();
    running.flush().await;
    say(hand_off(config, started.elapsed()))?;
    let live = match args.events_per_second {
        0 => None,
        rate => Some(LiveEvents::start(client.clone(), rate, Arc::clone(stop))?),
    };
    if live.is_some() {
        // The answers are to hold events from both sides: segments and memory.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    {
        let client = client.clone();
        blocking(move || answers(&client, interval, loaded)).await?;
    }
    if args.once {
        return Ok(());
    }
    say(format!("\nTry it:\n  {}", queries::curl(&running.url, SystemClock.now_ms())))?;
    match &live {
        Some(_) => say(format!(
            "\n{} live events a second are pushed to datasource '{DATASOURCE}'. Ctrl-C stops.",
            grouped(args.events_per_second.into())
        ))?,
        None => say("\nCtrl-C stops.")?,
    }
    watch(&client, live).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("a thread of the demo")?
}

/// Creates the datasource and fills in what is missing up to now. Gives the interval that was
/// filled and the number of events.
fn load(client: &Client, count: u64, stop: &StopFlag) -> Result<(Interval, u64)> {
    client.put(&format!("/v1/datasources/{DATASOURCE}"), &events::data_schema())?;
    let now_ms = SystemClock.now_ms();
    let first_ms = hour_start(now_ms, PAST_HOURS);
    let start_ms = last_event(client)?.map_or(first_ms, |last_ms| first_ms.max(last_ms + 1));
    let interval = Interval { start_ms: start_ms.min(now_ms), end_ms: now_ms };
    let part = (now_ms - interval.start_ms) as f64 / (now_ms - first_ms).max(1) as f64;
    let count = (count as f64 * part).round() as u64;
    let started = Instant::now();
    backfill(client, interval, count, stop)?;
    let elapsed = started.elapsed();
    say(format!(
        "events     {} pushed and durable after {} ({}/s), one request at a time",
        grouped(count),
        duration(elapsed),
        counted((count as f64 / elapsed.as_secs_f64()) as u64, "event"),
    ))?;
    Ok((interval, count))
}

/// The time of the last event that an earlier demo left.
fn last_event(client: &Client) -> Result<Option<i64>> {
    let answer = client.query(&json!({ "queryType": "timeBoundary", "dataSource": DATASOURCE }))?;
    let last = answer[0]["result"]["maxTime"].as_str();
    last.map(parse_timestamp_ms).transpose().context("read the time of the last event")
}

fn hand_off(config: &ServerConfig, time: Duration) -> String {
    let folder = config.data_dir.join("deep-storage");
    let files = find_segments(std::slice::from_ref(&folder)).unwrap_or_default();
    let bytes = files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    format!(
        "hand-off   {}, {}, after {}; see `henge segment inspect {}`",
        counted(files.len() as u64, "segment"),
        size(bytes),
        duration(time),
        folder.display()
    )
}

/// Every acknowledged event must be counted, once; then the tables.
fn answers(client: &Client, filled: Interval, pushed: u64) -> Result<()> {
    if pushed > 0 {
        let answer = client.query(&queries::count(filled))?;
        let counted = answer[0]["result"]["rows"].as_u64().unwrap_or(0);
        ensure!(counted == pushed, "{pushed} events were acknowledged, but {counted} are counted");
        say(format!("check      {0} acknowledged, {0} counted", grouped(pushed)))?;
    }
    let now_ms = SystemClock.now_ms();
    let interval =
        Interval { start_ms: hour_start(now_ms, PAST_HOURS), end_ms: hour_start(now_ms, -1) };
    tables::print_all(client, interval, now_ms)
}

/// Keeps the live events going and, on a terminal, shows how they do in one line.
async fn watch(client: &Client, live: Option<LiveEvents>) -> Result<()> {
    let live = live.map(Arc::new);
    let shown = live.as_ref().filter(|_| stdout().is_terminal());
    let Some(live) = shown else { return std::future::pending().await };
    let mut before = (Instant::now(), live.accepted());
    loop {
        tokio::time::sleep(STATUS_PERIOD).await;
        let (now, accepted) = (Instant::now(), live.accepted());
        let rate = (accepted - before.1) as f64 / (now - before.0).as_secs_f64();
        before = (now, accepted);
        let (client, live) = (client.clone(), Arc::clone(live));
        let line = blocking(move || Ok(status_line(&client, &live, rate))).await?;
        let mut out = stdout().lock();
        // Back to the start of the line, and over what was there.
        write!(out, "\r\x1b[2K{line}")?;
        out.flush()?;
    }
}

fn status_line(client: &Client, live: &LiveEvents, rate: f64) -> String {
    let started = Instant::now();
    let answer = client.query(&queries::active_visitors(SystemClock.now_ms()));
    let query_time = started.elapsed();
    let visitors = match answer {
        Ok(answer) => answer[0]["result"]["visitors"].as_u64().map_or_else(
            || "no visitors yet".to_owned(),
            |visitors| format!("{} active", counted(visitors, "visitor")),
        ),
        Err(error) => format!("query failed: {error}"),
    };
    let mut line = format!(
        "{} live events, {}/s, push {}, {visitors} ({})",
        grouped(live.accepted()),
        grouped(rate.round() as u64),
        duration(live.last_push()),
        duration(query_time)
    );
    if live.failed_pushes() > 0 {
        line.push_str(&format!(", {} failed", counted(live.failed_pushes(), "push")));
    }
    line
}
