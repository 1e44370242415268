//! Reading a STRING column.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use henge_types::ColumnSchema;
use roaring::RoaringBitmap;
use zerocopy::IntoBytes;

use crate::bitmap::reader::BitmapReader;
use crate::block::{BLOCK_ROWS, IdBlock, MultiBlock, MultiScratch, NULL_ID, check_start};
use crate::dictionary::reader::DictionaryReader;
use crate::encoding::{Encoding, ids};
use crate::error::{Result, SegmentError};
use crate::format::bytes::ByteReader;
use crate::format::codec::BlockCodec;
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::format::{MAX_BLOCK_VALUES, corrupt};
use crate::packed::PackedInts;
use crate::reader::block_rows;
use crate::view::{Dictionary, StringColumn};
use crate::writer::IndexKind;
use henge_types::narrow::narrow;

/// A string column of a segment.
#[derive(Debug)]
pub(crate) struct StringReader {
    pub(super) source: Arc<Source>,
    pub(crate) dictionary: DictionaryReader,
    pub(crate) bitmaps: Option<BitmapReader>,
    /// Whether the column has an index that is not stored.
    pub(crate) index_is_left_out: bool,
    pub(crate) blocks: Vec<StringMeta>,
    verified: VerifiedBits,
    multi_value: bool,
    has_nulls: bool,
}

/// The directory entry of a block; `lists` only in multi-value columns.
#[derive(Debug)]
pub(crate) struct StringMeta {
    pub(crate) ids: IdMeta,
    pub(crate) counts: Option<IdMeta>,
}

/// A block of ids or counts.
#[derive(Debug)]
pub(crate) struct IdMeta {
    pub(crate) encoding: Encoding,
    pub(crate) count: usize,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) data: Option<Piece>,
}

impl StringReader {
    pub(crate) fn read(
        source: &Arc<Source>,
        number: u32,
        column: &ColumnSchema,
        reader: &mut ByteReader<'_>,
    ) -> Result<Self> {
        let dictionary = DictionaryReader::read(source, number, reader)?;
        let id_count = dictionary.len();
        let kind = reader.u8()?;
        let index_is_left_out = kind == IndexKind::LeftOut as u8;
        let bitmaps = match kind {
            0 => None,
            _ if index_is_left_out => None,
            _ => Some(BitmapReader::read(source, number, id_count, reader)?),
        };
        let block_count = source.row_count.div_ceil(BLOCK_ROWS);
        let mut blocks = Vec::with_capacity(block_count.min(reader.remaining()));
        for block in 0..block_count {
            let rows = block_rows(source.row_count, block);
            blocks.push(StringMeta::read(reader, rows, column.multi_value, id_count)?);
        }
        let has_null_id =
            blocks.iter().any(|block| block.ids.count > 0 && block.ids.min == NULL_ID);
        if !column.has_nulls && has_null_id {
            return Err(corrupt("a column without nulls holds the id of null"));
        }
        Ok(Self {
            source: Arc::clone(source),
            dictionary,
            bitmaps,
            index_is_left_out,
            verified: VerifiedBits::new(2 * blocks.len()),
            blocks,
            multi_value: column.multi_value,
            has_nulls: column.has_nulls,
        })
    }

    fn meta(&self, block: usize) -> Result<&StringMeta> {
        self.blocks.get(block).ok_or_else(|| corrupt(format!("no block {block} in the column")))
    }

    /// The entry of a block of single ids.
    fn single(&self, block: usize) -> Result<&StringMeta> {
        match self.multi_value {
            true => Err(SegmentError::Invalid("a multi-value column has no single ids".into())),
            false => self.meta(block),
        }
    }

    /// Decodes all of a block's ids or counts into `out`. `bit` is the place among the verified.
    fn decode_into(&self, meta: &IdMeta, bit: usize, out: &mut [u32]) -> Result<()> {
        let Some(piece) = &meta.data else {
            out.fill(meta.min);
            return Ok(());
        };
        let verified = self.verified.get(bit);
        self.source.with_raw(piece, &self.source.footer, verified, |raw| {
            ids::decode(meta.encoding, raw, out)
        })?;
        if !verified {
            meta.check(&IdBlock::U32(out))?;
            self.verified.set(bit);
        }
        Ok(())
    }

