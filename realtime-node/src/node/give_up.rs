//! Giving up a node that does not come back: what only it had is counted, named, and no longer waited for.

mod lost;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_platform::metadata::{DATASOURCE, TaskProgress, TaskStatus, TaskUpdate};
use henge_types::SegmentId;

pub use lost::{GivenUp, LostRecords};

use super::RealtimeNode;
use crate::error::{RealtimeError, Result};
use crate::lease::{NodeLease, lease_of};
use crate::notes::Taking;
use crate::options::server_of;
use crate::peers::CopyId;
use crate::push::{LogBody, LogState, PublishedLog};
use crate::registration;
use crate::repeat::until_known;

impl RealtimeNode {
    /// Gives up what a lost node has not published and no copy has: queries no longer wait for it, its tasks
    /// have failed, its keys are this node's, and it begins new logs should it come back. Its old ones stay
    /// on its disk. For an operator who knows that the node or its disk is gone, and that those nodes are
    /// `also_lost` with their disks: copies that only they had are given up as well.
    ///
    /// # Errors
    /// `NotFound` when no node ever had that name; `Busy` while its lease lasts, or a copy of one of its logs may
    /// be somewhere else; else when the metadata cannot be read or written: what was done until then stays
    /// done, and asking again does the rest.
    pub async fn give_up(&self, node: &str, also_lost: &BTreeSet<&str>) -> Result<GivenUp> {
        if *node == *self.shared.options.node {
            return Err(RealtimeError::Invalid("a node cannot give up itself".into()));
        }
        let metadata = &*self.shared.metadata;
        if metadata.lease(&lease_of(node)).await?.is_none() {
            return Err(unknown(node));
        }
        let clock = Arc::clone(&self.shared.clock);
        let lease =
            NodeLease::new(Arc::clone(&self.shared.metadata), clock, node, self.holder.clone());
        if let Some(held) = lease.ask().await? {
            return Err(RealtimeError::Busy(format!(
                "realtime node '{node}' is alive, its lease lasts {} ms: stop it first",
                held.remaining_ms
            )));
        }
        let given_up = self.give_up_under(node, also_lost, &lease).await;
        lease.give_back().await;
        let lost = given_up?;
        for id in metadata.unfinished_tasks(Some(node)).await? {
            let error = Some(format!("the realtime node '{node}', which ran it, was given up"));
            let progress = TaskProgress::default();
            let ended =
                TaskUpdate { status: TaskStatus::Failed, error, duration_ms: None, progress };
            until_known(|| metadata.update_task(&id, &ended)).await?;
        }
        Ok(GivenUp::of(node, lost))
    }

    async fn give_up_under(
        &self,
        node: &str,
        also_lost: &BTreeSet<&str>,
        lease: &NodeLease,
    ) -> Result<Vec<LostRecords>> {
        let metadata = &*self.shared.metadata;
        let datasources = metadata.list_documents(DATASOURCE).await?;
        // Nothing is given up while a copy may have some of it.
        for state in LogState::all(metadata, node).await? {
            self.check_copy(node, &state, also_lost)?;
        }
        let mut lost = Vec::new();
        for document in datasources {
            self.give_up_logs(node, &document.name, lease, &mut lost).await?;
        }
        registration::end(metadata, &server_of(node), &lease.fence()?).await?;
        Ok(lost)
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
            lost.push(LostRecords::of(datasource, log, (published, noted), &buffered));
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
        if had_any || state.body.copy.is_some() {
            let fence = lease.fence()?;
            let body = LogBody { life: fence.epoch, copy: None, ..state.body.clone() };
            state.change_until_known(metadata, body, &fence).await?;
        }
        self.end_notes(&buffered).await?;
        let known = self.datasource(datasource).await?;
        self.take_keys(node, &known).await?;
        let is_lost = noted > published.position() || !buffered.is_empty();
        let positions = (published.position(), noted);
        Ok(is_lost.then(|| LostRecords::of(datasource, log, positions, &buffered)))
    }

    /// A copy counts as there until it is known that it is not: who has it may be starting at this moment.
    ///
    /// # Errors
    /// `Busy` when somebody may have a copy of what would be given up.
    fn check_copy(&self, node: &str, state: &LogState, also_lost: &BTreeSet<&str>) -> Result<()> {
        let Some(copy) = &state.body.copy else { return Ok(()) };
        let (follower, datasource) = (&copy.follower, &state.datasource);
        let id = CopyId {
            owner: node.into(),
            datasource: Arc::clone(datasource),
            attempt: copy.attempt,
        };
        let is_this = *follower == self.shared.options.node;
        let is_alive = self.shared.peers.live().iter().any(|peer| peer.node == *follower);
        let what = format!("node '{follower}' has a copy of the log of '{datasource}'");
        Err(RealtimeError::Busy(match (is_this, is_alive) {
            (true, _) if !self.shared.copies.has(&id) => return Ok(()),
            (true, _) => format!("{what}, and goes on with it by itself: ask again in a moment"),
            (false, true) => format!(
                "{what}, and goes on with it by itself: ask again in a moment, or that node, which knows \
                 whether the copy is still on its disk"
            ),
            (false, false) if also_lost.contains(&**follower) => return Ok(()),
            (false, false) => format!(
                "{what} and is not seen alive: start it, and it goes on with the log; if it is lost with \
                 its disk as well, say so with ?alsoLost={follower}"
            ),
        }))
    }
}

fn unknown(node: &str) -> RealtimeError {
    let hint = match node.strip_prefix(&*server_of("")) {
        Some(name) => {
            format!("; 'realtime-{name}' is what the node '{name}' is called as a server")
        }
        None => String::new(),
    };
    RealtimeError::NotFound(format!(
        "no realtime node of this cluster ever had the name '{node}'{hint}; nodes have the name that is set \
         as cluster.node, see GET /henge/v1/nodes"
    ))
}
