//! Copying a log to a second node while it is written (ADR 31).
//!
//! One task a log sends what is durable here to the copy that the metadata name, and answers for records once
//! they are durable there. A follower that does not answer is asked again, then replaced: another one gets
//! all records that are not published, and is named in the metadata, before any record counts by it.

mod find;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use henge_platform::metadata::MetadataError;
use henge_platform::runtime::{spawn, watch};
use henge_platform::wal::{AppendTicket, Wal, WalRecord};
use henge_types::ErrorClass;
use tokio::sync::{mpsc, oneshot};

use super::log_state::{LogBody, LogState, RecordedCopy};
use crate::error::{RealtimeError, Result};
use crate::lease::TTL_MS;
use crate::peers::{Appended, CopyId, LogAppend, LogEnd, RealtimePeer};
use crate::shared::Shared;

/// How long until a follower is looked for again.
const RETRY: Duration = Duration::from_millis(200);
/// How often a follower hears of the log when nothing is written.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long a follower may take to make records durable.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Payload bytes of a message, unless a single record has more.
const MESSAGE_BYTES: usize = 8 << 20;

/// A record on its way to both disks.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: WalRecord,
    pub(super) ticket: AppendTicket,
    /// Told once it is on both, or when it never will be.
    pub(super) done: oneshot::Sender<Result<()>>,
}

/// How the copy of a log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    /// There is none that counts new records, because of this.
    Looking(Arc<str>),
    Following,
    Ended,
}

/// The way to the task that copies a log.
#[derive(Debug)]
pub(crate) struct Replication {
    datasource: Arc<str>,
    jobs: mpsc::UnboundedSender<Job>,
    end: mpsc::UnboundedSender<oneshot::Sender<Result<()>>>,
    told: Arc<Told>,
}

/// What the task and others tell each other.
#[derive(Debug)]
struct Told {
    status: watch::Sender<Status>,
    /// Records below are published.
    needed_from: AtomicU64,
    /// The copy that counts has all records up to this one.
    copied_to: AtomicU64,
    /// Until this reading of the clock the follower does not go on with the log by itself.
    sure_until_ms: AtomicU64,
}

/// The task.
#[derive(Debug)]
struct Copier {
    shared: Arc<Shared>,
    wal: Wal,
    state: LogState,
    /// Durable here, and not known to be in the copy.
    waiting: VecDeque<(WalRecord, oneshot::Sender<Result<()>>)>,
    at: Option<At>,
    /// What the metadata say of the log may be something else than `state`.
    is_unsettled: bool,
    told: Arc<Told>,
}

/// A copy and how far it is.
#[derive(Debug, Clone)]
struct At {
    follower: Arc<str>,
    peer: Arc<dyn RealtimePeer>,
    attempt: u64,
    end: LogEnd,
}

impl Replication {
    /// Begins to copy a log, whose records below `needed_from` are published.
    pub(super) fn start(
        shared: &Arc<Shared>,
        wal: Wal,
        state: LogState,
        needed_from: u64,
    ) -> Arc<Self> {
        let told = Arc::new(Told {
            status: watch::Sender::new(Status::Looking("it just began".into())),
            needed_from: AtomicU64::new(needed_from),
            copied_to: AtomicU64::new(needed_from.saturating_sub(1)),
            sure_until_ms: AtomicU64::new(0),
        });
        let datasource = Arc::clone(&state.datasource);
        let (jobs, queue) = mpsc::unbounded_channel();
        let (end, ends) = mpsc::unbounded_channel();
        let copier = Copier {
            shared: Arc::clone(shared),
            wal,
            state,
            waiting: VecDeque::new(),
            at: None,
            is_unsettled: false,
            told: Arc::clone(&told),
        };
        spawn(copier.run(queue, ends));
        Arc::new(Self { datasource, jobs, end, told })
    }

    /// Whether a push would be answered.
    ///
    /// # Errors
    /// `Unavailable` while no second node has the log.
    pub(super) fn check(&self) -> Result<()> {
        let reason = match &*self.told.status.borrow() {
            Status::Following => return Ok(()),
            Status::Looking(reason) => Arc::clone(reason),
            Status::Ended => "this node does not copy it any more".into(),
        };
        Err(RealtimeError::Unavailable(format!(
            "datasource '{}' acknowledges pushes when a second realtime node has them (ack: replicated), \
             and no second node has this log now: {reason}; push again once there is one",
            self.datasource
        )))
    }

    /// Whether the copy has a record and all before it.
    ///
    /// # Errors
    /// `Unavailable` while it has not.
    pub(super) fn check_copied(&self, record: u64) -> Result<()> {
        if record <= self.told.copied_to.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.check()?;
        Err(RealtimeError::Unavailable(format!(
            "no second node has record {record} of the log of '{}' yet",
            self.datasource
        )))
    }

