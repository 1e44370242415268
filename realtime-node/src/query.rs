//! Queries over what the node serves: buffered rows, and segments until others serve them.

use async_trait::async_trait;
use henge_data_node::{DataNode, NodeError, SegmentQuery, SegmentReply};
use henge_platform::discovery::ServerId;

use crate::node::RealtimeNode;

#[async_trait]
impl DataNode for RealtimeNode {
    fn server_id(&self) -> &ServerId {
        self.shared.serving.server_id()
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let call = self.shared.queries.accept(&request)?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for descriptor in &request.segments {
            match self.shared.serving.views(&descriptor.id) {
                Some(views) => found.push((descriptor.clone(), views)),
                None => missing.push(descriptor.clone()),
            }
        }
        self.shared.queries.run(&call, &request, found, missing).await
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.shared.queries.cancel(query_id);
        Ok(())
    }
}
