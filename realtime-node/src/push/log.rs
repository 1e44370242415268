//! The log of a datasource as pushes and the writer append to it: on this disk, and on that of a second
//! node where the datasource asks for it.

use std::sync::Arc;

use henge_platform::wal::{AppendTicket, Wal, WalEntry, WalRecord};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::replicate::{Job, Replication};
use crate::error::{RealtimeError, Result};

/// A log that is appended to; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct PushLog {
    pub(crate) wal: Wal,
    /// Records get their sequences and go to the second node in one order.
    replication: Arc<Mutex<Option<Arc<Replication>>>>,
}

/// When a record counts.
#[derive(Debug)]
pub(crate) enum Durable {
    /// Once it is on this disk.
    Here(AppendTicket),
    /// Once it is on that of a second node as well.
    Twice(oneshot::Receiver<Result<()>>),
    /// It does, or never will.
    Settled(Option<Result<()>>),
}

impl PushLog {
    pub(super) fn new(wal: Wal) -> Self {
        Self { wal, replication: Arc::default() }
    }

    /// Copies what is appended from now on, or no longer.
    pub(super) fn replicate(&self, by: Option<Arc<Replication>>) {
        *self.replication.lock() = by;
    }

    /// What copies it, if anything does.
    pub(crate) fn replication(&self) -> Option<Arc<Replication>> {
        self.replication.lock().clone()
    }

    /// Queues an entry; gives its sequence.
    ///
    /// # Errors
    /// As [`Wal::submit`].
    pub(super) fn submit(&self, entry: WalEntry) -> Result<(u64, Durable)> {
        let replication = self.replication.lock();
        let Some(replication) = &*replication else {
            let ticket = self.wal.submit(entry)?;
            return Ok((ticket.sequence(), Durable::Here(ticket)));
        };
        let ticket = self.wal.submit(entry.clone())?;
        let sequence = ticket.sequence();
        let (done, durable) = oneshot::channel();
        let record = WalRecord { sequence, entry };
        replication.submit(Job { record, ticket, done });
        Ok((sequence, Durable::Twice(durable)))
    }
}

impl Durable {
    /// Returns once it is known whether the record counts. May be dropped and asked again.
    pub(super) async fn known(&mut self) {
        let outcome = match self {
            Self::Here(ticket) => ticket.await.map(|_| ()).map_err(RealtimeError::from),
            Self::Twice(durable) => durable.await.unwrap_or_else(|_| {
                Err(RealtimeError::Unavailable("the log of this node is copied no more".into()))
            }),
            Self::Settled(_) => return,
        };
        *self = Self::Settled(Some(outcome));
    }

    /// Whether the record counts, once that is known.
    pub(super) async fn settled(&mut self) -> Result<()> {
        self.known().await;
        match self {
            Self::Settled(outcome) => outcome.take().unwrap_or(Ok(())),
            Self::Here(_) | Self::Twice(_) => Ok(()),
        }
    }

    /// True when it has to be waited for elsewhere than in the log of this node.
    pub(super) fn is_twice(&self) -> bool {
        matches!(self, Self::Twice(_))
    }
}
