//! Whether an answer has every row that was acknowledged before the query came, at whichever broker. What
//! nodes of other processes begin to buffer they announce, and this broker follows that a moment later, or
//! much later when it stood still. So each process that buffers says how far its announcements were when
//! it was asked: with its reply, or by a small call when no segment is asked of it. If one is further than
//! was followed, or does not say, the metadata tell what there is: they note a segment before its first
//! row is acknowledged. Only if the query reads other segments by that it starts over.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use henge_platform::discovery::inventory::InventoryVersion;
use henge_platform::discovery::{ServerAddress, ServerId};
use tokio::time::{Instant, timeout};

use super::{Gathering, says_something_of_the_node};
use crate::Broker;
use crate::error::Result;
use crate::plan::Plan;
use crate::running::Running;
use crate::view::ClusterView;

/// What a process said.
type Said = (Arc<str>, Option<InventoryVersion>);

/// Who has to say how far its announcements are.
#[derive(Default)]
pub(super) struct Fresh<'b> {
    /// Addresses of processes that buffer and did not say it yet.
    unheard: BTreeSet<Arc<str>>,
    pub(super) calls: FuturesUnordered<BoxFuture<'static, Said>>,
    /// A view by what the metadata say is on its way.
    pub(super) looking: Option<BoxFuture<'b, Result<Arc<ClusterView>>>>,
}

impl Fresh<'_> {
    /// True when nobody has to say anything any more.
    pub(super) fn is_known(&self) -> bool {
        self.unheard.is_empty() && self.looking.is_none()
    }
}

/// What is said next; waits for ever when nobody was called. May be dropped and called again.
pub(super) async fn next_of(calls: &mut FuturesUnordered<BoxFuture<'static, Said>>) -> Said {
    match calls.next().await {
        Some(said) => said,
        None => pending().await,
    }
}

impl Broker {
    /// Whether a query has to start over that nobody need be asked for segments of.
    ///
    /// # Errors
    /// When the metadata were never read.
    pub(crate) async fn is_outdated(&self, running: &Running, plan: &Plan) -> Result<bool> {
        if plan.view.buffering_elsewhere().next().is_none() {
            return Ok(false);
        }
        Ok(self.gather(running, plan, Vec::new()).await?.is_outdated)
    }
}

impl Gathering<'_> {
    /// Asks processes that buffer, and of which no segments are asked, how far they are. Nobody need say it
    /// when the metadata were read since the query came.
    pub(super) fn ask_how_far(&mut self) {
        let (broker, view) = (self.broker, Arc::clone(&self.view));
        let is_read = view.metadata.was_read_after(self.running.arrived);
        if is_read || view.buffering_elsewhere().next().is_none() {
            return;
        }
        let asked = self.calls.iter().filter_map(|(_, call)| view.address_of(&call.server));
        let asked: Vec<&ServerAddress> = asked.collect();
        for (server, address) in view.buffering_elsewhere() {
            let is_asked = view.address_of(server).is_some_and(|address| asked.contains(&address));
            if self.fresh.unheard.insert(Arc::clone(address)) && !is_asked {
                self.fresh.calls.push(broker.how_far(server, Arc::clone(address), &view));
            }
        }
    }

    /// A server has replied, and perhaps said how far the announcements of its process were.
    pub(super) fn hear_reply(&mut self, server: &ServerId, at: Option<InventoryVersion>) {
        if self.fresh.unheard.is_empty() {
            return;
        }
        let view = Arc::clone(&self.view);
        if let Some(ServerAddress::Network(address)) = view.address_of(server) {
            self.hear(address, at);
        }
    }

    /// A process has said how far it is, or could not.
    pub(super) fn hear(&mut self, address: &Arc<str>, at: Option<InventoryVersion>) {
        if !self.fresh.unheard.remove(address) {
            return;
        }
        let followed = self.plan.followed.get(address).zip(at);
        if !followed.is_some_and(|(followed, at)| followed.covers(&at)) {
            self.ask_metadata();
        }
    }

    /// All replies are there: who was asked for segments and gave none that counts does not say it any more.
    pub(super) fn hear_no_more_replies(&mut self) {
        if self.fresh.calls.is_empty() && !self.fresh.unheard.is_empty() {
            self.ask_metadata();
        }
    }

    /// What they say is of after the query came, so nobody else has to say anything.
    fn ask_metadata(&mut self) {
        let (broker, arrived) = (self.broker, self.running.arrived);
        broker.metrics.behind.add(1);
        self.fresh =
            Fresh { looking: Some(Box::pin(broker.views.as_of(arrived))), ..Fresh::default() };
    }

    /// Here is the view by what they say.
    pub(super) fn compare(&mut self, view: &ClusterView) {
        self.fresh.looking = None;
        self.gathered.is_outdated = self.plan.is_outdated_by(&self.running.query, view);
    }
}

impl Broker {
    /// Asks a server how far the announcements of its process are, unless it failed lately.
    fn how_far(
        &self,
        server: &ServerId,
        address: Arc<str>,
        view: &ClusterView,
    ) -> BoxFuture<'static, Said> {
        let (is_suspect, _) = self.loads.of(server, Instant::now());
        let node = self.nodes.reach(server, view);
        let (Ok(node), false) = (node, is_suspect) else {
            return async move { (address, None) }.boxed();
        };
        self.metrics.inventory_calls.add(1);
        let (loads, server) = (Arc::clone(&self.loads), ServerId::clone(server));
        let patience = self.options.inventory_patience;
        async move {
            let said = timeout(patience, node.inventory()).await;
            let at = match said {
                Ok(Ok(at)) => at,
                Ok(Err(error)) => {
                    tracing::debug!(%server, %error, "a data node does not say what it announced");
                    // One of an earlier build does not understand the question.
                    if says_something_of_the_node(&error) {
                        loads.failed(&server);
                    }
                    None
                }
                Err(_) => {
                    loads.failed(&server);
                    None
                }
            };
            (address, at)
        }
        .boxed()
    }
}
