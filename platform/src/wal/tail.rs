//! The file `tail` in a log's folder, where earlier versions kept the log's mark: it is read once, and
//! goes when the log is marked outside of its folder.

use std::io::{self, ErrorKind};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::header::Fields;
use super::mark::LogMark;

pub(super) const TAIL: &str = "tail";
const MAGIC: &[u8; 8] = b"HENGTAIL";
const SIZE_BYTES: usize = 40;

fn decode(bytes: &[u8], identity: u64) -> Option<LogMark> {
    let mut fields = Fields(bytes);
    if fields.take(8)? != MAGIC {
        return None;
    }
    let (before_last, sequence, checksum) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let intact = fields.u64()? == xxh3_64(bytes.get(..SIZE_BYTES - 8)?);
    intact.then_some(LogMark { identity, generation: 0, before_last, sequence, checksum })
}

/// The tail of a log; `None` when it has none or a damaged one, which is then said.
pub(super) fn read_tail(
    directory: &Path,
    identity: u64,
    notes: &mut Vec<String>,
) -> io::Result<Option<LogMark>> {
    let path = directory.join(TAIL);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?,
    };
    let tail = decode(&bytes, identity);
    if tail.is_none() {
        notes.push(format!("'{}' is damaged: the log's end is not checked", path.display()));
    }
    Ok(tail)
}

/// Removes the tail of a log that is marked elsewhere.
pub(super) fn remove_tail(directory: &Path) -> io::Result<()> {
    match std::fs::remove_file(directory.join(TAIL)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
pub(super) fn write_tail(directory: &Path, mark: &LogMark) {
    let mut bytes = MAGIC.to_vec();
    for field in [mark.before_last, mark.sequence, mark.checksum] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    std::fs::write(directory.join(TAIL), bytes).unwrap();
}
