//! Whether an answer has every row that was acknowledged before the query came, at whichever broker. What
//! nodes of other processes begin to buffer they announce, and this broker follows that a moment later, or
//! much later when it stood still. So each process that buffers says how far its announcements were when
//! it was asked: with its reply, or by a small call when no segment is asked of it. One that is further
//! than was followed is waited for. Then, and when one does not say, the metadata are read, which note a
//! segment before its first row is acknowledged, if they can be reached. Only if the query reads other
//! segments by that it starts over.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use henge_platform::discovery::inventory::InventoryVersion;
use henge_platform::discovery::{Followed, ServerAddress, ServerId};
use tokio::time::{Instant, timeout};

use super::{Gathering, says_something_of_the_node};
use crate::Broker;
use crate::error::{BrokerError, Result};
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
    /// How far processes are that are further than was followed.
    ahead: Followed,
    /// Somebody did not say it.
    is_unknown: bool,
    /// A view with all of that is on its way.
    pub(super) looking: Option<BoxFuture<'b, Result<Arc<ClusterView>>>>,
}

impl Fresh<'_> {
    /// True when nobody has to say anything any more.
    pub(super) fn is_known(&self) -> bool {
        self.unheard.is_empty()
            && self.ahead.is_empty()
            && !self.is_unknown
            && self.looking.is_none()
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
    /// Asks processes that buffer, and of which no segments are asked, how far they are. What they said once
    /// holds for a query that starts over.
    pub(super) fn ask_how_far(&mut self) {
        let (broker, view) = (self.broker, Arc::clone(&self.view));
        let is_caught_up = self.running.is_caught_up.load(Ordering::Relaxed);
        if is_caught_up || view.buffering_elsewhere().next().is_none() {
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
        match (at, self.plan.followed.get(address)) {
            (Some(at), Some(followed)) if followed.covers(&at) => {}
            (Some(at), _) => _ = self.fresh.ahead.insert(Arc::clone(address), at),
            (None, _) => self.fresh.is_unknown = true,
        }
    }

    /// All replies are there: who was asked for segments and gave none that counts does not say it any more.
    pub(super) fn hear_no_more_replies(&mut self) {
        let Fresh { unheard, calls, ahead, is_unknown, looking } = &mut self.fresh;
        if !calls.is_empty() || looking.is_some() {
            return;
        }
        *is_unknown |= !unheard.is_empty();
        unheard.clear();
        if *is_unknown || !ahead.is_empty() {
            *is_unknown = false;
            self.broker.metrics.behind.add(1);
            let (broker, ahead) = (self.broker, std::mem::take(ahead));
            *looking = Some(Box::pin(broker.caught_up(ahead, self.running.arrived)));
        }
    }

    /// Here is the view with all of that.
    pub(super) fn compare(&mut self, view: &ClusterView) {
        self.fresh.looking = None;
        self.running.is_caught_up.store(true, Ordering::Relaxed);
        self.gathered.is_outdated = self.plan.is_outdated_by(&self.running.query, view);
    }
}

impl Broker {
    /// The view once processes were followed so far, with all that was committed before `arrived`.
    async fn caught_up(&self, ahead: Followed, arrived: Instant) -> Result<Arc<ClusterView>> {
        let deadline = Instant::now() + self.options.unreached_patience;
        for (address, at) in ahead {
            if !self.views.is_followed_before(&address, &at, deadline).await {
                return Err(BrokerError::Behind { address: address.to_string() });
            }
        }
        self.views.as_of(arrived).await
    }

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
