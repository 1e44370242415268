//! Queries over what the node serves: buffered rows, and segments until others serve them.

use std::sync::Arc;

use async_trait::async_trait;
use henge_data_node::{DataNode, NodeError, SegmentLoads, SegmentQuery, SegmentReply};
use henge_platform::discovery::ServerId;
use henge_types::SegmentId;

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
            let views = self.shared.serving.views(&descriptor.id);
            match views.filter(|_| self.may_answer(&descriptor.id)) {
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

impl RealtimeNode {
    /// How much each segment is read.
    #[must_use]
    pub fn loads(&self) -> &Arc<SegmentLoads> {
        self.shared.queries.loads()
    }

    /// False when another node may go on with the log that the rows are in, and answer for them: this one
    /// may have been paused, and not know.
    pub(crate) fn may_answer(&self, id: &SegmentId) -> bool {
        let Some(replication) = self.known(&id.datasource).and_then(|known| known.log_copy())
        else {
            return true;
        };
        let lease = &self.shared.lease;
        lease.is_sure()
            || lease.check().is_ok() && replication.is_sure(self.shared.clock.running_ms())
    }
}
