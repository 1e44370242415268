//! Calls to data nodes and hosts of segments.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use henge_data_node::wire::{Piece, Pieces, Transport, WireNode, answer};
use henge_data_node::{
    DataNode, DialHosts, DialNodes, HostError, Instruction, NodeError, RunningQueries, SegmentHost,
};
use henge_platform::discovery::ServerId;
use henge_platform::metadata::PublishedSegment;
use henge_types::{ErrorClass, SegmentId};
use tokio::sync::mpsc;

use super::{GIVEN_UP, Network};

/// Longer messages travel in pieces of this.
const PIECE_BYTES: usize = 2 << 10;

/// The data nodes as a process sees them.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) network: Arc<Network>,
    pub(super) from: String,
    pub(super) running: Arc<RunningQueries>,
}

impl DialNodes for Nodes {
    fn dial(&self, server: &ServerId, _: &Arc<str>) -> Result<Arc<dyn DataNode>, NodeError> {
        let (network, from) = (Arc::clone(&self.network), self.from.clone());
        let wire = Wire { network, from, to: server.clone() };
        Ok(Arc::new(WireNode::new(server.clone(), Arc::new(wire), Arc::clone(&self.running))))
    }
}

/// The hosts of segments as a process sees them.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) network: Arc<Network>,
    pub(super) from: String,
}

impl DialHosts for Hosts {
    fn dial_host(
        &self,
        server: &ServerId,
        _: &Arc<str>,
    ) -> Result<Arc<dyn SegmentHost>, HostError> {
        let (network, from) = (Arc::clone(&self.network), self.from.clone());
        Ok(Arc::new(Wire { network, from, to: server.clone() }))
    }
}

/// The way from a process to a server.
#[derive(Debug)]
struct Wire {
    network: Arc<Network>,
    from: String,
    to: ServerId,
}

impl Wire {
    fn away(&self) -> NodeError {
        let reason = "simulated: it is not reached".to_owned();
        NodeError::Unavailable { server: self.to.to_string(), reason }
    }

    fn host_away(&self) -> HostError {
        let reason = "simulated: it is not reached".to_owned();
        HostError { server: self.to.to_string(), reason, class: ErrorClass::Unavailable }
    }
}

#[async_trait]
impl Transport for Wire {
    async fn call(&self, message: Bytes, _timeout: Duration) -> Result<Pieces, NodeError> {
        if !self.network.carry(&self.from, &self.to).await {
            return Err(self.away());
        }
        let Some((process, node)) = self.network.node(&self.to) else { return Err(self.away()) };
        let (sender, receiver) = mpsc::channel(2);
        let (network, from, to) =
            (Arc::clone(&self.network), self.from.clone(), self.to.to_string());
        process.spawn(async move {
            let messages = answer(node, message);
            let mut pieces =
                messages.flat_map(|message| stream::iter(Piece::cut(message, PIECE_BYTES)));
            loop {
                let next = tokio::select! {
                    biased;
                    () = sender.closed() => return,
                    next = pieces.next() => next,
                };
                let Some(piece) = next else { return };
                if !network.carry(&to, &from).await || sender.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
        });
        let received = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        Ok(received.boxed())
    }
}

#[async_trait]
impl SegmentHost for Wire {
    fn server_id(&self) -> &ServerId {
        &self.to
    }

    async fn load(
        &self,
        segment: &PublishedSegment,
        instruction: Instruction,
    ) -> Result<(), HostError> {
        let segment = segment.clone();
        self.tell(|host| async move { host.load(&segment, instruction).await }).await
    }

    async fn unload(&self, id: &SegmentId, instruction: Instruction) -> Result<(), HostError> {
        let (id, audit) = (id.clone(), Arc::clone(&self.network.audit));
        self.tell(|host| async move {
            host.unload(&id, instruction).await?;
            audit.dropped(host.server_id(), &id).await;
            Ok(())
        })
        .await
    }
}

impl Wire {
    /// Does something in the other process, which goes on there when nobody waits for it.
    async fn tell<F>(&self, work: impl FnOnce(Arc<dyn SegmentHost>) -> F) -> Result<(), HostError>
    where
        F: Future<Output = Result<(), HostError>> + Send + 'static,
    {
        if !self.network.carry(&self.from, &self.to).await {
            return Err(self.host_away());
        }
        let Some((process, host)) = self.network.host(&self.to) else {
            return Err(self.host_away());
        };
        if let Some(lateness) = self.network.lateness() {
            let work = work(host);
            process.spawn(async move {
                tokio::time::sleep(lateness).await;
                work.await
            });
            tokio::time::sleep(GIVEN_UP).await;
            return Err(self.host_away());
        }
        let done = process.spawn(work(host)).await;
        if !self.network.carry(&self.to, &self.from).await {
            return Err(self.host_away());
        }
        done.unwrap_or_else(|_| Err(self.host_away()))
    }
}
