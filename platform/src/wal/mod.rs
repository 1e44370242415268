//! The write-ahead log: a pushed request is acknowledged once its record is on disk.
//!
//! One log a datasource: a directory of files named by their first sequence number. Records that
//! wait are written together as one frame with one `fdatasync` (group commit). A frame is only
//! begun when the one before it is durable, so damage that is followed by a good frame is
//! corruption and stops the start-up, while damage at the very end may be an unfinished write.
//! Files and frames name what was durable before them, and a mark outside of the directory how far that
//! was: records that are gone without a broken byte are missed as well, also when the whole directory
//! is gone or an older copy. Published records are never needed.

mod accept;
mod aside;
mod error;
mod examine;
mod frame;
mod handles;
mod header;
mod inspect;
mod io;
mod log;
mod lz4;
mod mark;
mod marks;
mod options;
mod recovery;
mod replay;
mod tail;
mod writer;

pub use accept::{AcceptedLoss, accept_loss};
pub use aside::put_log_aside;
pub use error::{Result, WalError};
pub use handles::LogHandles;
pub use header::FILE_VERSION;
pub use inspect::{LogState, has_log_files, inspect_log};
pub use log::{AppendTicket, Wal};
pub use mark::{ExpectedLog, KnownEnd, LogMark};
pub use marks::LogMarks;
pub use options::{WalCodec, WalOptions};
pub use recovery::RecoveryReport;
pub use replay::Replay;

use std::sync::Arc;

use bytes::Bytes;

/// What is appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalEntry {
    /// When the request came.
    pub received_at_ms: i64,
    /// The version of the datasource's schema that it was accepted under.
    pub schema_version: u64,
    /// Free for the caller, for example the payload's format.
    pub flags: u8,
    /// The client's idempotency key; at most 65,535 bytes.
    pub idempotency_key: Option<Arc<str>>,
    /// What the caller needs to read the payload again; opaque here, and empty in records of
    /// earlier versions.
    pub context: Bytes,
    /// The request's body.
    pub payload: Bytes,
}

/// A durable entry and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalRecord {
    /// Ascends within a log, from 1; a failed append may leave a gap.
    pub sequence: u64,
    /// The entry.
    pub entry: WalEntry,
}

/// What tells a datasource's log in one cluster from all others; never 0.
#[must_use]
pub fn log_identity(cluster_uuid: &str, datasource: &str) -> u64 {
    let name = format!("{cluster_uuid}\0{datasource}");
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()).max(1)
}
