//! The bytes of the log behind a file's header: frames of records.
//!
//! Checksums are seeded with the file's random salt, so that bytes of a payload or of another file
//! can never pass for a frame of this one.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::header::{Fields, FileHeader, Link};
use super::lz4;
use super::options::WalCodec;
use super::{WalEntry, WalRecord};

/// Bytes of a frame's header in files without links.
const PLAIN_HEADER_BYTES: usize = 56;
/// Bytes of a frame's header in files with links.
const LINKED_HEADER_BYTES: usize = 72;
/// Most bytes of a frame's body, stored or raw.
pub(super) const MAX_BODY_BYTES: usize = 512 << 20;

const FRAME_MAGIC: u32 = 0x4d52_4648;
const RECORD_HEADER_BYTES: usize = 32;
/// Marks of a record.
const HAS_KEY: u8 = 1;
const HAS_CONTEXT: u8 = 2;
/// Bytes of a context's length, behind the key.
const CONTEXT_LENGTH_BYTES: usize = 4;
const CODEC_NONE: u32 = 0;
const CODEC_LZ4: u32 = 1;

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    codec: u32,
    /// Bytes of the body in the file.
    pub stored_bytes: usize,
    raw_bytes: usize,
    /// Of its first record.
    pub first_sequence: u64,
    /// Of its last record.
    pub last_sequence: u64,
    /// Number of records.
    pub record_count: u32,
    body_checksum: u64,
    /// What was durable before; `None` in files without links.
    pub before: Option<Link>,
    /// Of this header, and so of the body and of all that it is linked to.
    checksum: u64,
}

/// Bytes of a frame's header.
pub(super) fn frame_header_bytes(file: &FileHeader) -> usize {
    if file.is_linked() { LINKED_HEADER_BYTES } else { PLAIN_HEADER_BYTES }
}

