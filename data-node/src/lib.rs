//! What realtime and historical nodes share: the contract of a data node, running a query over
//! segments, the cache of what segments contributed before, and groups beyond memory.

pub mod cache;
pub mod host;
pub mod node;
pub mod run;
pub mod spill;

pub use host::{HostError, SegmentHost};
pub use node::{DataNode, NodeError, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply};
pub use run::{DescriptorViews, NodeState, run_views};
