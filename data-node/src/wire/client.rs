//! The side of the broker: a data node behind a transport.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use henge_exec::{MemoryLease, Partial};
use henge_platform::discovery::ServerId;
use henge_platform::discovery::inventory::InventoryVersion;

use super::WireError;
use super::error::decode_error;
use super::frame::{Kind, decode};
use super::inventory::{decode_inventory_at, encode_inventory};
use super::pieces::{Messages, Pieces};
use super::reply::{decode_partition, decode_reply};
use super::request::{encode_cancel, encode_run};
use crate::error::NodeError;
use crate::node::DataNode;
use crate::reply::{Partition, Partitions, SegmentReply};
use crate::request::SegmentQuery;
use crate::running::{RunningQueries, RunningQuery};

/// Cancelling, or telling how far announcements are, waits for nothing on the node.
const SHORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Carries messages to a data node and back.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Sends a message that is to be answered within `timeout`; gives the messages that answer it, in
    /// pieces. Dropping the stream stops the work.
    ///
    /// # Errors
    /// `Unavailable` when the node cannot be reached, also in the middle of the stream.
    async fn call(&self, message: Bytes, timeout: Duration) -> Result<Pieces, NodeError>;
}

/// A data node that is reached by messages. What it sends is charged to the account that its query
/// has in this process.
#[derive(Debug)]
pub struct WireNode {
    server_id: ServerId,
    transport: Arc<dyn Transport>,
    running: Arc<RunningQueries>,
}

impl WireNode {
    /// The node of this name; `running` are the queries of this process.
    #[must_use]
    pub fn new(
        server_id: ServerId,
        transport: Arc<dyn Transport>,
        running: Arc<RunningQueries>,
    ) -> Self {
        Self { server_id, transport, running }
    }

    /// Asks what is answered at once, in one short message.
    async fn ask_shortly(&self, message: Vec<u8>) -> Result<Bytes, NodeError> {
        let pieces = self.transport.call(message.into(), SHORT_TIMEOUT).await?;
        let answer = Messages::of(pieces, None).next().await?.ok_or_else(|| self.hung_up())?;
        fail_on_error(&answer.bytes)?;
        Ok(answer.bytes)
    }

    fn hung_up(&self) -> NodeError {
        let reason = "it ended the connection before its answer".to_owned();
        NodeError::Unavailable { server: self.server_id.to_string(), reason }
    }
}

#[async_trait]
impl DataNode for WireNode {
    fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError> {
        let query = self.running.join(&request.key, request.budget.memory_bytes);
        let pieces = self.transport.call(encode_run(&request).into(), request.timeout).await?;
        let mut messages = Messages::of(pieces, Some(query.memory.clone()));
        let first = messages.next().await?.ok_or_else(|| self.hung_up())?;
        fail_on_error(&first.bytes)?;
        let read = decode_reply(&first.bytes)?;
        drop(first);
        let bytes = read.partials.iter().map(Partial::memory_bytes).sum();
        let lease = lease_of(&query, bytes)?;
        let partitions = read.has_partitions.then(|| partitions_of(messages, query));
        Ok(SegmentReply {
            partials: read.partials,
            left_out: read.left_out,
            partitions,
            leases: vec![lease],
            missing: read.missing,
            answered_segments: read.answered_segments,
            inventory: read.inventory,
            stats: read.stats,
        })
    }

    fn is_far(&self) -> bool {
        true
    }

    async fn cancel(&self, query_id: &str) -> Result<(), NodeError> {
        self.ask_shortly(encode_cancel(query_id)).await.map(drop)
    }

    async fn inventory(&self) -> Result<Option<InventoryVersion>, NodeError> {
        Ok(decode_inventory_at(&self.ask_shortly(encode_inventory()).await?)?)
    }
}

fn lease_of(query: &RunningQuery, bytes: usize) -> Result<MemoryLease, NodeError> {
    let mut lease = query.memory.lease();
    lease.set(bytes)?;
    Ok(lease)
}

fn fail_on_error(message: &[u8]) -> Result<(), NodeError> {
    match decode(message)? {
        (Kind::Error, _) => Err(decode_error(message)?),
        _ => Ok(()),
    }
}

/// The partitions that follow a reply; a node that hangs up among them has given no answer.
fn partitions_of(messages: Messages, query: RunningQuery) -> Partitions {
    let stream = stream::unfold(Some((messages, query)), |rest| async move {
        let (mut messages, query) = rest?;
        let message = messages.next().await;
        let message = message.and_then(|found| found.ok_or_else(|| WireError::CutShort.into()));
        match message.and_then(|message| next_of(&message.bytes, &query)) {
            Ok(None) => None,
            Ok(Some(partition)) => Some((Ok(partition), Some((messages, query)))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Partitions::new(stream.boxed())
}

fn next_of(message: &[u8], query: &RunningQuery) -> Result<Option<Partition>, NodeError> {
    fail_on_error(message)?;
    if let (Kind::Done, _) = decode(message)? {
        return Ok(None);
    }
    let groups = decode_partition(message)?;
    let lease = lease_of(query, groups.memory_bytes())?;
    Ok(Some(Partition { groups, lease }))
}
