//! End to end: a real server over HTTP, as a user meets it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrow;
mod backup;
mod bombs;
mod caches;
mod chunk_sizes;
mod cluster;
mod compaction;
mod damage;
mod datasources;
mod dies;
mod discovery;
mod door;
mod drivers;
mod failing_chunks;
mod formats;
mod grpc;
mod handoff;
mod hostile;
mod lost_log;
mod lost_metadata;
mod lost_node;
mod memory;
mod merging;
mod nodes;
mod postgres;
mod projections;
mod replaces;
mod replay;
mod row_order;
mod sql;
mod sql_limits;
mod tasks;
mod type_changes;
mod warnings;
mod wire;
