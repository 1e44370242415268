//! The one binary: all roles in one process on embedded defaults, or some of them in a process of a
//! cluster; and the command line.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod backup;
mod cluster;
mod compaction;
pub mod data_folder;
mod deep_storage;
mod druid_cluster;
mod formats;
mod front;
mod gate;
mod ground;
mod grpc;
pub mod integrity;
mod leader;
mod loaded;
mod memory;
mod node_options;
mod nodes;
mod options;
mod reach;
mod registration;
mod roles;
mod router;
mod shown;
mod sql;
mod start;
mod status;
mod welcome;

pub use deep_storage::open_existing_deep_storage;
pub use formats::Formats;
pub use memory::fitted;
pub use nodes::{NodeRow, NodeState};
pub use start::{Running, start};
