//! Doing what was planned: hosts are asked through their queues, the metadata at once.

use std::sync::Arc;

use henge_data_node::SegmentHost;
use henge_platform::discovery::ServerId;
use henge_platform::metadata::MetadataError;
use henge_types::SegmentId;

use crate::Coordinator;
use crate::action::{Action, Unused};
use crate::error::Result;
use crate::explain::Explained;
use crate::leadership::Term;
use crate::queue::{Order, Work};

/// Who says why a segment is not loaded, when that is no node's.
const REPORTER: &str = "coordinator";

impl Coordinator {
    /// Carries out the actions; gives how many orders hosts got.
    ///
    /// # Errors
    /// When the metadata store refuses a change.
    pub(crate) async fn apply(&self, actions: Vec<Action>, term: &Term) -> Result<usize> {
        let (mut orders, mut without_room, mut without_nodes) = (0, 0, Vec::new());
        for action in actions {
            let (server, work) = match action {
                Action::Load { server, segment } => (server, Work::Load(segment)),
                Action::Unload { server, id } => (server, Work::Unload(id)),
                Action::DropCopy { server, segment, keepers } => {
                    let keepers: Option<Vec<_>> = keepers.iter().map(|id| self.host(id)).collect();
                    let Some(keepers) = keepers else { continue };
                    (server, Work::DropCopy(segment, keepers))
                }
                Action::Move { server, from, segment, before, after } => {
                    let main_reason = after.main_gain(&before);
                    let to = Arc::clone(&server);
                    let told = Explained { from, to, main_reason, before, after };
                    self.explain(&segment.id, told);
                    (server, Work::Load(segment))
                }
                Action::MarkUnused { ids, why } => {
                    self.mark_unused(&ids, why, term).await?;
                    continue;
                }
                Action::ReportTiers { tiers } => {
                    without_nodes = tiers;
                    continue;
                }
                Action::ReportFull { segments, named } => {
                    without_room = segments;
                    self.report_full(&named);
                    continue;
                }
            };
            if let Some(queue) = self.hosts.queue(&server) {
                queue.push(Order { epoch: term.epoch, work });
                orders += 1;
            }
        }
        self.tell_room(without_room);
        self.tell_tiers(&without_nodes);
        Ok(orders)
    }

    async fn mark_unused(&self, ids: &[SegmentId], why: Unused, term: &Term) -> Result<()> {
        if !self.shared.leadership.leads_under(term.epoch) {
            return Ok(());
        }
        match self.metadata.mark_unused(ids, term.fence.as_ref()).await {
            Ok(count) => tracing::info!(count, ?why, "marked segments unused"),
            Err(MetadataError::Fenced { .. }) => self.shared.leadership.lost(term.epoch),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn host(&self, server: &ServerId) -> Option<Arc<dyn SegmentHost>> {
        self.hosts.queue(server).map(|queue| Arc::clone(&queue.host))
    }

    /// Tells whoever asks for them why these segments are served by nobody.
    fn report_full(&self, named: &[SegmentId]) {
        for id in named {
            let trouble = "no historical node has room for it: free some, raise \
                           historical.capacity_bytes or add a node";
            self.discovery.report(&REPORTER.into(), id, Some(trouble.to_owned()));
        }
    }

    /// Says which tiers rules name in vain, when that changes.
    fn tell_tiers(&self, without_nodes: &[(Arc<str>, usize)]) {
        let tiers: Vec<Arc<str>> = without_nodes.iter().map(|(tier, _)| Arc::clone(tier)).collect();
        let mut told = self.tiers_without_nodes.lock();
        if *told == tiers {
            return;
        }
        for (tier, segments) in without_nodes {
            tracing::error!(%tier, segments, "rules ask for a tier that has no nodes");
        }
        *told = tiers;
    }

    /// Says when segments begin to wait for room, and when they do no more.
    fn tell_room(&self, without_room: usize) {
        let before = self.progress.borrow().without_room;
        if before == 0 && without_room > 0 {
            tracing::error!(
                segments = without_room,
                "no historical node has room for these segments: raise historical.capacity_bytes or add a node"
            );
        } else if before > 0 && without_room == 0 {
            tracing::info!("historical nodes have room again");
        }
        self.progress.send_if_modified(|progress| {
            let changed = progress.without_room != without_room;
            progress.without_room = without_room;
            changed
        });
    }
}
