//! Settings of a log.

use super::handles::LogHandles;
use super::mark::{ExpectedLog, LogMark};
use super::marks::LogMarks;

/// How payloads are compressed within frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WalCodec {
    /// As they come.
    None,
    /// LZ4, when it makes the frame smaller.
    #[default]
    Lz4,
}

/// Settings of a log.
#[derive(Debug, Clone)]
pub struct WalOptions {
    /// A new file is begun when the current one is larger.
    pub max_file_bytes: u64,
    /// Entries beyond this many payload bytes wait for the next group.
    pub max_group_bytes: usize,
    /// Appends are refused while more payload bytes wait.
    pub max_waiting_bytes: u64,
    /// Compression.
    pub codec: WalCodec,
    /// The first sequence is at least this: one above the committed source position, so that a
    /// lost log directory can never give out a sequence that counts as published. Records below are
    /// not needed any more.
    pub minimum_next_sequence: u64,
    /// Whose log it is, from [`log_identity`](super::log_identity); another's is refused. 0 takes any.
    pub identity: u64,
    /// The open files of all logs of the process.
    pub handles: LogHandles,
    /// Where all logs of the process are marked.
    pub marks: LogMarks,
    /// The last record of which some rows are published.
    pub published_of: u64,
    /// What was noted of this log's end beside its mark.
    pub noted: Option<LogMark>,
    /// It is known that there was no such log before, so nothing is missing from one that has no files.
    pub begins: bool,
}

impl WalOptions {
    /// What the log must be.
    pub(super) fn expected(&self) -> ExpectedLog {
        ExpectedLog {
            identity: self.identity,
            committed: self.minimum_next_sequence.saturating_sub(1),
            published_of: self.published_of,
            known: self.marks.known_end(self.identity, self.noted),
            begins: self.begins,
        }
    }
}

impl Default for WalOptions {
    fn default() -> Self {
        Self {
            max_file_bytes: 128 << 20,
            max_group_bytes: 8 << 20,
            max_waiting_bytes: 128 << 20,
            codec: WalCodec::default(),
            minimum_next_sequence: 1,
            identity: 0,
            published_of: 0,
            handles: LogHandles::default(),
            marks: LogMarks::default(),
            noted: None,
            begins: false,
        }
    }
}
