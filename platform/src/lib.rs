//! Everything of Henge that touches the world, each behind a trait: configuration, metadata, deep
//! storage, the write-ahead log, discovery, membership, HTTP, gRPC, telemetry and the runtime.
//!
//! Every swappable part has a trait, an implementation in memory for tests, and one contract
//! test-suite that runs against all implementations. See the module map in `README.md`.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod cache;
pub mod compression;
pub mod config;
pub mod discovery;
pub mod http;
pub mod membership;
pub mod metadata;
pub mod rpc;
pub mod runtime;
pub mod spill;
pub mod storage;
pub mod telemetry;
pub mod wal;
