//! A transport that stays in the process: everything is encoded and decoded as for a wire.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;

use super::client::{Transport, WireNode};
use super::pieces::{Piece, Pieces};
use super::service::answer;
use crate::error::NodeError;
use crate::node::DataNode;
use crate::running::RunningQueries;

/// Carries messages to a node of this process.
#[derive(Debug)]
pub struct Loopback {
    node: Arc<dyn DataNode>,
}

impl Loopback {
    /// `node`, reached by messages. `running` are the queries of the broker, as if the node were in
    /// another process: give it services of its own.
    #[must_use]
    pub fn to(node: Arc<dyn DataNode>, running: Arc<RunningQueries>) -> WireNode {
        WireNode::new(node.server_id().clone(), Arc::new(Self { node }), running)
    }
}

#[async_trait]
impl Transport for Loopback {
    async fn call(&self, message: Bytes, _timeout: Duration) -> Result<Pieces, NodeError> {
        let messages = answer(Arc::clone(&self.node), message);
        Ok(messages.map(|message| Ok(Piece::whole(message))).boxed())
    }
}
