//! The file `tail` beside a log: how far the log was durable.
//!
//! Frames name what is before them, so nothing names the last one: a log that is cut between two
//! frames, or whose last file is gone or an older copy, looks whole. The tail is written after every
//! group that became durable, and never synced for it: after a power cut it may be behind the log,
//! never ahead of it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::header::{Fields, Link};

pub(super) const TAIL: &str = "tail";
const MAGIC: &[u8; 8] = b"HENGTAIL";
const SIZE_BYTES: usize = 40;

/// What a tail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last sequence before the last frame.
    pub before_last: u64,
    /// The end of the log.
    pub end: Link,
}

impl Tail {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SIZE_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.before_last.to_le_bytes());
        out.extend_from_slice(&self.end.sequence.to_le_bytes());
        out.extend_from_slice(&self.end.checksum.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.take(8)? != MAGIC {
            return None;
        }
        let (before_last, sequence, checksum) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let intact = fields.u64()? == xxh3_64(bytes.get(..SIZE_BYTES - 8)?);
        let checksum = Some(checksum).filter(|checksum| *checksum != 0);
        intact.then_some(Self { before_last, end: Link { sequence, checksum } })
    }

    /// Writes it, and keeps no handle: logs are many.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let path = directory.join(TAIL);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all_at(&self.encode(), 0)
    }

    /// The tail of a log; `None` when it has none or a damaged one, which is then said.
    pub(super) fn read(directory: &Path, notes: &mut Vec<String>) -> io::Result<Option<Self>> {
        let path = directory.join(TAIL);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let tail = Self::decode(&bytes);
        if tail.is_none() {
            notes.push(format!("'{}' is damaged: the log's end is not checked", path.display()));
        }
        Ok(tail)
    }
}
