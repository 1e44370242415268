//! The write-ahead log of a datasource as a source with one partition: first what it holds and is not
//! published, then what pushes bring. Its positions are the numbers of its records.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use henge_platform::metadata::Position;
use henge_platform::wal::WalEntry;
use tokio::sync::{Mutex, mpsc};

use super::log::PushLog;
use super::published::{PublishedLog, compare_records};
use super::record::{OUTCOME, encode_outcome};
use super::replay::Replay;
use crate::error::Result;
use crate::ingest::source::{Delivery, Events, Order, Positions, ReadRows, RefusedRows, Source};
use crate::priority::MERGE_PRIORITY;
use crate::shared::Shared;

/// A log and the pushes that are written to it.
#[derive(Debug)]
pub(crate) struct LogSource {
    id: String,
    wal: PushLog,
    shared: Arc<Shared>,
    /// `None` once all that the log held was given.
    replay: Mutex<Option<Replay>>,
    pushes: Mutex<Pushes>,
}

/// Pushes on their way.
#[derive(Debug)]
struct Pushes {
    queue: mpsc::Receiver<ReadRows>,
    /// The next one, until it is known whether it counts.
    next: Option<ReadRows>,
}

impl LogSource {
    /// A source that replays a log before it gives what is pushed.
    pub(super) fn new(
        log: &str,
        wal: PushLog,
        shared: &Arc<Shared>,
        replay: Replay,
        pushes: mpsc::Receiver<ReadRows>,
    ) -> Self {
        let pushes = Mutex::new(Pushes { queue: pushes, next: None });
        let replay = Mutex::new(Some(replay));
        let shared = Arc::clone(shared);
        Self { id: PublishedLog::source_id(log), wal, shared, replay, pushes }
    }

    /// The next request that the log held when it was opened; `None` when there is none.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn next_replayed(&self) -> Result<Option<Delivery>> {
        let mut replay = self.replay.lock().await;
        let Some(held) = &mut *replay else { return Ok(None) };
        match held.next().await? {
            Some(rows) => Ok(Some(delivery(rows))),
            None => {
                *replay = None;
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Source for LogSource {
    fn id(&self) -> &str {
        &self.id
    }

    fn beginning(&self) -> Position {
        0.into()
    }

    fn order(&self) -> Order {
        compare_records
    }

    /// The log was opened there.
    async fn seek(&self, published: &Positions) -> Result<()> {
        if let Some(held) = &mut *self.replay.lock().await {
            held.begin(PublishedLog::record_at(published) + 1).await?;
        }
        Ok(())
    }

    async fn next(&self) -> Result<Option<Delivery>> {
        if let Some(held) = self.next_replayed().await? {
            return Ok(Some(held));
        }
        let mut pushes = self.pushes.lock().await;
        if pushes.next.is_none() {
            pushes.next = pushes.queue.recv().await;
        }
        let Some(rows) = &mut pushes.next else {
            // Nobody pushes any more, which does not end what is in the log.
            return std::future::pending().await;
        };
        // Other nodes are waited for here, where the writer can do something else meanwhile.
        if let Some(receipt) = &mut rows.receipt {
            receipt.certain().await;
        }
        Ok(pushes.next.take().map(delivery))
    }

    /// After a start the log may have records that its copy has not.
    fn may_publish(&self, up_to: &Positions) -> Result<()> {
        let replication = self.wal.replication();
        let record = PublishedLog::record_at(up_to);
        replication.map_or(Ok(()), |replication| replication.check_copied(record))
    }

    /// Cuts the log.
    async fn commit(&self, published: &Positions) -> Result<()> {
        let (wal, next) = (self.wal.wal.clone(), PublishedLog::record_at(published) + 1);
        if let Some(replication) = self.wal.replication() {
            replication.cut(next);
        }
        let cut = move || wal.truncate_before(next);
        self.shared.ingest_pool.spawn(MERGE_PRIORITY, cut).await??;
        Ok(())
    }

    /// They stay refused when the log is replayed.
    async fn note_refused(&self, refused: &RefusedRows<'_>) -> Result<()> {
        let record = refused.position.as_u64().unwrap_or(0);
        let (now_ms, version) = (self.shared.clock.now_ms(), refused.schema_version);
        log_outcome(&self.wal, now_ms, version, record, refused.events).await
    }

    fn is_answered_here(&self) -> bool {
        true
    }
}

/// Writes down which rows of a request were refused after all.
pub(super) async fn log_outcome(
    log: &PushLog,
    now_ms: i64,
    schema_version: u64,
    record: u64,
    events: &[u64],
) -> Result<()> {
    let (_, mut durable) = log.submit(WalEntry {
        received_at_ms: now_ms,
        schema_version,
        flags: OUTCOME,
        idempotency_key: None,
        context: Bytes::new(),
        payload: encode_outcome(record, events),
    })?;
    durable.settled().await
}

/// The log is a chain: it stops at a gap by itself, and nothing in it comes twice.
fn delivery(rows: ReadRows) -> Delivery {
    let events = Events::Rows(Box::new(rows));
    Delivery { partition: PublishedLog::PARTITION.into(), after: None, events }
}
