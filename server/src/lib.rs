//! The one binary: all roles in one process on embedded defaults, and the command line.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod compose;
pub mod data_folder;
mod deep_storage;
mod grpc;
pub mod integrity;
mod memory;
mod options;
mod reach;
mod status;

pub use compose::{Running, start};
pub use deep_storage::open_existing_deep_storage;