    /// Byte-aligned ids, in place when they are not compressed, else decompressed into `scratch`.
    fn aligned<'s>(
        &'s self,
        meta: &IdMeta,
        piece: &Piece,
        length: usize,
        verified: bool,
        scratch: &'s mut Vec<u32>,
    ) -> Result<IdBlock<'s>> {
        let source = &self.source;
        if piece.codec() == BlockCodec::None {
            let stored = source.stored(piece, &source.footer, verified)?;
            if let Some(block) = ids::view(meta.encoding, stored, meta.count) {
                return Ok(block);
            }
        }
        scratch.resize(length.div_ceil(4), 0);
        let room = scratch
            .as_mut_bytes()
            .get_mut(..length)
            .ok_or_else(|| corrupt("no room for a block of ids"))?;
        source.decompress_into(piece, &source.footer, verified, room)?;
        ids::view(meta.encoding, room, meta.count)
            .ok_or_else(|| corrupt("a block of ids is not aligned"))
    }
}

impl StringMeta {
    fn read(
        reader: &mut ByteReader<'_>,
        rows: usize,
        multi_value: bool,
        id_count: u32,
    ) -> Result<Self> {
        if !multi_value {
            return Ok(Self { ids: IdMeta::read(reader, rows, id_count)?, counts: None });
        }
        let total = reader.varint_usize()?;
        if total > MAX_BLOCK_VALUES {
            return Err(corrupt(format!("{total} values in a block")));
        }
        let counts = IdMeta::read(reader, rows, u32::MAX)?;
        Ok(Self { ids: IdMeta::read(reader, total, id_count)?, counts: Some(counts) })
    }
}

impl IdMeta {
    fn read(reader: &mut ByteReader<'_>, count: usize, id_count: u32) -> Result<Self> {
        let encoding = Encoding::from_byte(reader.u8()?)?;
        let (min, max) = (reader.varint_u32()?, reader.varint_u32()?);
        if min > max || max >= id_count {
            return Err(corrupt(format!("ids {min} to {max} of a dictionary of {id_count}")));
        }
        let data = match encoding {
            Encoding::Constant if min != max => {
                return Err(corrupt("a constant block has two values"));
            }
            Encoding::Constant => None,
            _ => Some(Piece::read(reader)?),
        };
        Ok(Self { encoding, count, min, max, data })
    }

    /// Ids are what the directory says, and so inside the dictionary.
    fn check(&self, block: &IdBlock<'_>) -> Result<()> {
        self.check_bounds(match block {
            IdBlock::Constant(id) => (*id, *id),
            IdBlock::U8(ids) => bounds(ids),
            IdBlock::U16(ids) => bounds(ids),
            IdBlock::U32(ids) => bounds(ids),
        })
    }

    fn check_bounds(&self, (min, max): (u32, u32)) -> Result<()> {
        match (min, max) == (self.min, self.max) {
            true => Ok(()),
            false => Err(corrupt(format!(
                "ids {min} to {max} in a block of {} to {}",
                self.min, self.max
            ))),
        }
    }
}

fn bounds<T: Copy + Into<u32>>(ids: &[T]) -> (u32, u32) {
    ids.iter().fold((u32::MAX, 0), |(min, max), id| {
        let id: u32 = (*id).into();
        (min.min(id), max.max(id))
    })
}

impl StringColumn for StringReader {
    fn dictionary(&self) -> &dyn Dictionary {
        &self.dictionary
    }

    fn is_multi_value(&self) -> bool {
        self.multi_value
    }

