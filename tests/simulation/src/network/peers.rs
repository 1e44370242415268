//! Calls from one realtime node to another.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use henge_realtime_node::{
    Appended, Forwarded, ForwardedPush, LogAppend, RealtimeError, RealtimePeer,
};

use super::Network;

type Result<T> = std::result::Result<T, RealtimeError>;

/// A node that does not answer for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way from a process to a realtime node.
pub(super) struct Link {
    pub(super) network: Arc<Network>,
    pub(super) from: String,
    pub(super) to: String,
}

/// Without the network, which has numbers that differ between runs.
impl Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the way from {} to {}", self.from, self.to)
    }
}

impl Link {
    /// Asks; what began goes on at the other node when nobody waits for it.
    async fn ask<T, F>(&self, call: impl FnOnce(Arc<dyn RealtimePeer>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let Self { network, from, to } = self;
        let away = || RealtimeError::NotReached(format!("simulated: '{to}' is not reached"));
        if !network.carry(from, to).await {
            return Err(away());
        }
        let (process, peer) = network.peer(to).ok_or_else(away)?;
        let answered = tokio::time::timeout(PATIENCE, process.spawn(call(peer))).await;
        let answered = answered.map_err(|_| away())?.map_err(|_| away())?;
        if network.carry(to, from).await { answered } else { Err(away()) }
    }
}

#[async_trait]
impl RealtimePeer for Link {
    async fn push(&self, push: ForwardedPush) -> Result<Forwarded> {
        self.ask(|node| async move { node.push(push).await }).await
    }

    async fn refresh(&self) -> Result<()> {
        self.ask(|node| async move { node.refresh().await }).await
    }

    async fn stop_task(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.ask(|node| async move { node.stop_task(&id).await }).await
    }

    async fn append_log(&self, append: LogAppend) -> Result<Appended> {
        self.ask(|node| async move { node.append_log(append).await }).await
    }
}
