//! The write-ahead log: a pushed request is acknowledged once its record is on disk.
//!
//! One log a datasource: a directory of files named by their first sequence number. Records that
//! wait are written together as one frame with one `fdatasync` (group commit). A frame is only
//! begun when the one before it is durable, so damage that is followed by a good frame is
//! corruption and stops the start-up, while damage at the very end is an unfinished write.

mod error;
mod frame;
mod handles;
mod io;
mod log;
mod options;
mod recovery;
mod replay;

pub use error::{Result, WalError};
pub use handles::LogHandles;
pub use io::{DiskWalIo, WalFile, WalIo};
pub use log::{AppendTicket, Wal};
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