impl FrameHeader {
    /// Sets the checksum and gives the bytes.
    fn seal(&mut self, salt: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LINKED_HEADER_BYTES);
        bytes.extend_from_slice(&FRAME_MAGIC.to_le_bytes());
        bytes.extend_from_slice(&self.codec.to_le_bytes());
        bytes.extend_from_slice(&(self.stored_bytes as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.raw_bytes as u32).to_le_bytes());
        bytes.extend_from_slice(&self.first_sequence.to_le_bytes());
        bytes.extend_from_slice(&self.last_sequence.to_le_bytes());
        bytes.extend_from_slice(&self.record_count.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(&self.body_checksum.to_le_bytes());
        if let Some(before) = &self.before {
            bytes.extend_from_slice(&before.sequence.to_le_bytes());
            bytes.extend_from_slice(&before.checksum.unwrap_or(0).to_le_bytes());
        }
        self.checksum = xxh3_64_with_seed(&bytes, salt);
        bytes.extend_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    /// `None` unless the bytes begin with a whole, unharmed header.
    pub(super) fn decode(bytes: &[u8], file: &FileHeader) -> Option<Self> {
        let size = frame_header_bytes(file);
        let bytes = bytes.get(..size)?;
        let mut fields = Fields(bytes);
        if fields.u32()? != FRAME_MAGIC {
            return None;
        }
        let codec = fields.u32()?;
        let stored_bytes = fields.u32()? as usize;
        let raw_bytes = fields.u32()? as usize;
        let first_sequence = fields.u64()?;
        let last_sequence = fields.u64()?;
        let record_count = fields.u32()?;
        let _reserved = fields.u32()?;
        let body_checksum = fields.u64()?;
        let before = match file.is_linked() {
            false => None,
            true => {
                let sequence = fields.u64()?;
                let checksum = Some(fields.u64()?).filter(|checksum| *checksum != 0);
                Some(Link { sequence, checksum })
            }
        };
        let checksum = xxh3_64_with_seed(&bytes[..size - 8], file.salt);
        let sane = stored_bytes <= MAX_BODY_BYTES
            && raw_bytes <= MAX_BODY_BYTES
            && first_sequence <= last_sequence;
        (sane && fields.u64()? == checksum).then_some(Self {
            codec,
            stored_bytes,
            raw_bytes,
            first_sequence,
            last_sequence,
            record_count,
            body_checksum,
            before,
            checksum,
        })
    }

    /// The end of the log after this frame.
    pub(super) fn end(&self) -> Link {
        Link { sequence: self.last_sequence, checksum: Some(self.checksum) }
    }

    /// True when the body is what was written.
    pub(super) fn body_is_intact(&self, body: &[u8], salt: u64) -> bool {
        body.len() == self.stored_bytes && xxh3_64_with_seed(body, salt) == self.body_checksum
    }

    /// The records of a body that is intact.
    pub(super) fn records(&self, body: Vec<u8>) -> Result<Vec<WalRecord>, String> {
        let raw: Bytes = match self.codec {
            CODEC_NONE => body.into(),
            CODEC_LZ4 => lz4_flex::block::decompress(&body, self.raw_bytes)
                .map_err(|error| format!("the frame does not decompress: {error}"))?
                .into(),
            other => return Err(format!("codec {other} is unknown")),
        };
        if raw.len() != self.raw_bytes {
            return Err(format!("the frame has {} bytes, not {}", raw.len(), self.raw_bytes));
        }
        let mut records = Vec::new();
        let mut offset = 0;
        for _ in 0..self.record_count {
            let (record, end) =
                decode_record(&raw, offset).ok_or("a record passes the frame's end")?;
            records.push(record);
            offset = end;
        }
        let ascending = records.windows(2).all(|pair| pair[0].sequence < pair[1].sequence);
        let bounds = records.first().map(|r| r.sequence) == Some(self.first_sequence)
            && records.last().map(|r| r.sequence) == Some(self.last_sequence);
        if offset != raw.len() || !ascending || !bounds {
            return Err("the frame's records contradict its header".to_owned());
        }
        Ok(records)
    }
}

/// The memory of frames: whoever writes one after the other keeps it, as fresh pages cost more than what
/// is written into them.
#[derive(Debug, Default)]
pub(super) struct FrameBuffers {
    raw: Vec<u8>,
    compressed: Vec<u8>,
}

/// Writes one frame of these records, which are not empty and have ascending sequences. Gives its
/// bytes and the end of the log after it.
pub(super) fn encode_frame<'b>(
    records: &[WalRecord],
    codec: WalCodec,
    file: &FileHeader,
    before: Link,
    buffers: &'b mut FrameBuffers,
) -> (&'b [u8], Link) {
    let payload_bytes: usize = records.iter().map(|r| encoded_bytes(&r.entry)).sum();
    let header_bytes = frame_header_bytes(file);
    let FrameBuffers { raw, compressed } = buffers;
    let mut out = raw;
    out.clear();
    out.resize(header_bytes, 0);
    out.reserve(payload_bytes);
    for record in records {
        encode_record(record, out);
    }
    let raw_bytes = out.len() - header_bytes;
    let mut stored_codec = CODEC_NONE;
    if codec == WalCodec::Lz4 {
        compressed.clear();
        compressed.resize(header_bytes, 0);
        lz4::compress(&out[header_bytes..], compressed);
        if compressed.len() < out.len() {
            stored_codec = CODEC_LZ4;
            out = compressed;
        }
    }
    let mut header = FrameHeader {
        codec: stored_codec,
        stored_bytes: out.len() - header_bytes,
        raw_bytes,
        first_sequence: records.first().map_or(0, |r| r.sequence),
        last_sequence: records.last().map_or(0, |r| r.sequence),
        record_count: records.len() as u32,
        body_checksum: xxh3_64_with_seed(&out[header_bytes..], file.salt),
        before: file.is_linked().then_some(before),
        checksum: 0,
    };
    out[..header_bytes].copy_from_slice(&header.seal(file.salt));
    (out, header.end())
}

/// Bytes that an entry takes in a frame before compression.
pub(super) fn encoded_bytes(entry: &WalEntry) -> usize {
    let key_bytes = entry.idempotency_key.as_ref().map_or(0, |key| key.len());
    let context_bytes = match entry.context.len() {
        0 => 0,
        length => CONTEXT_LENGTH_BYTES + length,
    };
    RECORD_HEADER_BYTES + key_bytes + context_bytes + entry.payload.len()
}

