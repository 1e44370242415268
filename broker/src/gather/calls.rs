//! The calls of a query that are outstanding, each until it is answered, failed or nobody wants its reply.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{AbortHandle, Aborted, BoxFuture, FutureExt, abortable};
use futures::stream::FuturesUnordered;
use henge_data_node::{DataNode, NodeError, SegmentQuery, SegmentReply};
use henge_platform::discovery::ServerId;

use super::ledger::CallId;
use crate::load::Ticket;
use crate::route::Place;

/// What a node said, or why it did not.
pub(super) type Outcome = Result<SegmentReply, NodeError>;

type Ended = (CallId, Result<Outcome, Aborted>);

/// Why a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody has to.
    First,
    /// Another server did not have it, or failed.
    Retry,
    /// Another server is late.
    Hedge,
}

/// A call that is outstanding.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) server: ServerId,
    pub(super) places: Vec<Place>,
    pub(super) reason: Reason,
    /// Replicas may be asked for the same, once.
    pub(super) may_hedge: bool,
    /// Its reply may lack groups that are not wanted.
    pub(super) is_ranked: bool,
    /// What is noted of the node.
    pub(super) ticket: Ticket,
    abort: AbortHandle,
}

/// Calls by id.
#[derive(Debug, Default)]
pub(super) struct Calls {
    running: FuturesUnordered<BoxFuture<'static, Ended>>,
    outstanding: BTreeMap<CallId, Outstanding>,
}

/// What is called, and why.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) server: ServerId,
    pub(super) places: Vec<Place>,
    pub(super) reason: Reason,
    pub(super) may_hedge: bool,
    pub(super) is_ranked: bool,
    pub(super) ticket: Ticket,
}

impl Calls {
    /// Calls a node, or notes why it cannot be.
    pub(super) fn begin(
        &mut self,
        id: CallId,
        calling: Calling,
        node: Result<Arc<dyn DataNode>, NodeError>,
        request: SegmentQuery,
    ) {
        let work = async move { node?.run(request).await };
        let (work, abort) = abortable(work);
        self.running.push(work.map(move |outcome| (id, outcome)).boxed());
        let Calling { server, places, reason, may_hedge, is_ranked, ticket } = calling;
        let outstanding =
            Outstanding { server, places, reason, may_hedge, is_ranked, ticket, abort };
        self.outstanding.insert(id, outstanding);
    }

    /// The next call that is answered or fails, and what it said; waits for ever when none is
    /// outstanding. May be dropped and called again.
    pub(super) async fn next(&mut self) -> (CallId, Outstanding, Outcome) {
        while let Some((id, outcome)) = self.running.next().await {
            // One that was given up may have been answered before it could be stopped.
            if let (Ok(outcome), Some(call)) = (outcome, self.outstanding.remove(&id)) {
                return (id, call, outcome);
            }
        }
        std::future::pending().await
    }

    /// Nobody wants the reply of a call any more: its node stops. `None` when it is not outstanding.
    pub(super) fn give_up(&mut self, id: CallId) -> Option<Outstanding> {
        let call = self.outstanding.remove(&id)?;
        call.abort.abort();
        Some(call)
    }

    /// Those that are outstanding.
    pub(super) fn iter(&self) -> impl Iterator<Item = (CallId, &Outstanding)> {
        self.outstanding.iter().map(|(id, call)| (*id, call))
    }

    /// One that is outstanding.
    pub(super) fn get_mut(&mut self, id: CallId) -> Option<&mut Outstanding> {
        self.outstanding.get_mut(&id)
    }

    /// True when none is outstanding.
    pub(super) fn is_empty(&self) -> bool {
        self.outstanding.is_empty()
    }
}
