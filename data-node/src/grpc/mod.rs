//! Data nodes over gRPC: what carries the messages of [`wire`](crate::wire) between processes, and
//! nothing else; and what coordinators tell nodes that hold segments.

mod client;
mod dial;
mod host;
mod service;

pub use client::{Place, connect};
pub use dial::Dialer;
pub use host::{HostService, SegmentHostRoute, connect_host, host_service};
pub use service::{DataNodeRoute, service};

/// Most bytes of a request: a query and the names of its segments.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;

/// Bytes of a piece of an answer. Several are in flight, so it is a part of a stream's window.
const PIECE_BYTES: usize = 128 << 10;

/// A piece with what gRPC puts around it.
const MAX_PIECE_BYTES: usize = PIECE_BYTES + 1_024;

#[cfg(test)]
pub(crate) mod tests;
