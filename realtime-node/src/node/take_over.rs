//! Going on with the logs of a node that is lost, from the copies that this one has (ADR 31).
//!
//! Whoever was lost may come back at any step. Once it has no lease it publishes nothing and no record counts
//! by it; once the metadata say that its log was taken over it begins a new one, which has nothing to do with
//! the old.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use henge_platform::metadata::{Fence, MetadataError, MetadataStore};
use henge_platform::runtime::spawn;
use henge_types::SegmentId;

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::lease::NodeLease;
use crate::options::server_of;
use crate::peers::CopyId;
use crate::push::{KeyOwners, LogBody, LogState, PublishedLog, PushDatasource, Taken, TakenLog};

/// How often it is looked whether the nodes are alive whose logs have copies here.
const WATCH_PERIOD: Duration = Duration::from_secs(2);
/// After a failure the metadata are told again this much later.
const RETRY: Duration = Duration::from_millis(500);

impl RealtimeNode {
    /// Goes on with the logs of another node, of which this one has the copies that count; gives their
    /// datasources. For whoever sees that the node is dead; asked too early or twice it does no harm. What
    /// was acknowledged is queryable when this returns, and is published soon after.
    ///
    /// # Errors
    /// `Busy` while the node may be alive as far as the metadata or this node know: ask again.
    pub async fn take_over(&self, node: &str) -> Result<Vec<Arc<str>>> {
        let _one_at_a_time = self.taking_over.lock().await;
        let metadata = &*self.shared.metadata;
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
        let fence = lease.fence()?;
        self.shared.copies.close(&owner, fence.epoch).await;
        let mut begun = Vec::new();
        // Only now nobody else changes what is said of these logs.
        for state in self.followed(node).await? {
            let Some(copy) = state.body.copy.clone() else { continue };
            let (datasource, attempt) = (Arc::clone(&state.datasource), copy.attempt);
            if !self.shared.copies.has(&CopyId { owner: Arc::clone(&owner), datasource, attempt }) {
                tracing::error!(datasource = %state.datasource, node, "the copy of a lost log is gone from this disk: only giving the node up ends that it is waited for");
                continue;
            }
            let by = Arc::clone(&self.shared.options.node);
            let taken = Taken { by, attempt, life: state.body.life };
            let notes = self.buffered(&server_of(node), &state.datasource).await?;
            metadata.change_buffered(&self.shared.options.server_id, &notes, &[]).await?;
            let mut body = LogBody { life: fence.epoch, copy: None, ..state.body.clone() };
            body.taken.push(taken.clone());
            match state.change(metadata, body, &fence).await {
                Ok(state) => begun.push((state, taken, notes)),
                Err(error) => {
                    metadata.change_buffered(&server_of(node), &notes, &[]).await?;
                    lease.give_back().await;
                    return Err(error);
                }
            }
        }
        lease.give_back().await;
        let mut datasources = Vec::new();
        for (state, taken, notes) in begun {
            self.go_on(&owner, &state, &taken).await?;
            metadata.change_buffered(&self.shared.options.server_id, &[], &notes).await?;
            datasources.push(state.datasource);
        }
        Ok(datasources)
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
            match taken.cloned() {
                Some(taken) => self.go_on(&copy.owner, &state, &taken).await?,
                None if state
                    .body
                    .copy
                    .as_ref()
                    .is_some_and(|of| is_this(&of.follower, of.attempt)) => {}
                None => self.shared.copies.remove(&copy).await,
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

    /// What a server buffers of a datasource as far as the metadata know.
    pub(super) async fn buffered(&self, server: &str, datasource: &str) -> Result<Vec<SegmentId>> {
        let all = self.shared.metadata.buffered_segments().await?.into_iter();
        let of_both = all.filter(|of| *of.owner == *server && *of.id.datasource == *datasource);
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
        self.take_keys(owner, &datasource).await?;
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
