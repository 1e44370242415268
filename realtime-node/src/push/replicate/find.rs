//! Finding the copy that a log goes on with: the one that the metadata name, or a new one elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use henge_platform::runtime::random;
use henge_platform::wal::WalRecord;
use henge_types::ErrorClass;
use xxhash_rust::xxh3::xxh3_64;

use super::{At, Copier, MESSAGE_BYTES, Status, in_time};
use crate::error::{RealtimeError, Result};
use crate::peers::{Appended, LogAppend, LogEnd};
use crate::priority::PUSH_PRIORITY;
use crate::push::log_state::RecordedCopy;

impl Copier {
    /// Finds a copy that has all that is durable here and not published, and that the metadata name.
    pub(super) async fn look(&mut self) {
        let resumed = match self.settle().await {
            Ok(()) => self.resume().await,
            Err(error) => Err(error),
        };
        let found = match resumed {
            Ok(Some(at)) => Ok(at),
            Ok(None) => self.begin().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(at) => {
                self.told.copied_to.fetch_max(at.end.sequence, Ordering::SeqCst);
                self.at = Some(at);
                self.told.status.send_replace(Status::Following);
            }
            Err(error) => self.lose(&error).await,
        }
    }

    /// Goes on with the copy that the metadata name; `None` when that is lost, or out of reach.
    async fn resume(&self) -> Result<Option<At>> {
        let Some(RecordedCopy { follower, attempt }) = self.state.body.copy.clone() else {
            return Ok(None);
        };
        let Some(peer) = self.shared.peers.reach(&follower) else { return Ok(None) };
        let mut at = At { follower, peer, attempt, end: LogEnd::default() };
        let asked = LogAppend {
            copy: self.copy(attempt),
            epoch: self.shared.lease.fence()?.epoch,
            after: LogEnd::default(),
            begins: false,
            needed_from: self.told.needed_from.load(Ordering::SeqCst),
            is_recorded: true,
            records: Vec::new(),
        };
        at.end = match in_time(&at, asked).await {
            Ok(Appended::EndsAt(end)) => end,
            Ok(Appended::Durable) => LogEnd::default(),
            Ok(Appended::Unknown) => return Ok(None),
            Err(error) if error.class() == ErrorClass::Conflict => return Err(error),
            Err(_) => return Ok(None),
        };
        if !self.is_of_this_log(at.end).await? {
            return Ok(None);
        }
        match self.catch_up(&mut at).await {
            Ok(()) => Ok(Some(at)),
            Err(error) if error.class() == ErrorClass::Conflict => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether a copy with this end goes on with what this log has behind it.
    async fn is_of_this_log(&self, end: LogEnd) -> Result<bool> {
        if end.sequence < self.told.needed_from.load(Ordering::SeqCst) {
            // All that it has is published.
            return Ok(true);
        }
        let records = self.records(end.sequence, 1).await?;
        let is_of_this_log = records.first().is_some_and(|record| LogEnd::of(record).is(&end));
        if !is_of_this_log {
            let datasource = &self.state.datasource;
            tracing::error!(%datasource, record = end.sequence, "the copy of a log has records that the log has lost: it begins anew without them");
        }
        Ok(is_of_this_log)
    }

    /// Begins a copy at another node, in another zone if there is one.
    async fn begin(&mut self) -> Result<At> {
        let mut failure = RealtimeError::Unavailable("no other realtime node is alive".into());
        for follower in self.candidates() {
            let Some(peer) = self.shared.peers.reach(&follower) else { continue };
            let needed_from = self.told.needed_from.load(Ordering::SeqCst);
            let end = LogEnd { sequence: needed_from.saturating_sub(1), hash: 0 };
            let mut at = At { follower, peer, attempt: random::<u64>() >> 1, end };
            let begun = match self.append(&mut at, Vec::new(), true).await {
                Ok(()) => self.catch_up(&mut at).await,
                Err(error) => Err(error),
            };
            match begun {
                Ok(()) => {
                    self.record(&at).await?;
                    return Ok(at);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn candidates(&self) -> Vec<Arc<str>> {
        let live = self.shared.peers.live();
        let (this, zone) = (&self.shared.options.node, &self.shared.options.zone);
        let mut others: Vec<_> = live.into_iter().filter(|peer| peer.node != *this).collect();
        // Logs of a node go to different ones.
        let place = |node: &str| xxh3_64(format!("{}\0{node}", self.state.datasource).as_bytes());
        others.sort_by_key(|peer| (peer.zone == *zone, place(&peer.node)));
        others.into_iter().map(|peer| peer.node).collect()
    }

    /// Sends all that is durable here and not in the copy.
    async fn catch_up(&self, at: &mut At) -> Result<()> {
        loop {
            let records = self.records(at.end.sequence + 1, MESSAGE_BYTES).await?;
            if records.is_empty() {
                return Ok(());
            }
            self.append(at, records, false).await?;
        }
    }

    /// Records from a sequence on, as many as fit, but one at least.
    async fn records(&self, from: u64, most_bytes: usize) -> Result<Vec<WalRecord>> {
        let mut records = self.wal.replay(from);
        let read = move || {
            let (mut read, mut bytes) = (Vec::new(), 0);
            while bytes < most_bytes {
                let Some(record) = records.next().transpose()? else { break };
                bytes += record.entry.payload.len().max(1);
                read.push(record);
            }
            Ok::<_, RealtimeError>(read)
        };
        self.shared.ingest_pool.spawn(PUSH_PRIORITY, read).await?
    }
}
