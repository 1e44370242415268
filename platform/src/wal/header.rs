//! What a file of the log begins with, and how files and frames are linked.
//!
//! From version 3 on every file and every frame names what was durable before it: the last sequence
//! and the checksum of its frame. So a deleted file, a file cut between two frames and one that was
//! replaced are seen, though every frame that is left is whole.

use xxhash_rust::xxh3::xxh3_64_with_seed;

const FILE_MAGIC: &[u8; 8] = b"HENGEWAL";
/// Version 2 brought contexts of records, version 3 links. All are read.
pub const FILE_VERSION: u32 = 3;
const LINKED_VERSION: u32 = 3;
/// Bytes of a header up to version 2.
const PLAIN_BYTES: usize = 40;
/// Bytes of a header from version 3 on: the identity and the link are added.
const LINKED_BYTES: usize = 56;

/// The end of what was written before: nothing is lost between it and what names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Link {
    /// The last sequence that was durable.
    pub sequence: u64,
    /// The checksum of its frame; `None` where that is not known, as in files up to version 2.
    pub checksum: Option<u64>,
}

impl Link {
    /// True unless they certainly name different ends.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let same = |(a, b): (u64, u64)| a == b;
        self.sequence == other.sequence && self.checksum.zip(other.checksum).is_none_or(same)
    }
}

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The format's version.
    version: u32,
    /// One above the last sequence that was durable when the file was begun.
    pub first_sequence: u64,
    /// Seeds the file's checksums.
    pub salt: u64,
    /// Whose log it is; 0 when that is not said.
    pub identity: u64,
    /// The checksum of the last frame before; 0 when there was none.
    previous: u64,
}

impl FileHeader {
    /// The header of a file that follows what ends with `before`.
    pub(super) fn following(before: Link, salt: u64, identity: u64) -> Self {
        Self {
            version: FILE_VERSION,
            first_sequence: before.sequence + 1,
            salt,
            identity,
            previous: before.checksum.unwrap_or(0),
        }
    }

    /// Bytes of the header.
    pub(super) fn size_bytes(&self) -> usize {
        if self.is_linked() { LINKED_BYTES } else { PLAIN_BYTES }
    }

    /// True when its frames name what was before them.
    pub(super) fn is_linked(&self) -> bool {
        self.version >= LINKED_VERSION
    }

    /// What was durable when the file was begun.
    pub(super) fn before(&self) -> Link {
        let checksum = Some(self.previous).filter(|checksum| *checksum != 0);
        Link { sequence: self.first_sequence.saturating_sub(1), checksum }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.extend_from_slice(FILE_MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&self.first_sequence.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        if self.is_linked() {
            out.extend_from_slice(&self.identity.to_le_bytes());
            out.extend_from_slice(&self.previous.to_le_bytes());
        }
        out.extend_from_slice(&xxh3_64_with_seed(&out, 0).to_le_bytes());
        out
    }

    /// Reads a header from bytes that may go on behind it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = Fields(bytes);
        let magic = fields.take(8).ok_or("the file header is incomplete")?;
        if magic != FILE_MAGIC {
            return Err("not a write-ahead log".to_owned());
        }
        let version = fields.u32().ok_or("the file header is incomplete")?;
        if !(1..=FILE_VERSION).contains(&version) {
            return Err(format!("format version {version} is unknown"));
        }
        let mut header = Self { version, first_sequence: 0, salt: 0, identity: 0, previous: 0 };
        let size = header.size_bytes();
        if bytes.len() < size {
            return Err("the file header is incomplete".to_owned());
        }
        let _reserved = fields.u32();
        header.first_sequence = fields.u64().unwrap_or_default();
        header.salt = fields.u64().unwrap_or_default();
        if header.is_linked() {
            header.identity = fields.u64().unwrap_or_default();
            header.previous = fields.u64().unwrap_or_default();
        }
        if fields.u64() != Some(xxh3_64_with_seed(&bytes[..size - 8], 0)) {
            return Err("the file header's checksum is wrong".to_owned());
        }
        Ok(header)
    }

    /// Most bytes that a header has.
    pub(super) const MAX_BYTES: usize = LINKED_BYTES;
}

/// Reads little-endian fields one behind the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
impl FileHeader {
    /// A header as version 1 wrote it.
    pub(super) fn plain(first_sequence: u64, salt: u64) -> Self {
        Self { version: 1, first_sequence, salt, identity: 0, previous: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_headers() {
        let before = Link { sequence: 6, checksum: Some(0x0a0b) };
        let header = FileHeader::following(before, 0x55, 0x77);
        let bytes = header.encode();
        let mut expected = b"HENGEWAL".to_vec();
        for field in [3_u64, 7, 0x55, 0x77, 0x0a0b] {
            expected.extend_from_slice(&field.to_le_bytes());
        }
        assert_eq!(bytes[..48], expected);
        assert_eq!(FileHeader::decode(&bytes), Ok(header));
        assert_eq!(header.before(), before);
        let plain = FileHeader::plain(7, 0x55);
        let bytes = plain.encode();
        let mut expected = b"HENGEWAL".to_vec();
        for field in [1_u64, 7, 0x55] {
            expected.extend_from_slice(&field.to_le_bytes());
        }
        assert_eq!((&bytes[..32], bytes.len()), (&expected[..], 40));
        assert_eq!(FileHeader::decode(&bytes), Ok(plain));
        assert_eq!(plain.before(), Link { sequence: 6, checksum: None });
    }
}
