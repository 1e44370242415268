//! Going on with the logs of a node that is lost, from the copies that this one has (ADR 31).
//!
//! Whoever was lost may come back at any step. Once it has no lease it publishes nothing and no record counts
//! by it; once the metadata say that its log was taken over it begins a new one, which has nothing to do with
//! the old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::metadata::{Fence, MetadataError, MetadataStore};
use henge_platform::runtime::spawn;
use henge_types::SegmentId;

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::lease::NodeLease;
use crate::notes::Taking;
use crate::options::server_of;
use crate::peers::CopyId;
use crate::push::{
    KeyOwners, LogBody, LogState, PublishedLog, PushDatasource, RecordedCopy, Taken, TakenLog,
};
use crate::repeat::until_known;

/// How often it is looked whether the nodes are alive whose logs have copies here.
const WATCH_PERIOD: Duration = Duration::from_secs(2);
/// After a failure the metadata are told again this much later.
const RETRY: Duration = Duration::from_millis(500);

/// A log that this node began to go on with.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The life of the log.
    life: u64,
    /// All of its rows are announced here.
    is_queryable: bool,
}

impl RealtimeNode {
    /// Goes on with the logs of another node, of which this one has the copies that count; gives their
    /// datasources. For whoever sees that the node is dead; asked too early or twice it does no harm. What
    /// was acknowledged is queryable when this returns, and is published soon after.
    ///
    /// # Errors
    /// `Busy` while the node may be alive as far as the metadata or this node know: ask again. What began goes
    /// on by itself.
    pub async fn take_over(&self, node: &str) -> Result<Vec<Arc<str>>> {
        let mut begun = self.taking_over.lock().await;
        let owner: Arc<str> = node.into();
        if owner == self.shared.options.node || self.followed(node).await?.is_empty() {
            return Ok(Vec::new());
        }
        let may_be_alive = |reason: String| {
            RealtimeError::Busy(format!("realtime node '{node}' may be alive: {reason}"))
        };
        if self.shared.copies.is_counted_on(&owner) {
            return Err(may_be_alive("it wrote to its copy a moment ago".into()));
        }
        let clock = Arc::clone(&self.shared.clock);
        let lease =
            NodeLease::new(Arc::clone(&self.shared.metadata), clock, node, self.holder.clone());
        if let Some(held) = lease.ask().await? {
            let reason = format!("its lease lasts {} ms", held.remaining_ms);
            return Err(may_be_alive(reason));
        }
        let taken = self.begin(&owner, &lease, &mut begun).await;
        lease.give_back().await;
        taken?;
        self.finish(&mut begun).await
    }

    /// Says in the metadata that this node goes on with all logs of another one that it follows.
    async fn begin(
        &self,
        owner: &Arc<str>,
        lease: &NodeLease,
        begun: &mut BTreeMap<CopyId, Begun>,
    ) -> Result<()> {
        let (metadata, fence) = (&*self.shared.metadata, lease.fence()?);
        self.shared.copies.close(owner, fence.epoch).await;
        // Only now nobody else changes what is said of these logs.
        for state in self.followed(owner).await? {
            let Some(RecordedCopy { attempt, .. }) = state.body.copy else { continue };
            let (datasource, life) = (Arc::clone(&state.datasource), state.body.life);
            let copy = CopyId { owner: Arc::clone(owner), datasource, attempt };
            if !self.shared.copies.has(&copy) {
                tracing::error!(datasource = %state.datasource, node = %owner, "the copy of a lost log is gone from this disk: only giving the node up ends that it is waited for");
                continue;
            }
            begun.insert(copy, Begun { life, is_queryable: false });
            let taking = self.taking(owner, life).owner();
            let notes = self.buffered(&server_of(owner), &state.datasource).await?;
            until_known(|| metadata.change_buffered(&taking, &notes, &[])).await?;
            let mut body = LogBody { life: fence.epoch, copy: None, ..state.body.clone() };
            body.taken.push(Taken { by: Arc::clone(&self.shared.options.node), attempt, life });
            state.change_until_known(metadata, body, &fence).await?;
        }
        Ok(())
    }

