//! What realtime and historical nodes share: the contract of a data node, running a query over
//! segments, the cache of what segments contributed before, and groups beyond memory.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod announcing;
mod cache;
mod dial;
mod error;
pub mod grpc;
mod host;
mod loads;
mod node;
mod reads;
mod reply;
mod request;
mod run;
mod running;
pub mod spill;
pub mod wire;

#[cfg(test)]
mod contract;

pub use announcing::Announcing;
pub use cache::{MemoryPartialCache, PartialCache, PartialKey};
pub use dial::{DialHosts, DialNodes};
pub use error::{DamagedPlace, NodeError};
pub use host::{HostError, Instruction, SegmentHost};
pub use loads::{HALF_LIFE, SegmentLoads, report_loads};
pub use node::DataNode;
pub use reads::{ReadFigures, SegmentReads};
pub use reply::{PARTITIONS, Partition, Partitions, ReplyStats, SegmentReply};
pub use request::{
    LOW_LANE, QueryBudget, SegmentDescriptor, SegmentQuery, deadline_after, task_priority,
};
pub use run::{Call, DescriptorViews, QueryRunner, QueryServices};
pub use running::{QueryKey, RunningQueries, RunningQuery};
