//! Pushing sample events over HTTP: those of the last hours at once, and live ones from then on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use henge_platform::runtime::{Clock, SystemClock};
use henge_types::Interval;
use serde_json::Value;

use super::events::PageViews;
use super::queries::DATASOURCE;
use crate::cmd::http::{Client, HttpError};

const BACKFILL_SEED: u64 = 42;
const LIVE_SEED: u64 = 43;
/// Events of one request of the backfill: about 3 MB.
const BATCH_EVENTS: u64 = 10_000;
/// Time between two live requests.
const LIVE_TICK: Duration = Duration::from_millis(100);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
const RETRIES: u32 = 50;

/// What everything that runs beside the demo is told to stop with.
pub(super) type StopFlag = Arc<AtomicBool>;

/// Pushes `count` events, spread evenly over an interval.
///
/// # Errors
/// When the server refuses a request or an event.
pub(super) fn backfill(
    client: &Client,
    interval: Interval,
    count: u64,
    stop: &StopFlag,
) -> Result<()> {
    let mut views = PageViews::new(BACKFILL_SEED);
    let mut body = Vec::new();
    let span_ms = (interval.end_ms - interval.start_ms) as u128;
    for first in (0..count).step_by(BATCH_EVENTS as usize) {
        ensure!(!stop.load(Ordering::Relaxed), "stopped");
        body.clear();
        let end = count.min(first + BATCH_EVENTS);
        for index in first..end {
            let offset_ms = span_ms * u128::from(index) / u128::from(count);
            views.write_next(interval.start_ms + offset_ms as i64, &mut body);
        }
        let key = format!("demo-{}-{first}", interval.start_ms);
        let reply = push(client, &key, &body, stop)?;
        let accepted = reply["accepted"].as_u64().unwrap_or(0);
        if accepted != end - first {
            bail!("the server took {accepted} of {} events: {}", end - first, reply["errors"]);
        }
    }
    Ok(())
}

/// Repeats what may pass; the key keeps a repeated request from being stored twice.
fn push(client: &Client, key: &str, body: &[u8], stop: &StopFlag) -> Result<Value, HttpError> {
    let mut retries = 0;
    loop {
        match client.push(DATASOURCE, key, body) {
            Err(error)
                if error.may_pass() && retries < RETRIES && !stop.load(Ordering::Relaxed) =>
            {
                retries += 1;
                sleep(RETRY_PAUSE);
            }
            answer => return answer,
        }
    }
}

/// A thread that pushes events as they happen.
#[derive(Debug)]
pub(super) struct LiveEvents {
    shared: Arc<LiveCounts>,
    stop: StopFlag,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct LiveCounts {
    accepted: AtomicU64,
    failed_pushes: AtomicU64,
    last_push_us: AtomicU64,
}

impl LiveEvents {
    /// Starts pushing.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(client: Client, events_per_second: u32, stop: StopFlag) -> Result<Self> {
        let shared = Arc::new(LiveCounts::default());
        let (counts, stopped) = (Arc::clone(&shared), Arc::clone(&stop));
        let work = move || push_live(&client, events_per_second, &stopped, &counts);
        let thread = std::thread::Builder::new().name("live-events".to_owned()).spawn(work);
        Ok(Self { shared, stop, thread: Some(thread.context("start a thread")?) })
    }

    /// Events acknowledged so far.
    pub(super) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Requests that failed for good so far.
    pub(super) fn failed_pushes(&self) -> u64 {
        self.shared.failed_pushes.load(Ordering::Relaxed)
    }

    /// How long the last request took.
    pub(super) fn last_push(&self) -> Duration {
        Duration::from_micros(self.shared.last_push_us.load(Ordering::Relaxed))
    }
}

impl Drop for LiveEvents {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn push_live(client: &Client, events_per_second: u32, stop: &StopFlag, counts: &LiveCounts) {
    let mut views = PageViews::new(LIVE_SEED);
    let mut body = Vec::new();
    let mut carried = 0.0;
    let mut before = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        sleep(LIVE_TICK);
        // At most a second's worth: after a pause there is no flood.
        let elapsed = before.elapsed().as_secs_f64().min(1.0);
        before = Instant::now();
        carried += elapsed * f64::from(events_per_second);
        let count = carried as u64;
        carried -= count as f64;
        if count == 0 {
            continue;
        }
        body.clear();
        let now_ms = SystemClock.now_ms();
        (0..count).for_each(|_| views.write_next(now_ms, &mut body));
        let started = Instant::now();
        match push(client, &format!("demo-live-{now_ms}"), &body, stop) {
            Ok(reply) => {
                let accepted = reply["accepted"].as_u64().unwrap_or(0);
                counts.accepted.fetch_add(accepted, Ordering::Relaxed);
                let us = started.elapsed().as_micros() as u64;
                counts.last_push_us.store(us, Ordering::Relaxed);
            }
            Err(error) if !stop.load(Ordering::Relaxed) => {
                counts.failed_pushes.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, "a push of live events failed");
            }
            Err(_) => {}
        }
    }
}