    /// Finishes what began; gives the datasources.
    ///
    /// # Errors
    /// With the first reason why not all of it is finished.
    async fn finish(&self, begun: &mut BTreeMap<CopyId, Begun>) -> Result<Vec<Arc<str>>> {
        let (mut datasources, mut failure) = (Vec::new(), None);
        for copy in begun.keys().cloned().collect::<Vec<_>>() {
            let Some(one) = begun.get_mut(&copy) else { continue };
            match self.finish_one(&copy, one).await {
                Ok(()) => {
                    datasources.extend(one.is_queryable.then(|| Arc::clone(&copy.datasource)));
                    begun.remove(&copy);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(datasources), Err)
    }

    async fn finish_one(&self, copy: &CopyId, begun: &mut Begun) -> Result<()> {
        let CopyId { owner, datasource, attempt } = copy;
        if !begun.is_queryable {
            let state = LogState::of(&*self.shared.metadata, datasource, owner).await?;
            let this = &self.shared.options.node;
            let is_this = |taken: &&Taken| taken.by == *this && taken.attempt == *attempt;
            let Some(taken) = state.body.taken.iter().find(is_this).cloned() else {
                return self.give_notes_back(copy, begun.life).await;
            };
            self.go_on(owner, &state, &taken).await?;
            begun.is_queryable = true;
        }
        self.shared.notes.note_missing().await?;
        let notes = self.buffered(&self.taking(owner, begun.life).owner(), datasource).await?;
        self.shared.metadata.change_buffered(&self.shared.options.server_id, &[], &notes).await?;
        Ok(())
    }

    /// It did not come to a takeover: the notes are the owner's again.
    async fn give_notes_back(&self, copy: &CopyId, life: u64) -> Result<()> {
        let taking = self.taking(&copy.owner, life).owner();
        let notes = self.buffered(&taking, &copy.datasource).await?;
        self.shared.metadata.change_buffered(&server_of(&copy.owner), &notes, &[]).await?;
        Ok(())
    }

    fn taking(&self, node: &Arc<str>, life: u64) -> Taking {
        Taking { by: Arc::clone(&self.shared.options.node), node: Arc::clone(node), life }
    }

    /// What this node began to go on with in an earlier life, of one datasource.
    pub(super) async fn resume_taken(&self, datasource: &str) -> Result<()> {
        for copy in self.shared.copies.on_disk().await? {
            if *copy.datasource != *datasource {
                continue;
            }
            let state = LogState::of(&*self.shared.metadata, datasource, &copy.owner).await?;
            let is_this =
                |by: &str, attempt| *by == *self.shared.options.node && attempt == copy.attempt;
            let taken = state.body.taken.iter().find(|taken| is_this(&taken.by, taken.attempt));
            match (taken, &state.body.copy) {
                (Some(Taken { life, .. }), _) => {
                    let mut begun = Begun { life: *life, is_queryable: false };
                    self.finish_one(&copy, &mut begun).await?;
                }
                (None, Some(of)) if is_this(&of.follower, of.attempt) => {}
                (None, _) => self.shared.copies.remove(&copy).await,
            }
        }
        Ok(())
    }

    /// The logs of a node whose copies this node has.
    async fn followed(&self, node: &str) -> Result<Vec<LogState>> {
        let mut logs = LogState::all(&*self.shared.metadata, node).await?;
        let this = &self.shared.options.node;
        logs.retain(|log| log.body.copy.as_ref().is_some_and(|copy| copy.follower == *this));
        Ok(logs)
    }

    /// What somebody buffers of a datasource as far as the metadata know.
    pub(super) async fn buffered(&self, owner: &str, datasource: &str) -> Result<Vec<SegmentId>> {
        let all = self.shared.metadata.buffered_segments().await?.into_iter();
        let of_both = all.filter(|of| *of.owner == *owner && *of.id.datasource == *datasource);
        Ok(of_both.map(|of| of.id).collect())
    }

    /// Makes the rows of a copy queryable and the keys of the datasource this node's, and publishes them in
    /// time.
    async fn go_on(&self, owner: &Arc<str>, state: &LogState, taken: &Taken) -> Result<()> {
        let metadata = &*self.shared.metadata;
        let datasource = self.datasource(&state.datasource).await?;
        let log: Arc<str> = state.name_in(taken.life).into();
        let published = PublishedLog::of(metadata, &log).await?;
        let copy = CopyId {
            owner: Arc::clone(owner),
            datasource: Arc::clone(&state.datasource),
            attempt: taken.attempt,
        };
        let Some(wal) = self.shared.copies.log(&copy, published.position()).await? else {
            return Err(RealtimeError::Unavailable(format!(
                "the copy of the log of '{}' at node '{owner}' is gone from the disk of this node: what it \
                 held and was not published is lost unless its owner is given up by hand",
                state.datasource
            )));
        };
        let replayed = TakenLog::replay(&datasource, log, wal, published).await?;
        tracing::warn!(datasource = %state.datasource, node = %owner, records = replayed.records(), "goes on with the log of a lost node");
        while let Err(error) = self.take_keys(owner, &datasource).await {
            self.shared.lease.check()?;
            tracing::warn!(datasource = %state.datasource, %error, "the keys of a lost node are still its own, will try again");
            tokio::time::sleep(RETRY).await;
        }
        let finishing = Finishing {
            metadata: Arc::clone(&self.shared.metadata),
            owner: Arc::clone(owner),
            taken: taken.clone(),
            copy,
        };
        let shared = Arc::clone(&self.shared);
        spawn(async move {
            if !replayed.published().await {
                return;
            }
            finishing.note(|| shared.lease.fence()).await;
            shared.copies.remove(&finishing.copy).await;
        });
        Ok(())
    }

    /// The keys of a datasource that a lost node owned are this node's from now on.
    pub(super) async fn take_keys(&self, owner: &str, datasource: &PushDatasource) -> Result<()> {
        let metadata = &*self.shared.metadata;
        loop {
            let Some(owners) = KeyOwners::read(metadata, &datasource.name).await? else {
                return Ok(());
            };
            if !owners.has(owner) {
                return Ok(());
            }
            let wanted = owners.without(owner, &[Arc::clone(&self.shared.options.node)]);
            let fence = self.shared.lease.fence()?;
            match owners.swap(metadata, wanted, Some(&fence)).await {
                Ok(now) => {
                    *datasource.owners.write() = Some(Arc::new(now));
                    return Ok(());
                }
                Err(RealtimeError::Metadata(MetadataError::DocumentChanged { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Goes on with the logs of nodes that are not seen alive for a while, as soon as the metadata allow it.
pub(super) async fn keep_watch(node: Weak<RealtimeNode>) {
    let mut before = BTreeSet::new();
    loop {
        tokio::time::sleep(WATCH_PERIOD).await;
        let Some(node) = node.upgrade() else { return };
        if let Err(error) = node.finish(&mut *node.taking_over.lock().await).await {
            tracing::warn!(%error, "failed to go on with the logs of a node, will try again");
        }
        let missing = match node.shared.copies.on_disk().await {
            Ok(copies) => missing(&node, copies),
            Err(error) => {
                tracing::warn!(%error, "the copies of logs cannot be listed, will try again");
                continue;
            }
        };
        for owner in missing.intersection(&before) {
            match node.take_over(owner).await {
                // It is alive as far as the metadata know, or has just died.
                Ok(_) | Err(RealtimeError::Busy(_)) => {}
                Err(error) => {
                    tracing::warn!(node = %owner, %error, "failed to go on with the logs of a node, will try again");
                }
            }
        }
        before = missing;
    }
}

/// The owners of copies who are not seen alive, as long as anybody is.
fn missing(node: &RealtimeNode, copies: Vec<CopyId>) -> BTreeSet<Arc<str>> {
    let live = node.shared.peers.live();
    let is_missing = |owner: &Arc<str>| {
        *owner != node.shared.options.node && live.iter().all(|peer| peer.node != *owner)
    };
    let owners = copies.into_iter().map(|copy| copy.owner);
    owners.filter(|owner| !live.is_empty() && is_missing(owner)).collect()
}

/// What is left to do once all of a log is published.
struct Finishing {
    metadata: Arc<dyn MetadataStore>,
    owner: Arc<str>,
    taken: Taken,
    copy: CopyId,
}

impl Finishing {
    /// The metadata say that nobody goes on with that life any more.
    async fn note(&self, fence: impl Fn() -> Result<Fence>) {
        loop {
            let Ok(fence) = fence() else { return };
            match self.note_once(&fence).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "a log that is published is still noted as taken over, will try again");
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn note_once(&self, fence: &Fence) -> Result<()> {
        let metadata = &*self.metadata;
        let state = LogState::of(metadata, &self.copy.datasource, &self.owner).await?;
        let mut body = state.body.clone();
        body.taken.retain(|taken| *taken != self.taken);
        if body != state.body {
            state.change(metadata, body, fence).await?;
        }
        Ok(())
    }
}
