//! Queries over the mapped segments.

use std::sync::Arc;

use async_trait::async_trait;
use henge_data_node::{DataNode, NodeError, NodeState, SegmentQuery, SegmentReply, run_views};
use henge_exec::ExecError;
use henge_platform::discovery::ServerId;
use henge_segment::SegmentView;
use henge_types::ErrorClass;

use crate::HistoricalNode;

#[async_trait]
impl DataNode for HistoricalNode {
    fn server_id(&self) -> &ServerId {
        &self.options.server_id
    }

    /// What fails verification is taken out of service and fetched again; the segments asked for
    /// are then named as missing, so that the query starts over on what is there by then.
    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let error = match self.run_once(&request).await {
            Err(NodeError::Exec(error)) if error.class() == ErrorClass::Corrupt => error,
            outcome => return outcome,
        };
        let suspect = match &error {
            ExecError::Damaged { id, .. } => Some(id),
            _ => None,
        };
        tracing::warn!(%error, "a query met damaged bytes");
        let asked_for = request.segments.iter().map(|descriptor| descriptor.id.clone());
        let suspects = self.suspects(asked_for, suspect);
        // Goes on when the query does not wait for it.
        let node = self.clone();
        let mending = tokio::spawn(async move { node.mend_damaged(suspects).await });
        match mending.await {
            Ok(0) if suspect.is_none() => self.run_once(&request).await,
            Ok(1..) => Ok(SegmentReply { missing: request.segments, ..SegmentReply::default() }),
            _ => Err(NodeError::Exec(error)),
        }
    }
}

impl HistoricalNode {
    async fn run_once(&self, request: &SegmentQuery) -> Result<SegmentReply, NodeError> {
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
        run_views(node, request, found, missing).await
    }
}
