//! Giving up a node that does not come back: what only it had is counted, named, and no longer waited for.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_platform::metadata::{DATASOURCE, TaskProgress, TaskStatus, TaskUpdate};
use henge_types::SegmentId;
use serde::Serialize;

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::lease::NodeLease;
use crate::notes::Taking;
use crate::options::server_of;
use crate::peers::CopyId;
use crate::push::{LogBody, LogState, PublishedLog};
use crate::repeat::until_known;

/// What was given up with a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenUp {
    /// The node.
    pub node: String,
    /// What its logs had and nobody else does.
    pub lost: Vec<LostRecords>,
}

/// Records of a log that nobody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LostRecords {
    /// Of which datasource.
    pub datasource: String,
    /// The log.
    pub log: String,
    /// The first record that is not wholly published.
    pub first_record: u64,
    /// The last one that is known of. The node noted it at most a minute before it was lost, so there may
    /// have been more; below the first one when none is known of.
    pub last_known_record: u64,
    /// The segments that the node buffered, by their ids: rows of these times are missing.
    pub segments: Vec<String>,
}

impl RealtimeNode {
    /// Gives up what a lost node has not published and no copy has: queries no longer wait for it, its tasks
    /// have failed, its keys are this node's, and it begins new logs should it come back. Its old ones stay on its disk. For an
    /// operator who knows that the node or its disk is gone; first
    /// [`take_over`](Self::take_over) is to be tried at the nodes that have copies.
    ///
    /// # Errors
    /// `Busy` while its lease lasts; else when the metadata cannot be read or written: what was done until
    /// then stays done, and asking again does the rest.
    pub async fn give_up(&self, node: &str) -> Result<GivenUp> {
        if *node == *self.shared.options.node {
            return Err(RealtimeError::Invalid("a node cannot give up itself".into()));
        }
        let metadata = &*self.shared.metadata;
        let clock = Arc::clone(&self.shared.clock);
        let lease =
            NodeLease::new(Arc::clone(&self.shared.metadata), clock, node, self.holder.clone());
        if let Some(held) = lease.ask().await? {
            return Err(RealtimeError::Busy(format!(
                "realtime node '{node}' is alive, its lease lasts {} ms: stop it first",
                held.remaining_ms
            )));
        }
        let mut lost = Vec::new();
        for document in metadata.list_documents(DATASOURCE).await? {
            if let Err(error) = self.give_up_logs(node, &document.name, &lease, &mut lost).await {
                lease.give_back().await;
                return Err(error);
            }
        }
        lease.give_back().await;
        for id in metadata.unfinished_tasks(Some(node)).await? {
            let error = Some(format!("the realtime node '{node}', which ran it, was given up"));
            let progress = TaskProgress::default();
            let ended =
                TaskUpdate { status: TaskStatus::Failed, error, duration_ms: None, progress };
            until_known(|| metadata.update_task(&id, &ended)).await?;
        }
        for records in &lost {
            let LostRecords { datasource, log, first_record, last_known_record, segments } =
                records;
            let segments = segments.len();
            tracing::error!(%datasource, %log, first_record, last_known_record, segments, "gave up records of a lost node");
        }
        Ok(GivenUp { node: node.to_owned(), lost })
    }

    /// The log of a datasource that the node wrote to, and those of others that it went on with.
    async fn give_up_logs(
        &self,
        node: &str,
        datasource: &str,
        lease: &NodeLease,
        lost: &mut Vec<LostRecords>,
    ) -> Result<()> {
        let metadata = &*self.shared.metadata;
        lost.extend(self.give_up_log(node, datasource, lease).await?);
        let mut taken: BTreeMap<(Arc<str>, u64), Vec<SegmentId>> = BTreeMap::new();
        for note in metadata.buffered_segments().await? {
            if let Some(taking) = Taking::of(&note.owner)
                && (&*taking.by, &*note.id.datasource) == (node, datasource)
            {
                taken.entry((taking.node, taking.life)).or_default().push(note.id);
            }
        }
        for ((owner, life), buffered) in taken {
            let state = LogState::of(metadata, datasource, &owner).await?;
            if state.body.life == life {
                // It did not come to that: the owner has the log, or another one.
                continue;
            }
            let log = state.name_in(life);
            let published = PublishedLog::of(metadata, &log).await?.position();
            let noted = metadata.log_marks().await?.get(&log).map_or(0, |mark| mark.sequence);
            let mut body = state.body.clone();
            body.taken.retain(|taken| (&*taken.by, taken.life) != (node, life));
            state.change_until_known(metadata, body, &self.shared.lease.fence()?).await?;
            self.end_notes(&buffered).await?;
            lost.push(lost_records(datasource, log, (published, noted), &buffered));
        }
        Ok(())
    }

    async fn end_notes(&self, buffered: &[SegmentId]) -> Result<()> {
        let (metadata, server) = (&self.shared.metadata, &self.shared.options.server_id);
        Ok(until_known(|| metadata.change_buffered(server, &[], buffered)).await?)
    }

    async fn give_up_log(
        &self,
        node: &str,
        datasource: &str,
        lease: &NodeLease,
    ) -> Result<Option<LostRecords>> {
        let metadata = &*self.shared.metadata;
        let state = LogState::of(metadata, datasource, node).await?;
        let log = state.name();
        let published = PublishedLog::of(metadata, &log).await?;
        let mark = metadata.log_marks().await?.get(&log).copied();
        let noted = mark.map_or(0, |mark| mark.sequence);
        let buffered = self.buffered(&server_of(node), datasource).await?;
        // A log that was made is missed also when nothing is known to have been in it.
        let had_any = mark.is_some() || published.position() > 0 || !buffered.is_empty();
        self.check_copy(node, &state)?;
        if had_any {
            let fence = lease.fence()?;
            let body = LogBody { life: fence.epoch, copy: None, ..state.body.clone() };
            state.change_until_known(metadata, body, &fence).await?;
        }
        self.end_notes(&buffered).await?;
        let known = self.datasource(datasource).await?;
        self.take_keys(node, &known).await?;
        let is_lost = noted > published.position() || !buffered.is_empty();
        let positions = (published.position(), noted);
        Ok(is_lost.then(|| lost_records(datasource, log, positions, &buffered)))
    }

    /// # Errors
    /// When a copy has what would be given up.
    fn check_copy(&self, node: &str, state: &LogState) -> Result<()> {
        let Some(copy) = &state.body.copy else { return Ok(()) };
        let id = CopyId {
            owner: node.into(),
            datasource: Arc::clone(&state.datasource),
            attempt: copy.attempt,
        };
        let is_here = copy.follower == self.shared.options.node && self.shared.copies.has(&id);
        let is_there = copy.follower != self.shared.options.node
            && self.shared.peers.live().iter().any(|peer| peer.node == copy.follower);
        if !is_here && !is_there {
            return Ok(());
        }
        Err(RealtimeError::Busy(format!(
            "node '{}' has a copy of the log of '{}': let it take over first",
            copy.follower, state.datasource
        )))
    }
}

fn lost_records(
    datasource: &str,
    log: String,
    (published, last_known_record): (u64, u64),
    buffered: &[SegmentId],
) -> LostRecords {
    LostRecords {
        datasource: datasource.to_owned(),
        log,
        first_record: published + 1,
        last_known_record,
        segments: buffered.iter().map(ToString::to_string).collect(),
    }
}