fn encode_record(record: &WalRecord, out: &mut Vec<u8>) {
    let entry = &record.entry;
    let key = entry.idempotency_key.as_deref();
    out.extend_from_slice(&record.sequence.to_le_bytes());
    out.extend_from_slice(&entry.received_at_ms.to_le_bytes());
    out.extend_from_slice(&entry.schema_version.to_le_bytes());
    let mark = |is_set: bool, mark: u8| if is_set { mark } else { 0 };
    let marks = mark(key.is_some(), HAS_KEY) | mark(!entry.context.is_empty(), HAS_CONTEXT);
    out.extend_from_slice(&[entry.flags, marks]);
    out.extend_from_slice(&(key.map_or(0, str::len) as u16).to_le_bytes());
    out.extend_from_slice(&(entry.payload.len() as u32).to_le_bytes());
    out.extend_from_slice(key.unwrap_or_default().as_bytes());
    if !entry.context.is_empty() {
        out.extend_from_slice(&(entry.context.len() as u32).to_le_bytes());
        out.extend_from_slice(&entry.context);
    }
    out.extend_from_slice(&entry.payload);
}

/// A record and the offset behind it. The payload shares the frame's memory.
fn decode_record(raw: &Bytes, offset: usize) -> Option<(WalRecord, usize)> {
    let mut fields = Fields(raw.get(offset..)?);
    let sequence = fields.u64()?;
    let received_at_ms = fields.u64()? as i64;
    let schema_version = fields.u64()?;
    let flags = *fields.take(1)?.first()?;
    let marks = *fields.take(1)?.first()?;
    let key_bytes = usize::from(u16::from_le_bytes(fields.take(2)?.try_into().ok()?));
    let payload_bytes = fields.u32()? as usize;
    let key = std::str::from_utf8(fields.take(key_bytes)?).ok()?;
    let mut start = offset + RECORD_HEADER_BYTES + key_bytes;
    let mut context = Bytes::new();
    if marks & HAS_CONTEXT != 0 {
        let context_bytes = fields.u32()? as usize;
        fields.take(context_bytes)?;
        start += CONTEXT_LENGTH_BYTES;
        context = raw.slice(start..start + context_bytes);
        start += context_bytes;
    }
    fields.take(payload_bytes)?;
    let end = start + payload_bytes;
    let entry = WalEntry {
        received_at_ms,
        schema_version,
        flags,
        idempotency_key: (marks & HAS_KEY != 0).then(|| Arc::from(key)),
        context,
        payload: raw.slice(start..end),
    };
    Some((WalRecord { sequence, entry }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Option<&str>, context: &'static [u8], payload: &'static [u8]) -> WalRecord {
        WalRecord {
            sequence: 7,
            entry: WalEntry {
                received_at_ms: -5,
                schema_version: 3,
                flags: 1,
                idempotency_key: key.map(Arc::from),
                context: Bytes::from_static(context),
                payload: Bytes::from_static(payload),
            },
        }
    }

    #[test]
    fn records_with_and_without_a_context_read_back() {
        for (key, context) in [(None, &b""[..]), (Some("k"), b""), (None, b"cc"), (Some(""), b"c")]
        {
            let record = record(key, context, b"{}");
            let mut bytes = vec![9, 9];
            encode_record(&record, &mut bytes);
            assert_eq!(bytes.len() - 2, encoded_bytes(&record.entry));
            let bytes = Bytes::from(bytes);
            assert_eq!(decode_record(&bytes, 2), Some((record, bytes.len())));
            for short in 2..bytes.len() {
                assert_eq!(decode_record(&bytes.slice(..short), 2), None);
            }
        }
    }

    #[test]
    fn golden_bytes_of_a_record_of_the_first_version_are_read() {
        let mut bytes = vec![7, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&[0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 2, 0, 0, 0]);
        bytes.extend_from_slice(b"k{}");
        let expected = record(Some("k"), b"", b"{}");
        assert_eq!(decode_record(&bytes.into(), 0), Some((expected, 35)));
    }
}
