//! Writing a COMPLEX column: chunks of rows of about [`CHUNK_BYTES`], so that one sketch is read
//! without decompressing a whole block of them.
//!
//! A chunk is one `u32` a row, the end of the row's bytes shifted left by one with the low bit set
//! where the row is null, then the bytes. Directory: number of chunks, then a piece that holds for
//! each chunk its number of rows and its piece.

use crate::error::{Result, SegmentError};
use crate::format::MAX_COMPLEX_BYTES;
use crate::format::bytes::ByteWriter;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::writer::ComplexRows;
use henge_types::narrow::narrow;

/// Raw bytes after which a chunk is closed.
const CHUNK_BYTES: usize = 64 << 10;

/// Writes the column; true when it has nulls.
pub(super) fn write(
    sink: &mut PieceSink,
    options: &WriteOptions,
    rows: &mut ComplexRows<'_>,
    row_count: usize,
    directory: &mut Vec<u8>,
) -> Result<bool> {
    let mut index = Vec::new();
    let mut chunks = 0;
    let mut chunk = Chunk::default();
    let mut written = 0;
    let mut has_nulls = false;
    for row in rows {
        let row = row?;
        has_nulls |= row.is_none();
        chunk.push(row.as_deref())?;
        written += 1;
        if chunk.bytes.len() + chunk.ends.len() >= CHUNK_BYTES {
            chunk.write(sink, options, &mut index)?;
            chunks += 1;
        }
    }
    if written != row_count {
        return Err(SegmentError::Invalid(format!("{written} rows, the segment has {row_count}")));
    }
    if chunk.rows > 0 {
        chunk.write(sink, options, &mut index)?;
        chunks += 1;
    }
    directory.put_varint(chunks);
    sink.put(&options.pack(index), directory)?;
    Ok(has_nulls)
}

#[derive(Default)]
struct Chunk {
    rows: u64,
    ends: Vec<u8>,
    bytes: Vec<u8>,
}

impl Chunk {
    fn push(&mut self, value: Option<&[u8]>) -> Result<()> {
        let value_bytes = value.unwrap_or_default();
        if value_bytes.len() > MAX_COMPLEX_BYTES {
            return Err(SegmentError::Limit(format!(
                "a complex value of {} bytes: at most {MAX_COMPLEX_BYTES}",
                value_bytes.len()
            )));
        }
        self.bytes.extend_from_slice(value_bytes);
        let entry = narrow(self.bytes.len()) << 1 | u32::from(value.is_none());
        self.ends.extend_from_slice(&entry.to_le_bytes());
        self.rows += 1;
        Ok(())
    }

    fn write(
        &mut self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        index: &mut Vec<u8>,
    ) -> Result<()> {
        let Self { rows, mut ends, bytes } = std::mem::take(self);
        ends.extend(bytes);
        index.put_varint(rows);
        sink.put(&options.pack(ends), index)
    }
}