    /// Queues a record; in the order of the log.
    pub(super) fn submit(&self, job: Job) {
        // Without the task the answer is that nothing is copied any more.
        let _ = self.jobs.send(job);
    }

    /// Records below are published.
    pub(super) fn cut(&self, needed_from: u64) {
        self.told.needed_from.fetch_max(needed_from, Ordering::SeqCst);
    }

    /// True while the follower does not go on with the log by itself.
    pub(crate) fn is_sure(&self, now_ms: u64) -> bool {
        now_ms < self.told.sure_until_ms.load(Ordering::SeqCst)
    }

    /// Returns once a second node has the log.
    #[cfg(test)]
    pub(crate) async fn followed(&self) {
        let mut status = self.told.status.subscribe();
        let _ = status.wait_for(|status| *status == Status::Following).await;
    }

    /// Copies no more: the metadata name no copy when this returns, and what waited for one counts as it
    /// is.
    ///
    /// # Errors
    /// When the metadata cannot be written; then it goes on.
    pub(crate) async fn end(&self) -> Result<()> {
        let gone = || RealtimeError::Unavailable("the log of this node is copied no more".into());
        let (done, ended) = oneshot::channel();
        self.end.send(done).map_err(|_| gone())?;
        ended.await.map_err(|_| gone())?
    }
}

