//! Queries over the mapped segments.

use std::sync::Arc;

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_platform::rpc::{DataNode, NodeError, NodeState, SegmentQuery, SegmentReply, run_views};
use henge_segment::SegmentView;

use crate::HistoricalNode;

#[async_trait]
impl DataNode for HistoricalNode {
    fn server_id(&self) -> &ServerId {
        &self.options.server_id
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        {
            let loaded = self.serving.loaded.read();
            for descriptor in &request.segments {
                match loaded.get(&descriptor.id) {
                    Some(loaded) => {
                        let view: Arc<dyn SegmentView> = Arc::clone(&loaded.mapped) as _;
                        found.push((descriptor.clone(), vec![view]));
                    }
                    None => missing.push(descriptor.clone()),
                }
            }
        }
        let node = NodeState {
            pool: &self.pool,
            dictionaries: Some(&self.serving.dictionaries),
            partials: self.partials.as_ref(),
        };
        run_views(node, &request, found, missing).await
    }
}
