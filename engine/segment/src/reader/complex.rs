//! Reading a COMPLEX column.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::codec::BlockCodec;
use crate::format::corrupt;
use crate::format::holes::BlockPiece;
use crate::format::pages::{self, PageKey};
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::view::ComplexColumn;

/// A complex column of a segment.
#[derive(Debug)]
pub(crate) struct ComplexReader {
    pub(super) source: Arc<Source>,
    column: u32,
    type_name: String,
    chunk_count: usize,
    base: u64,
    pub(super) index: Piece,
    chunks: OnceLock<Chunks>,
}

#[derive(Debug)]
pub(super) struct Chunks {
    pub(super) container: Vec<u8>,
    pub(super) entries: Vec<Chunk>,
    verified: VerifiedBits,
}

#[derive(Debug)]
pub(super) struct Chunk {
    first_row: usize,
    pub(super) rows: usize,
    pub(super) piece: Piece,
}

impl ComplexReader {
    pub(crate) fn read(
        source: &Arc<Source>,
        column: u32,
        type_name: &str,
        reader: &mut ByteReader<'_>,
    ) -> Result<Self> {
        let chunk_count = reader.varint_usize()?;
        let index = Piece::read(reader)?;
        if chunk_count > index.raw_length() {
            return Err(corrupt("a chunk index is too short for its chunks"));
        }
        Ok(Self {
            source: Arc::clone(source),
            column,
            type_name: type_name.to_owned(),
            chunk_count,
            base: reader.base(),
            index,
            chunks: OnceLock::new(),
        })
    }

    pub(super) fn chunks(&self) -> Result<&Chunks> {
        if let Some(chunks) = self.chunks.get() {
            return Ok(chunks);
        }
        let loaded = self.load()?;
        Ok(self.chunks.get_or_init(|| loaded))
    }

    fn load(&self) -> Result<Chunks> {
        let container = self.source.raw_to_vec(&self.index, &self.source.footer)?;
        let mut reader = ByteReader::new(&container).with_base(self.base);
        let mut entries = Vec::with_capacity(self.chunk_count.min(container.len()));
        let mut next_row = 0_usize;
        for _ in 0..self.chunk_count {
            let rows = reader.varint_usize()?;
            let piece = Piece::read(&mut reader)?;
            if rows == 0 || rows > piece.raw_length() / 4 {
                return Err(corrupt("a chunk is too short for its rows"));
            }
            entries.push(Chunk { first_row: next_row, rows, piece });
            next_row += rows;
        }
        reader.finish("a chunk index")?;
        if next_row != self.source.row_count {
            return Err(corrupt("the chunks hold another number of rows than the segment"));
        }
        if let Some(ahead) = &self.source.supply.ahead {
            let pieces = entries.iter().filter_map(|chunk| match &chunk.piece {
                Piece::Stored(piece) => {
                    Some(BlockPiece { column: self.column as usize, piece: *piece })
                }
                Piece::Inline(_) => None,
            });
            ahead.add_columns(&pieces.collect::<Vec<_>>());
        }
        let verified = VerifiedBits::new(entries.len());
        Ok(Chunks { container, entries, verified })
    }
}

impl ComplexColumn for ComplexReader {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn get(&self, row: usize) -> Result<Option<Cow<'_, [u8]>>> {
        let chunks = self.chunks()?;
        if row >= self.source.row_count {
            return Err(corrupt(format!("no row {row} in the segment")));
        }
        let number = chunks.entries.partition_point(|chunk| chunk.first_row <= row) - 1;
        let chunk = &chunks.entries[number];
        let row = row - chunk.first_row;
        let (container, verified) = (&chunks.container, chunks.verified.get(number));
        if chunk.piece.codec() == BlockCodec::None {
            let raw = self.source.stored(&chunk.piece, container, verified)?;
            chunks.verified.set(number);
            return Ok(value(raw, chunk.rows, row)?.map(Cow::Borrowed));
        }
        let key = PageKey::complex(self.column, number);
        pages::with_raw(&self.source, &chunk.piece, container, verified, key, |raw| {
            chunks.verified.set(number);
            Ok(value(raw, chunk.rows, row)?.map(|bytes| Cow::Owned(bytes.to_vec())))
        })
    }
}

/// A row's bytes in a chunk.
fn value(raw: &[u8], rows: usize, row: usize) -> Result<Option<&[u8]>> {
    let (ends, bytes) =
        raw.split_at_checked(4 * rows).ok_or_else(|| corrupt("a chunk is cut short"))?;
    let entry = |row: usize| ByteReader::new(&ends[4 * row..]).u32_le();
    let start = match row {
        0 => 0,
        _ => entry(row - 1)? >> 1,
    };
    let end = entry(row)?;
    let value = bytes
        .get(start as usize..(end >> 1) as usize)
        .ok_or_else(|| corrupt("a complex value lies outside its chunk"))?;
    Ok((end & 1 == 0).then_some(value))
}