impl Copier {
    async fn run(
        mut self,
        mut queue: mpsc::UnboundedReceiver<Job>,
        mut ends: mpsc::UnboundedReceiver<oneshot::Sender<Result<()>>>,
    ) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.shared.lease.check().is_err() {
                return self.give_up();
            }
            let is_following = self.at.is_some();
            tokio::select! {
                biased;
                end = ends.recv() => match end {
                    Some(done) => if self.end(done).await { return },
                    None => return,
                },
                job = queue.recv() => match job {
                    Some(first) => self.take(first, &mut queue).await,
                    None => return,
                },
                _ = heartbeat.tick(), if is_following => self.send(Vec::new()).await,
                () = self.look_again(), if !is_following => self.look().await,
            }
            if self.at.is_some() {
                self.send_waiting().await;
            }
        }
    }

    /// The first look is at once.
    async fn look_again(&self) {
        let is_first = matches!(&*self.told.status.borrow(), Status::Looking(reason) if **reason == *"it just began");
        if !is_first {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Takes jobs that wait; those that did not become durable here are answered so.
    async fn take(&mut self, first: Job, queue: &mut mpsc::UnboundedReceiver<Job>) {
        let mut next = Some(first);
        let mut bytes = 0;
        while let Some(Job { record, ticket, done }) = next {
            bytes += record.entry.payload.len();
            match ticket.await {
                Ok(_) => self.waiting.push_back((record, done)),
                Err(error) => {
                    let _ = done.send(Err(error.into()));
                }
            }
            next = if bytes < MESSAGE_BYTES { queue.try_recv().ok() } else { None };
        }
    }

    /// Sends what waits, as long as that succeeds.
    async fn send_waiting(&mut self) {
        while let Some(at) = &self.at {
            let end = at.end.sequence;
            while self.waiting.front().is_some_and(|(record, _)| record.sequence <= end) {
                if let Some((_, done)) = self.waiting.pop_front() {
                    let _ = done.send(Ok(()));
                }
            }
            if self.waiting.is_empty() {
                return;
            }
            let mut bytes = 0;
            let fits = |(record, _): &&(WalRecord, _)| {
                let is_first = bytes == 0;
                bytes += record.entry.payload.len().max(1);
                is_first || bytes <= MESSAGE_BYTES
            };
            let records = self.waiting.iter().take_while(fits).map(|(record, _)| record.clone());
            let records = records.collect();
            self.send(records).await;
        }
    }

    /// Sends records; without success there is no copy to send to until one is found again.
    async fn send(&mut self, records: Vec<WalRecord>) {
        let Some(mut at) = self.at.take() else { return };
        match self.append(&mut at, records, false).await {
            Ok(()) => self.at = Some(at),
            Err(error) => self.lose(&error).await,
        }
    }

    async fn lose(&mut self, error: &RealtimeError) {
        let datasource = &self.state.datasource;
        let reason: Arc<str> = error.to_string().into();
        let is_known = *self.told.status.borrow() == Status::Looking(Arc::clone(&reason));
        // It is looked for five times a second.
        if !is_known {
            tracing::warn!(%datasource, %error, "the copy of a log does not get on");
        }
        if error.class() == ErrorClass::Conflict {
            // Somebody may have this node's lease.
            self.shared.lease.renew().await;
        }
        self.told.status.send_replace(Status::Looking(reason));
    }

    /// Adds records to a copy.
    async fn append(&self, at: &mut At, records: Vec<WalRecord>, begins: bool) -> Result<()> {
        let end = records.last().map_or(at.end, LogEnd::of);
        let recorded = Some(at.recorded());
        let append = LogAppend {
            copy: self.copy(at.attempt),
            epoch: self.shared.lease.fence()?.epoch,
            after: at.end,
            begins,
            needed_from: self.told.needed_from.load(Ordering::SeqCst),
            is_recorded: self.state.body.copy == recorded,
            records,
        };
        let sure_until_ms = self.shared.clock.running_ms().saturating_add(TTL_MS);
        match in_time(at, append).await? {
            Appended::Durable => {}
            // An earlier call did it, and its answer was lost.
            Appended::EndsAt(there) if there.is(&end) => {}
            Appended::EndsAt(there) => {
                return Err(RealtimeError::Unavailable(format!(
                    "the copy at node '{}' ends at record {}, not at {}",
                    at.follower, there.sequence, at.end.sequence
                )));
            }
            Appended::Unknown => {
                return Err(RealtimeError::NotFound(format!(
                    "node '{}' has lost its copy",
                    at.follower
                )));
            }
        }
        if self.state.body.copy == recorded {
            self.told.sure_until_ms.store(sure_until_ms, Ordering::SeqCst);
            self.told.copied_to.fetch_max(end.sequence, Ordering::SeqCst);
        }
        at.end = end;
        Ok(())
    }

    /// Names a copy in the metadata.
    async fn record(&mut self, at: &At) -> Result<()> {
        let body = LogBody { copy: Some(at.recorded()), ..self.state.body.clone() };
        self.change(body).await
    }

    /// Says something else of the log.
    async fn change(&mut self, body: LogBody) -> Result<()> {
        let fence = self.shared.lease.fence()?;
        match self.state.change(&*self.shared.metadata, body, &fence).await {
            Ok(state) => {
                self.state = state;
                Ok(())
            }
            Err(error) => {
                self.is_unsettled = true;
                Err(error)
            }
        }
    }

    /// A change that failed may come about all the same, until another one took its place: what the metadata
    /// say of the log is known again after this.
    async fn settle(&mut self) -> Result<()> {
        if !self.is_unsettled {
            return Ok(());
        }
        let (metadata, fence) = (&*self.shared.metadata, self.shared.lease.fence()?);
        let state = match self.state.change(metadata, self.state.body.clone(), &fence).await {
            Err(RealtimeError::Metadata(MetadataError::DocumentChanged { .. })) => {
                let node = &self.shared.options.node;
                LogState::of(metadata, &self.state.datasource, node).await?
            }
            changed => changed?,
        };
        self.state = state;
        self.is_unsettled = false;
        Ok(())
    }

    /// True when it ended.
    async fn end(&mut self, done: oneshot::Sender<Result<()>>) -> bool {
        let ended = match self.state.body.copy {
            Some(_) => self.change(LogBody { copy: None, ..self.state.body.clone() }).await,
            None => Ok(()),
        };
        let is_ended = ended.is_ok();
        if let Err(error) = &ended {
            self.at = None;
            self.lose(error).await;
        } else {
            self.told.status.send_replace(Status::Ended);
            self.waiting.drain(..).for_each(|(_, done)| {
                let _ = done.send(Ok(()));
            });
        }
        let _ = done.send(ended);
        is_ended
    }

    /// Another node goes on with the log.
    fn give_up(mut self) {
        self.told.status.send_replace(Status::Ended);
        for (_, done) in self.waiting.drain(..) {
            let _ = done.send(self.shared.lease.check());
        }
    }

    fn copy(&self, attempt: u64) -> CopyId {
        let owner = Arc::clone(&self.shared.options.node);
        CopyId { owner, datasource: Arc::clone(&self.state.datasource), attempt }
    }
}

/// What a follower answers. A message that came too late is told from the next one by the end that it has
/// to find.
async fn in_time(at: &At, append: LogAppend) -> Result<Appended> {
    let answer = tokio::time::timeout(TIMEOUT, at.peer.append_log(append)).await;
    answer.unwrap_or_else(|_| {
        let (node, seconds) = (&at.follower, TIMEOUT.as_secs());
        Err(RealtimeError::Unavailable(format!(
            "realtime node '{node}' did not answer within {seconds} s"
        )))
    })
}

impl At {
    fn recorded(&self) -> RecordedCopy {
        RecordedCopy { follower: Arc::clone(&self.follower), attempt: self.attempt }
    }
}