    fn id_block<'s>(&'s self, block: usize, scratch: &'s mut Vec<u32>) -> Result<IdBlock<'s>> {
        let meta = &self.single(block)?.ids;
        let Some(piece) = &meta.data else { return Ok(IdBlock::Constant(meta.min)) };
        let bit = 2 * block;
        let Some(length) = ids::aligned_bytes(meta.encoding, meta.count) else {
            scratch.resize(meta.count, 0);
            self.decode_into(meta, bit, scratch)?;
            return Ok(IdBlock::U32(scratch));
        };
        let verified = self.verified.get(bit);
        let decoded = self.aligned(meta, piece, length, verified, scratch)?;
        if !verified {
            meta.check(&decoded)?;
            self.verified.set(bit);
        }
        Ok(decoded)
    }

    fn id_rows<'s>(
        &'s self,
        block: usize,
        rows: Range<usize>,
        scratch: &'s mut Vec<u32>,
    ) -> Result<IdBlock<'s>> {
        check_start(&rows)?;
        if !self.verified.get(2 * block) {
            self.id_block(block, scratch)?;
        }
        let meta = &self.single(block)?.ids;
        let Some(piece) = &meta.data else { return Ok(IdBlock::Constant(meta.min)) };
        let source = &self.source;
        if piece.codec() == BlockCodec::None {
            let stored = source.stored(piece, &source.footer, true)?;
            if let Some(block) = ids::view(meta.encoding, stored, meta.count) {
                return block.cut(rows);
            }
        }
        let room = rows.len();
        if scratch.len() < room {
            scratch.resize(room, 0);
        }
        let room = &mut scratch[..room];
        source.with_rows(piece, true, room.len() == meta.count, |raw| {
            ids::decode_rows(meta.encoding, raw, meta.count, rows.start, room)
        })?;
        Ok(IdBlock::U32(room))
    }

    fn packed_ids(&self, block: usize) -> Result<Option<PackedInts<'_>>> {
        let meta = &self.single(block)?.ids;
        let Some(piece) = meta.data.as_ref().filter(|piece| {
            piece.codec() == BlockCodec::None
                && matches!(meta.encoding, Encoding::IdsPacked | Encoding::IdsFrame)
        }) else {
            return Ok(None);
        };
        let verified = self.verified.get(2 * block);
        let raw = self.source.stored(piece, &self.source.footer, verified)?;
        let ints = ids::packed(meta.encoding, raw, meta.count)?;
        if !verified {
            let id = |id| u32::try_from(id).unwrap_or(u32::MAX);
            let bounds = ints.min_max(0..ints.rows()).map(|(least, most)| (id(least), id(most)));
            meta.check_bounds(bounds.unwrap_or((u32::MAX, 0)))?;
            self.verified.set(2 * block);
        }
        Ok(Some(ints))
    }

    fn multi_block<'s>(
        &'s self,
        block: usize,
        scratch: &'s mut MultiScratch,
    ) -> Result<MultiBlock<'s>> {
        let meta = self.meta(block)?;
        let MultiScratch { offsets, ids } = scratch;
        ids.resize(meta.ids.count, 0);
        self.decode_into(&meta.ids, 2 * block, ids)?;
        let Some(counts) = &meta.counts else {
            offsets.clear();
            offsets.extend(0..=narrow(meta.ids.count));
            return Ok(MultiBlock { offsets, ids });
        };
        offsets.resize(counts.count + 1, 0);
        let (head, tail) = offsets.split_at_mut(1);
        head.fill(0);
        self.decode_into(counts, 2 * block + 1, tail)?;
        let mut end = 0_u32;
        for offset in tail {
            end = end.saturating_add(*offset);
            *offset = end;
        }
        if end as usize != ids.len() {
            return Err(corrupt(format!("{end} values are counted, {} stored", ids.len())));
        }
        Ok(MultiBlock { offsets, ids })
    }

    fn bitmap(&self, id: u32) -> Result<Option<Cow<'_, RoaringBitmap>>> {
        self.bitmaps.as_ref().map(|bitmaps| bitmaps.get(id).map(Cow::Owned)).transpose()
    }

    fn id_range(&self, block: usize) -> Result<Option<(u32, u32)>> {
        let meta = self.meta(block)?;
        Ok((!self.multi_value).then_some((meta.ids.min, meta.ids.max)))
    }

    fn has_nulls(&self) -> bool {
        self.has_nulls
    }
}
