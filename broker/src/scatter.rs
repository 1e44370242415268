//! Scatter and gather: asks the servers of all segments at once, asks replicas for what is missing,
//! and gives partial results only when every segment was answered exactly once.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use henge_data_node::{NodeError, Partitions, ReplyStats, SegmentDescriptor, SegmentReply};
use henge_exec::{Extent, MemoryLease, Partial};
use henge_platform::discovery::ServerId;

use crate::Broker;
use crate::error::{BrokerError, Result};
use crate::route;
use crate::running::Running;
use crate::view::ClusterView;

/// How often missing segments are asked for again, each time on a fresh view.
const RETRIES: usize = 4;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Partial results that together hold each segment once.
    pub(crate) partials: Vec<Partial>,
    /// What nodes have on disk, instead of partial results.
    pub(crate) partitions: Vec<Partitions>,
    /// What the partial results hold; to be kept as long as they are.
    pub(crate) leases: Vec<MemoryLease>,
    /// What it took.
    pub(crate) stats: ReplyStats,
    /// Segments that nobody has any more: the timeline moved on since the view was taken.
    pub(crate) vanished: Vec<SegmentDescriptor>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.partials.is_empty() && self.partitions.is_empty()
    }
}

/// One call to one server.
type Call = (ServerId, Vec<SegmentDescriptor>, Result<SegmentReply, NodeError>);

impl Broker {
    /// Asks for `segments`. Replicas are tried for segments that a server does not have or cannot
    /// answer for because it is away; a query that fails on one server fails.
    ///
    /// # Errors
    /// When a node fails the query.
    pub(crate) async fn scatter(
        &self,
        running: &Running,
        view: &Arc<ClusterView>,
        segments: Vec<SegmentDescriptor>,
    ) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut view = Arc::clone(view);
        let mut pending = segments;
        let mut failed: HashSet<(ServerId, SegmentDescriptor)> = HashSet::new();
        for _ in 0..=RETRIES {
            let (assigned, without) = route::assign(&view, pending, |server, segment| {
                failed.contains(&(server.clone(), segment.clone()))
            });
            pending = without;
            let extent =
                Extent::whole_if(assigned.len() == 1 && pending.is_empty() && gathered.is_empty());
            let calls = assigned
                .into_iter()
                .map(|(server, segments)| self.call(running, &view, server, segments, extent));
            for (server, segments, outcome) in join_all(calls).await {
                match outcome {
                    Ok(reply) => {
                        gathered.partials.extend(reply.partials);
                        gathered.partitions.extend(reply.partitions);
                        gathered.leases.extend(reply.leases);
                        gathered.stats += reply.stats;
                        failed.extend(reply.missing.iter().map(|s| (server.clone(), s.clone())));
                        pending.extend(reply.missing);
                    }
                    Err(NodeError::Unavailable { server: name, reason }) => {
                        tracing::warn!(server = %name, %reason, "data node is unavailable");
                        failed.extend(segments.iter().map(|s| (server.clone(), s.clone())));
                        pending.extend(segments);
                    }
                    Err(error) => return Err(BrokerError::Node(error)),
                }
            }
            if pending.is_empty() {
                return Ok(gathered);
            }
            view = self.views.current().await?;
        }
        gathered.vanished = pending;
        Ok(gathered)
    }

    async fn call(
        &self,
        running: &Running,
        view: &ClusterView,
        server: ServerId,
        segments: Vec<SegmentDescriptor>,
        extent: Extent,
    ) -> Call {
        let node = self.nodes.read().get(&server).cloned();
        let outcome = match node {
            Some(node) => node.run(running.request(segments.clone(), extent)).await,
            None => {
                let address = view.servers.get(&server).cloned().unwrap_or_default();
                let reason = format!("it is {address}, and this broker is not connected to it");
                Err(NodeError::Unavailable { server: server.to_string(), reason })
            }
        };
        (server, segments, outcome)
    }
}
