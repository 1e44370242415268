//! A transport that stays in the process: everything is encoded and decoded as for a wire.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::client::{Transport, WireNode};
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
    async fn call(&self, message: Bytes) -> Result<BoxStream<'static, Bytes>, NodeError> {
        Ok(answer(Arc::clone(&self.node), message))
    }
}
