//! Pushed events of one datasource: parse, log, wait for the disk, add, answer.
//!
//! Requests are parsed and logged in one order and added in that order by the datasource's writer
//! (see [`crate::ingest`]), so that a log position divides what is published from what is not.

mod accept;
mod keys;
mod log;
mod log_source;
mod log_state;
mod open;
mod owners;
mod published;
mod receipt;
mod record;
mod replay;
mod replicate;
mod taken;
mod varint;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_types::{ChangeReport, IgnoredFields};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, oneshot};

pub(crate) use accept::MAX_KEY_BYTES;
pub use log_state::OwnLog;
pub(crate) use log_state::{LogBody, LogState, RecordedCopy, Taken};
pub(crate) use owners::KeyOwners;
pub use published::PublishedLog;
pub(crate) use taken::TakenLog;

use crate::ingest::halt::Halt;
use crate::ingest::handoff::{Backlog, BacklogStatus};
use crate::ingest::intake::Intake;
use crate::ingest::reading::NewestSchema;
use crate::ingest::refusals::EventError;
use crate::ingest::schema::DatasourceSchema;
use crate::ingest::source::ReadRows;
use crate::ingest::writer::Command;
use crate::shared::Shared;
use keys::PushKeys;
use log::PushLog;
use receipt::LoggedColumns;
use replicate::Replication;

/// Rejections named in an answer; all of them are in the dead letter.
const ERRORS_IN_REPLY: usize = 10;

/// The answer to a push.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushReply {
    /// Events in the request.
    pub(crate) received: u64,
    /// Events stored.
    pub(crate) accepted: u64,
    /// Events refused; see `errors` and the datasource's dead letter.
    pub(crate) rejected: u64,
    /// Events that the transformSpec's filter left out.
    pub(crate) filtered: u64,
    /// True when an earlier request with the same idempotency key was stored; this one was not.
    pub(crate) duplicate: bool,
    /// The first refused events and why.
    pub(crate) errors: Vec<EventError>,
    /// Columns whose values are stored otherwise than they were sent.
    #[serde(default, skip_serializing_if = "ChangeReport::is_empty")]
    pub(crate) changed: ChangeReport,
    /// Fields of stored events that the schema has nowhere: their values are not stored.
    #[serde(default, skip_serializing_if = "IgnoredFields::is_empty")]
    pub(crate) ignored: IgnoredFields,
    /// What is probably wrong with events that were stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// Finds the lines of refused events, which are in the order of the body.
pub(crate) fn number_lines(errors: &mut [EventError], body: &[u8]) {
    let (mut at, mut line) = (0, 1);
    for error in errors {
        let start = usize::try_from(error.offset_bytes).unwrap_or(usize::MAX).min(body.len());
        if start >= at {
            line += body[at..start].iter().filter(|byte| **byte == b'\n').count() as u64;
            at = start;
            error.line = line;
        }
    }
}

/// Events since the start of the process: `received = accepted + rejected + filtered`.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    received: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    filtered: AtomicU64,
    duplicates: AtomicU64,
    bytes: AtomicU64,
    changed: Mutex<ChangeReport>,
    ignored: Mutex<IgnoredFields>,
}

/// [`Totals`] at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalsSnapshot {
    /// Events in answered requests.
    pub(crate) received: u64,
    /// Stored.
    pub(crate) accepted: u64,
    /// Refused.
    pub(crate) rejected: u64,
    /// Left out by the filter.
    pub(crate) filtered: u64,
    /// Requests that repeated an earlier one.
    pub(crate) duplicate_requests: u64,
    /// Bytes of requests that did not repeat one, inflated: for metrics.
    #[serde(skip)]
    pub(crate) bytes: u64,
}

/// One datasource that takes pushes.
#[derive(Debug)]
pub(crate) struct PushDatasource {
    pub(crate) name: Arc<str>,
    /// The name of its log at this node.
    pub(crate) log: Arc<str>,
    shared: Arc<Shared>,
    pub(crate) wal: PushLog,
    intake: Arc<tokio::sync::Mutex<Intake>>,
    /// The schema that events are accepted under now.
    pub(crate) newest: NewestSchema,
    keys: PushKeys,
    /// Who owns its keys, as far as this node heard.
    pub(crate) owners: RwLock<Option<Arc<KeyOwners>>>,
    /// Held by pushes with keys; taken by whoever gives keys of this node to another.
    pub(crate) moving: Arc<tokio::sync::RwLock<()>>,
    backlog: Backlog,
    halt: Halt,
    logged: LoggedColumns,
    /// Logged requests on their way to the writer.
    pushes: mpsc::Sender<ReadRows>,
    commands: mpsc::Sender<Command>,
    places: Arc<Semaphore>,
    totals: Arc<Totals>,
}

impl PushDatasource {
    /// What copies its log to a second node, if anything does.
    #[must_use]
    pub(crate) fn log_copy(&self) -> Option<Arc<Replication>> {
        self.wal.replication()
    }

    /// The schema that pushes are accepted under now.
    #[must_use]
    pub(crate) fn schema(&self) -> Arc<DatasourceSchema> {
        Arc::clone(&self.newest.read())
    }

    /// Events since the start.
    #[must_use]
    pub(crate) fn totals(&self) -> TotalsSnapshot {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TotalsSnapshot {
            received: get(&self.totals.received),
            accepted: get(&self.totals.accepted),
            rejected: get(&self.totals.rejected),
            filtered: get(&self.totals.filtered),
            duplicate_requests: get(&self.totals.duplicates),
            bytes: get(&self.totals.bytes),
        }
    }

    /// Columns whose values are stored otherwise than they were sent, since the start.
    #[must_use]
    pub(crate) fn changed(&self) -> ChangeReport {
        self.totals.changed.lock().clone()
    }

    /// Fields of events that the schema has nowhere, since the start.
    #[must_use]
    pub(crate) fn ignored(&self) -> IgnoredFields {
        self.totals.ignored.lock().clone()
    }

    /// What waits to be handed off, and why it does not get on.
    #[must_use]
    pub(crate) fn backlog(&self) -> BacklogStatus {
        self.backlog.status()
    }

    /// Hands off what is buffered and waits until it is published.
    pub(crate) async fn flush(&self) {
        let (done, published) = oneshot::channel();
        if self.commands.send(Command::Close { done: Some(done) }).await.is_ok() {
            let _ = published.await;
        }
    }
}

impl Totals {
    pub(crate) fn count(&self, reply: &PushReply, bytes: usize) {
        if reply.duplicate {
            self.duplicates.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.received.fetch_add(reply.received, Ordering::Relaxed);
        self.accepted.fetch_add(reply.accepted, Ordering::Relaxed);
        self.rejected.fetch_add(reply.rejected, Ordering::Relaxed);
        self.filtered.fetch_add(reply.filtered, Ordering::Relaxed);
        if !reply.changed.is_empty() {
            self.changed.lock().absorb(reply.changed.clone());
        }
        if !reply.ignored.is_empty() {
            self.ignored.lock().absorb(reply.ignored.clone());
        }
    }
}
