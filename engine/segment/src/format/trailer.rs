//! Header and trailer: magic, version, and where the footer is.

use crate::error::{Result, SegmentError};
use crate::format::bytes::ByteReader;
use crate::format::codec::{self, BlockCodec};
use crate::format::{FIRST_FORMAT_VERSION, FORMAT_VERSION, HEADER_BYTES, MAGIC, checksum, corrupt};
use henge_types::narrow::place;

/// Bytes of the trailer.
pub(crate) const TRAILER_BYTES: usize = 56;

/// The last bytes of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trailer {
    pub(crate) footer_offset: u64,
    pub(crate) stored_length: u32,
    pub(crate) raw_length: u32,
    pub(crate) codec: BlockCodec,
    pub(crate) footer_checksum: u64,
    pub(crate) version: u32,
}

/// The first bytes of a file.
pub(crate) fn header(version: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes
}

impl Trailer {
    pub(crate) fn to_bytes(self) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        bytes[..8].copy_from_slice(&self.footer_offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.stored_length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.raw_length.to_le_bytes());
        bytes[16] = self.codec as u8;
        bytes[24..32].copy_from_slice(&self.footer_checksum.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.version.to_le_bytes());
        let sum = checksum(&bytes[..40]);
        bytes[40..48].copy_from_slice(&sum.to_le_bytes());
        bytes[48..].copy_from_slice(&MAGIC);
        bytes
    }

    /// Checks header and trailer of a whole file.
    pub(crate) fn read(file: &[u8]) -> Result<Self> {
        if file.len() < HEADER_BYTES + TRAILER_BYTES {
            return Err(corrupt(format!("{} bytes are no segment file", file.len())));
        }
        if file[..8] != MAGIC {
            return Err(corrupt("the file does not start with a segment header"));
        }
        let version = ByteReader::new(&file[8..]).u32_le()?;
        if !(FIRST_FORMAT_VERSION..=FORMAT_VERSION).contains(&version) {
            return Err(SegmentError::UnknownVersion(version));
        }
        if file[..HEADER_BYTES] != header(version) {
            return Err(corrupt("the header's reserved bytes are not zero"));
        }
        let bytes = &file[file.len() - TRAILER_BYTES..];
        if bytes[48..] != MAGIC {
            return Err(corrupt("the file does not end with a segment trailer: it is cut short"));
        }
        let trailer = Self::parse(bytes, version)?;
        if trailer.to_bytes() != *bytes {
            return Err(corrupt("the trailer's checksum does not match"));
        }
        let end = trailer.footer_offset.checked_add(u64::from(trailer.stored_length));
        if trailer.footer_offset < HEADER_BYTES as u64
            || end != Some((file.len() - TRAILER_BYTES) as u64)
        {
            return Err(corrupt("the footer does not lie between the pieces and the trailer"));
        }
        Ok(trailer)
    }

    fn parse(bytes: &[u8], version: u32) -> Result<Self> {
        let mut reader = ByteReader::new(bytes);
        let footer_offset = reader.u64_le()?;
        let stored_length = reader.u32_le()?;
        let raw_length = reader.u32_le()?;
        let codec = BlockCodec::from_byte(reader.u8()?)?;
        reader.take(7)?;
        Ok(Self {
            footer_offset,
            stored_length,
            raw_length,
            codec,
            footer_checksum: reader.u64_le()?,
            version,
        })
    }

    /// The verified, decompressed footer.
    pub(crate) fn footer(&self, file: &[u8]) -> Result<Vec<u8>> {
        let offset = place(self.footer_offset);
        let stored = file
            .get(offset..offset.saturating_add(self.stored_length as usize))
            .ok_or_else(|| corrupt("the footer lies outside the file"))?;
        if checksum(stored) != self.footer_checksum {
            return Err(corrupt("the footer's checksum does not match"));
        }
        if self.codec == BlockCodec::None {
            return Ok(stored.to_vec());
        }
        let raw_length = self.raw_length as usize;
        if !codec::plausible(raw_length, stored.len()) {
            return Err(corrupt("the footer claims an implausible length"));
        }
        let mut raw = vec![0; raw_length];
        codec::decompress(self.codec, stored, &mut raw)?;
        Ok(raw)
    }
}
