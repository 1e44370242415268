//! A mark says how far a log was durable. It is kept outside of the log's folder: a folder that is
//! gone, or was put back from an older copy, looks like a log that was never longer.

use xxhash_rust::xxh3::xxh3_64;

use super::header::{Fields, Link};

const MAGIC: &[u8; 8] = b"HENGMRK1";

/// How far a log was durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogMark {
    /// Whose log it is, from [`log_identity`](super::log_identity).
    pub identity: u64,
    /// Grows when the end is taken back: what was lost is given up, and older marks say nothing any
    /// more. 0 for marks that were found beside a log of an earlier version.
    pub generation: u64,
    /// The last durable sequence before the last frame.
    pub before_last: u64,
    /// The last durable sequence; 0 in a log without records.
    pub sequence: u64,
    /// The checksum of its frame; 0 when there is none.
    pub checksum: u64,
}

/// What is known of a log's end without looking at the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KnownEnd {
    /// Nothing: it was never marked.
    #[default]
    Unknown,
    /// It was durable as far as this.
    At(LogMark),
    /// It was durable as far as this when that was last noted elsewhere; its own mark is lost.
    AtLeast(LogMark),
}

impl KnownEnd {
    /// The newest mark.
    #[must_use]
    pub fn mark(&self) -> Option<LogMark> {
        match self {
            Self::Unknown => None,
            Self::At(mark) | Self::AtLeast(mark) => Some(*mark),
        }
    }
}

/// What a log must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedLog {
    /// Whose it is; 0 when that is not checked.
    pub identity: u64,
    /// Records up to here are published and not needed any more.
    pub committed: u64,
    /// The last record of which some rows are published; it was in the log then, whatever a mark says.
    pub published_of: u64,
    /// How far it was.
    pub known: KnownEnd,
    /// There was none before.
    pub begins: bool,
}

impl LogMark {
    /// Bytes of a mark.
    pub const SIZE_BYTES: usize = 64;

    /// A mark of a log's end.
    pub(super) fn new(identity: u64, generation: u64, before_last: u64, end: Link) -> Self {
        let checksum = end.checksum.unwrap_or(0);
        Self { identity, generation, before_last, sequence: end.sequence, checksum }
    }

    /// The end that is marked.
    pub(super) fn end(&self) -> Link {
        let checksum = Some(self.checksum).filter(|checksum| *checksum != 0);
        Link { sequence: self.sequence, checksum }
    }

    /// True when it was written after the other one.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.generation, self.sequence) > (other.generation, other.sequence)
    }

    /// Its bytes, with a checksum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::SIZE_BYTES);
        out.extend_from_slice(MAGIC);
        let Self { identity, generation, before_last, sequence, checksum } = *self;
        for field in [identity, generation, before_last, sequence, checksum, 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&xxh3_64(&out).to_le_bytes());
        out
    }

    /// `None` unless the bytes are a whole, unharmed mark.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if bytes.len() != Self::SIZE_BYTES || fields.take(8)? != MAGIC {
            return None;
        }
        let (identity, generation, before_last) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (sequence, checksum, _reserved) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let intact = fields.u64()? == xxh3_64(&bytes[..Self::SIZE_BYTES - 8]);
        intact.then_some(Self { identity, generation, before_last, sequence, checksum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_a_mark() {
        let end = Link { sequence: 9, checksum: Some(0x0a0b) };
        let mark = LogMark::new(0x77, 2, 8, end);
        let bytes = mark.encode();
        let mut expected = b"HENGMRK1".to_vec();
        for field in [0x77_u64, 2, 8, 9, 0x0a0b, 0, 0xca4e_5047_9b1e_7cc5] {
            expected.extend_from_slice(&field.to_le_bytes());
        }
        assert_eq!(bytes, expected);
        assert_eq!((LogMark::decode(&bytes), mark.end()), (Some(mark), end));
    }

    #[test]
    fn i_12_every_flipped_bit_of_a_mark_is_found() {
        let bytes = LogMark::new(1, 1, 0, Link::default()).encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(LogMark::decode(&changed), None, "bit {bit}");
        }
        assert_eq!(LogMark::decode(&bytes[..63]), None);
    }

    #[test]
    fn an_end_that_was_taken_back_is_newer_than_the_longer_log_before() {
        let at = |generation, sequence| LogMark { generation, sequence, ..LogMark::default() };
        assert!(at(1, 6).is_newer_than(&at(1, 5)));
        assert!(at(2, 3).is_newer_than(&at(1, 6)));
        assert!(!at(1, 6).is_newer_than(&at(2, 3)) && !at(1, 6).is_newer_than(&at(1, 6)));
    }
}
