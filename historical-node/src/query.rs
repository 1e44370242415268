//! Queries over the mapped segments.

use std::sync::Arc;

use async_trait::async_trait;
use henge_data_node::{Call, DataNode, NodeError, SegmentLoads, SegmentQuery, SegmentReply};
use henge_platform::discovery::ServerId;
use henge_platform::runtime::spawn;
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
        let call = self.queries.accept(&request)?;
        let error = match self.run_once(&call, &request).await {
            Err(error) if error.class() == ErrorClass::Corrupt => error,
            outcome => return outcome,
        };
        let suspect = error.place().map(|place| &place.segment);
        tracing::warn!(%error, "a query met damaged bytes");
        let asked_for = request.segments.iter().map(|descriptor| descriptor.id.clone());
        let suspects = self.suspects(asked_for, suspect);
        // Goes on when the query does not wait for it.
        let node = self.clone();
        let mending = spawn(async move { node.mend_damaged(suspects).await });
        match mending.await {
            Ok(0) if suspect.is_none() => self.run_once(&call, &request).await,
            Ok(1..) => Ok(SegmentReply { missing: request.segments, ..SegmentReply::default() }),
            _ => Err(error),
        }
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.queries.cancel(query_id);
        Ok(())
    }
}

impl HistoricalNode {
    /// How much each segment is read.
    #[must_use]
    pub fn loads(&self) -> &Arc<SegmentLoads> {
        self.queries.loads()
    }

    async fn run_once(
        &self,
        call: &Call,
        request: &SegmentQuery,
    ) -> Result<SegmentReply, NodeError> {
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
        self.queries.run(call, request, found, missing).await
    }
}
