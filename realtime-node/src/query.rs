//! Queries over what is buffered.

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_platform::rpc::{DataNode, NodeError, NodeState, SegmentQuery, SegmentReply, run_views};

use crate::RealtimeNode;

#[async_trait]
impl DataNode for RealtimeNode {
    fn server_id(&self) -> &ServerId {
        self.shared.serving.server_id()
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for descriptor in &request.segments {
            match self.shared.serving.sink(&descriptor.id) {
                Some(sink) => found.push((descriptor.clone(), sink.views())),
                None => missing.push(descriptor.clone()),
            }
        }
        let node = NodeState { pool: &self.shared.pool, dictionaries: None, partials: None };
        run_views(node, &request, found, missing).await
    }
}
