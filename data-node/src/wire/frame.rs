//! The outer form of every message: what it is, the version it was written in, a checksum of what
//! follows, and its parts with their lengths. A message that lost a part on the way, or of which a bit
//! changed, is not taken for another one.

use xxhash_rust::xxh3::xxh3_64;

use super::WireError;

/// Magic, version and checksum.
const HEADER_BYTES: usize = 16;

/// The version that is written. Readers know it and those before.
pub const VERSION: u32 = 1;

/// What a message is, as its first four bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A query for some segments.
    Run,
    /// Stop a query.
    Cancel,
    /// An answer.
    Reply,
    /// A partition of groups.
    Partition,
    /// How far the announcements of the node's process are?
    Inventory,
    /// So far.
    InventoryAt,
    /// The end of the partitions, or of a cancellation.
    Done,
    /// Why there is no answer.
    Error,
}

impl Kind {
    const ALL: [(Self, [u8; 4]); 8] = [
        (Self::Run, *b"HGrn"),
        (Self::Cancel, *b"HGcn"),
        (Self::Reply, *b"HGrp"),
        (Self::Partition, *b"HGpt"),
        (Self::Inventory, *b"HGiv"),
        (Self::InventoryAt, *b"HGia"),
        (Self::Done, *b"HGdn"),
        (Self::Error, *b"HGer"),
    ];
}

/// Writes a message.
pub(super) fn encode(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let lengths: usize = parts.iter().map(|part| part.len() + 8).sum();
    let mut out = Vec::with_capacity(HEADER_BYTES + lengths);
    let magic = Kind::ALL.iter().find(|(known, _)| *known == kind).map_or([0; 4], |known| known.1);
    out.extend_from_slice(&magic);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    let checksum = xxh3_64(&out[HEADER_BYTES..]);
    out[8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// Reads a message: what it is and its parts, which follow one another to its end.
pub(super) fn decode(bytes: &[u8]) -> Result<(Kind, Vec<&[u8]>), WireError> {
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(WireError::CutShort)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(WireError::CutShort)?;
    let kind = Kind::ALL.iter().find(|(_, known)| known == magic).ok_or(WireError::Unknown)?.0;
    match u32::from_le_bytes(*version) {
        1..=VERSION => {}
        other => return Err(WireError::Version(other)),
    }
    let (checksum, mut rest) = rest.split_first_chunk::<8>().ok_or(WireError::CutShort)?;
    if u64::from_le_bytes(*checksum) != xxh3_64(rest) {
        return Err(WireError::Damaged);
    }
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<8>().ok_or(WireError::CutShort)?;
        let length = usize::try_from(u64::from_le_bytes(*length));
        let length = length.map_err(|_| WireError::CutShort)?;
        let (part, after) = after.split_at_checked(length).ok_or(WireError::CutShort)?;
        parts.push(part);
        rest = after;
    }
    Ok((kind, parts))
}

/// Reads a message that must be of one kind; gives its first part and the rest of them.
pub(super) fn decode_as(bytes: &[u8], wanted: Kind) -> Result<(&[u8], Vec<&[u8]>), WireError> {
    let (kind, mut parts) = decode(bytes)?;
    if kind != wanted || parts.is_empty() {
        return Err(WireError::Unexpected(kind));
    }
    let first = parts.remove(0);
    Ok((first, parts))
}
