//! Hedging: replicas of a node that is late are asked for the same segments, and whoever is first counts.

use std::time::Duration;

use henge_platform::discovery::ServerId;
use tokio::time::Instant;

use super::Gathering;
use super::calls::Reason;
use super::ledger::CallId;
use crate::late::late_after;
use crate::profile::type_index;
use crate::route::{self, Assigned, Place, Share};

impl Gathering<'_> {
    /// When the next call is late; `None` when none will be.
    pub(super) fn next_late(&self) -> Option<Instant> {
        let loads = &self.broker.loads;
        let waiting = || self.calls.iter().filter(|(_, call)| call.may_hedge);
        if !loads.budget.is_any() || waiting().next().is_none() {
            return None;
        }
        let after = self.late_after();
        waiting().map(|(_, call)| call.ticket.began() + after).min()
    }

    fn late_after(&self) -> Duration {
        let usual = self.broker.loads.usual(type_index(&self.running.query));
        late_after(self.broker.options.hedge_floor, usual, &self.took)
    }

    /// Asks replicas for what calls that are late ask for, each once.
    pub(super) fn hedge(&mut self) {
        let (now, after) = (Instant::now(), self.late_after());
        let is_late = |began: Instant| now >= began + after;
        let late = self.calls.iter().filter(|(_, c)| c.may_hedge && is_late(c.ticket.began()));
        for id in late.map(|(id, _)| id).collect::<Vec<CallId>>() {
            self.hedge_one(id);
        }
    }

    fn hedge_one(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(id) else { return };
        call.may_hedge = false;
        let (slow, places) = (call.server.clone(), call.places.clone());
        let assigned = self.replicas_beside(&slow, &places);
        let parts: Vec<_> = assigned.by_server.into_iter().collect();
        if !assigned.without.is_empty() || !self.broker.loads.budget.spend(parts.len()) {
            return;
        }
        let of_parts = parts.iter().map(|(_, share)| share.places.clone()).collect();
        let Some(ids) = self.ledger.hedge(id, of_parts) else { return };
        tracing::debug!(server = %slow, "a data node is late, replicas are asked as well");
        for (id, (server, Share { places, .. })) in ids.into_iter().zip(parts) {
            self.call(id, server, places, Reason::Hedge, false);
        }
    }

    /// Who else could answer for segments that a node is late with.
    fn replicas_beside(&self, slow: &ServerId, places: &[Place]) -> Assigned {
        let standing = self.broker.standing(&self.view);
        let is_out = |server: &ServerId, place| {
            server == slow
                || standing(server).is_suspect
                || self.avoided.contains(&(server.clone(), place))
        };
        route::assign(&self.view, &self.segments, places, &standing, is_out)
    }
}
