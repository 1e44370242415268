//! Queries over the loaded segments.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use henge_data_node::{
    Call, DataNode, DescriptorViews, NodeError, QueryBudget, SegmentDescriptor, SegmentLoads,
    SegmentQuery, SegmentReply,
};
use henge_exec::{ExecError, Extent};
use henge_platform::discovery::ServerId;
use henge_platform::runtime::{blocking, spawn};
use henge_segment::SegmentView;
use henge_types::ErrorClass;
use tokio::time::timeout;

use crate::view::LazySegment;
use crate::{HistoricalNode, Loaded, ServedForm};

/// Segments served on demand that a query reads at once: the blocks of all of them have to fit on the disk.
const MOST_ON_DEMAND: usize = 64;

/// Segments served on demand whose footers are fetched beside each other.
const OPENED_AT_ONCE: usize = 16;

#[async_trait]
impl DataNode for HistoricalNode {
    fn server_id(&self) -> &ServerId {
        &self.options.server_id
    }

    /// What fails verification is taken out of service and fetched again; the segments asked for
    /// are then named as missing, so that the query starts over on what is there by then.
    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let call = self.queries.accept(&request)?;
        if self.disk.trouble().is_some() {
            return Ok(SegmentReply { missing: request.segments, ..SegmentReply::default() });
        }
        let error = match self.run_once(&call, &request).await {
            Err(error) if error.class() == ErrorClass::Corrupt => error,
            outcome => return outcome,
        };
        let suspect = error.place().map(|place| &place.segment);
        let missing =
            || SegmentReply { missing: request.segments.clone(), ..SegmentReply::default() };
        let was_dropped = || suspect.is_some_and(|id| !self.serving.loaded.read().contains_key(id));
        if was_dropped() {
            // Before it was opened: its file is gone, and not damaged.
            return Ok(missing());
        }
        tracing::warn!(%error, "a query met damaged bytes");
        let asked_for = request.segments.iter().map(|descriptor| descriptor.id.clone());
        let suspects = self.suspects(asked_for, suspect);
        // Goes on when the query does not wait for it.
        let node = self.clone();
        let mending = spawn(async move { node.mend_damaged(suspects).await });
        match mending.await {
            Ok(0) if suspect.is_none() => self.run_once(&call, &request).await,
            Ok(0) if was_dropped() => Ok(missing()),
            Ok(1..) => Ok(missing()),
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
                    Some(loaded) => found.push((descriptor.clone(), Arc::clone(loaded))),
                    None => missing.push(descriptor.clone()),
                }
            }
        }
        let on_demand = self.options.form == ServedForm::OnDemand;
        let most = self.serving.open.most_at_once();
        let most = if on_demand { most.min(MOST_ON_DEMAND) } else { most };
        if found.len() <= most {
            return self.run_part(call, request, found, missing).await;
        }
        // What would be put aside on disk is of one part, so nothing is.
        let budget = QueryBudget { disk_bytes: 0, ..request.budget };
        // What bounds the groups of a reply is of all of its segments.
        let (extent, rank) = (Extent::Part, None);
        let part = SegmentQuery { segments: Vec::new(), extent, rank, budget, ..request.clone() };
        let mut reply = SegmentReply { missing, ..SegmentReply::default() };
        let mut answered = 0;
        while !found.is_empty() {
            let rest = found.split_off(found.len().min(most));
            let of_part = self.run_part(call, &part, found, Vec::new()).await?;
            answered += of_part.answered_segments.unwrap_or_default();
            reply.partials.extend(of_part.partials);
            reply.leases.extend(of_part.leases);
            reply.stats += of_part.stats;
            found = rest;
        }
        reply.answered_segments = Some(answered);
        Ok(reply)
    }

    /// Answers from segments that may all be open at once.
    async fn run_part(
        &self,
        call: &Call,
        request: &SegmentQuery,
        found: Vec<(SegmentDescriptor, Arc<Loaded>)>,
        missing: Vec<SegmentDescriptor>,
    ) -> Result<SegmentReply, NodeError> {
        let turn = timeout(request.timeout, self.serving.open.turn(found.len()));
        let turn = turn.await.map_err(|_| NodeError::from(ExecError::TimedOut))?;
        let _turn = turn.map_err(|error| NodeError::failed(error.class(), error.to_string()))?;
        let views = found.into_iter().map(|(descriptor, loaded)| {
            let view: Arc<dyn SegmentView> = Arc::new(LazySegment::new(&self.serving, &loaded));
            (descriptor, vec![view])
        });
        let views: Vec<DescriptorViews> = views.collect();
        if self.options.form == ServedForm::OnDemand {
            open_all(&views).await?;
        }
        self.queries.run(call, request, views, missing).await
    }
}

/// Opens segments beside each other: each may have to wait for its footer.
async fn open_all(views: &[DescriptorViews]) -> Result<(), NodeError> {
    let views = views.iter().flat_map(|(_, views)| views);
    let opening: Vec<_> = views.map(|view| open(Arc::clone(view))).collect();
    stream::iter(opening).buffer_unordered(OPENED_AT_ONCE).try_collect().await
}

async fn open(view: Arc<dyn SegmentView>) -> Result<(), NodeError> {
    let open = move || view.ready().map_err(|error| ExecError::from(error).of_segment(&*view));
    let opened = blocking(open).await;
    opened.map_err(|error| NodeError::failed(error.class(), error.to_string()))??;
    Ok(())
}
