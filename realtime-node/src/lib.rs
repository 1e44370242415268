//! The realtime role: takes pushed events and batch tasks, makes them queryable at once from the
//! write-optimised index, and hands them off as immutable segments.
//!
//! A push is acknowledged when its record in the write-ahead log is durable and its rows are in the
//! index. Segments and the log position that they contain are published in one transaction.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

// Rooms on floors, the ground floor first (`cargo xtask layers`).
mod error;
mod index_memory;
mod merging;
mod odd_times;
mod priority;
mod repeat;

mod commit;
mod options;

mod peers;
mod sink;

mod lease;
mod notes;
mod serving;
mod uptime;

mod copies;
mod registration;

mod shared;

mod letters;
mod placing;
mod publication;
mod release;

mod ingest;

mod push;

mod task;

mod node;

mod api;
mod query;

pub use api::{
    NetworkPeers, PeerRoute, PeerService, PushRoute, PushService, TakeBatches, connect_peer,
    peer_service, push_service, router,
};
pub use error::{RealtimeError, Result};
pub use ingest::halt::PartitionFailures;
pub use ingest::handoff::{BacklogStatus, HandoffFailure};
pub use ingest::reader::SourceReader;
pub use ingest::source::{
    Delivery, Events, Message, Order, Partition, Positions, ReadRows, RefusedRows, Source,
};
pub use node::{
    Dependencies, GivenUp, Ingested, LostRecords, PutSchema, RealtimeNode, node_of_folder,
};
pub use options::{BacklogLimits, FIRST_NODE, RealtimeOptions, server_of};
pub use peers::{
    Alone, Appended, CopyId, Forwarded, ForwardedPush, LogAppend, LogEnd, MemoryPeers, Peer, Peers,
    RealtimePeer,
};
pub use push::{OwnLog, PublishedLog};
pub use task::{LocalFile, TaskCounts, content_hash};

#[cfg(test)]
mod cluster_tests;
