//! The contract of a data node: plain data in, plain data out. In one process a call passes partial
//! results without serialising them.

use std::fmt::Debug;

use async_trait::async_trait;
use henge_platform::discovery::ServerId;
use henge_platform::discovery::inventory::InventoryVersion;

use crate::error::NodeError;
use crate::reply::SegmentReply;
use crate::request::SegmentQuery;

/// A node that answers queries for segments: realtime or historical.
#[async_trait]
pub trait DataNode: Send + Sync + Debug {
    /// The node's name, as in discovery.
    fn server_id(&self) -> &ServerId;

    /// Answers for the segments asked for. A segment that the node does not have is named in
    /// `missing`, never silently left out. Dropping the call, or what is left of its reply, stops
    /// the work.
    async fn run(&self, request: SegmentQuery) -> Result<SegmentReply, NodeError>;

    /// True when replies are carried as bytes: groups that are not wanted are better left out of them.
    fn is_far(&self) -> bool {
        false
    }

    /// Stops what works on queries with this id; unknown ids are ignored.
    ///
    /// # Errors
    /// `Unavailable` when the node cannot be reached.
    async fn cancel(&self, query_id: &str) -> Result<(), NodeError>;

    /// How far the announcements of the node's process are: who followed up to there knows every segment
    /// that has rows which were acknowledged before this was asked. `None` where announcements are seen at
    /// once.
    ///
    /// # Errors
    /// `Unavailable` when the node cannot be reached.
    async fn inventory(&self) -> Result<Option<InventoryVersion>, NodeError> {
        Ok(None)
    }
}
