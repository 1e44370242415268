//! Reading a LONG, FLOAT or DOUBLE column.

use std::ops::Range;
use std::sync::Arc;

use zerocopy::{FromBytes, IntoBytes};

use crate::block::{BLOCK_ROWS, NullMask, NumericBlock, NumericStats, NumericValues, check_start};
use crate::encoding::Encoding;
use crate::error::Result;
use crate::format::bytes::ByteReader;
use crate::format::codec::BlockCodec;
use crate::format::corrupt;
use crate::format::piece::{Piece, Source, VerifiedBits};
use crate::number::{FieldReader, Number, check_stats, mask_is_implied};
use crate::packed::{PackedBlock, PackedInts};
use crate::reader::block_rows;
use crate::view::NumericColumn;

/// The mask of a block in which every row is null.
static ALL_NULL: [u64; BLOCK_ROWS / 64] = [u64::MAX; BLOCK_ROWS / 64];

/// A numeric column of a segment.
#[derive(Debug)]
pub(crate) struct NumericReader<T> {
    source: Arc<Source>,
    blocks: Vec<NumericMeta<T>>,
    verified: VerifiedBits,
    sorted: bool,
}

/// The directory entry of a block.
#[derive(Debug)]
pub(crate) struct NumericMeta<T> {
    pub(crate) encoding: Encoding,
    pub(crate) stats: NumericStats<T>,
    pub(crate) mask: Option<Piece>,
    pub(crate) data: Option<Piece>,
}

impl<T: Number> NumericReader<T> {
    pub(crate) fn read(
        source: &Arc<Source>,
        reader: &mut ByteReader<'_>,
        sorted: bool,
    ) -> Result<Self> {
        let block_count = source.row_count.div_ceil(BLOCK_ROWS);
        let mut blocks = Vec::with_capacity(block_count.min(reader.remaining()));
        for block in 0..block_count {
            blocks.push(NumericMeta::read(reader, block_rows(source.row_count, block))?);
        }
        let verified = VerifiedBits::new(block_count);
        Ok(Self { source: Arc::clone(source), blocks, verified, sorted })
    }

    /// The statistics of all blocks.
    pub(crate) fn block_stats(&self) -> impl Iterator<Item = &NumericStats<T>> {
        self.blocks.iter().map(|block| &block.stats)
    }

    /// The file.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn metas(&self) -> &[NumericMeta<T>] {
        &self.blocks
    }

    fn meta(&self, block: usize) -> Result<&NumericMeta<T>> {
        self.blocks.get(block).ok_or_else(|| corrupt(format!("no block {block} in the column")))
    }

    /// What a block claims against what it holds, once: pruning trusts the claims.
    fn check(&self, block: usize, values: &NumericBlock<'_, T>) -> Result<()> {
        let meta = self.meta(block)?;
        let nulls = values.nulls.map(|mask| mask.words);
        match values.values {
            NumericValues::Constant(_) => {
                let set: u32 = nulls.unwrap_or_default().iter().map(|word| word.count_ones()).sum();
                if meta.stats.null_count != set {
                    return Err(corrupt("a null mask has another number of nulls"));
                }
            }
            NumericValues::Slice(slice) => {
                check_stats(slice, nulls, &meta.stats, false)?;
                if self.sorted && slice.windows(2).any(|pair| T::descends(pair[0], pair[1])) {
                    return Err(corrupt("a block of sorted times descends"));
                }
            }
        }
        self.verified.set(block);
        Ok(())
    }
}

impl<T: Number> NumericMeta<T> {
    fn read(reader: &mut ByteReader<'_>, rows: usize) -> Result<Self> {
        let encoding = Encoding::from_byte(reader.u8()?)?;
        let null_count = reader.varint_u32()?;
        if null_count as usize > rows {
            return Err(corrupt(format!("{null_count} nulls in a block of {rows} rows")));
        }
        let mask = match null_count > 0 && !mask_is_implied(null_count, rows) {
            true => Some(Piece::read(reader)?),
            false => None,
        };
        let mut fields = FieldReader(reader);
        let (min, max) = (T::read(&mut fields)?, T::read(&mut fields)?);
        let sum = match fields.0.u8()? {
            0 => None,
            _ => Some(T::read_sum(&mut fields)?),
        };
        let data = match encoding {
            Encoding::Constant if min.bits() != max.bits() && !min.is_nan() => {
                return Err(corrupt("a constant block has two values"));
            }
            Encoding::Constant => None,
            _ => Some(Piece::read(reader)?),
        };
        let stats = NumericStats { null_count, min, max, sum };
        Ok(Self { encoding, stats, mask, data })
    }
}

impl<T: Number> NumericColumn<T> for NumericReader<T> {
    fn block<'s>(&'s self, block: usize, scratch: &'s mut Vec<T>) -> Result<NumericBlock<'s, T>> {
        let rows = block_rows(self.source.row_count, block);
        let verified = self.verified.get(block);
        let decoded = self.read_rows(block, 0..rows, verified, scratch)?;
        if !verified {
            self.check(block, &decoded)?;
        }
        Ok(decoded)
    }

    fn rows<'s>(
        &'s self,
        block: usize,
        rows: Range<usize>,
        scratch: &'s mut Vec<T>,
    ) -> Result<NumericBlock<'s, T>> {
        check_start(&rows)?;
        self.verify_block(block, scratch)?;
        self.read_rows(block, rows, true, scratch)
    }

    fn packed(&self, block: usize) -> Result<Option<PackedBlock<'_>>> {
        let meta = self.meta(block)?;
        let Some(piece) = meta.data.as_ref().filter(|piece| piece.codec() == BlockCodec::None)
        else {
            return Ok(None);
        };
        let rows = block_rows(self.source.row_count, block);
        let words = rows.div_ceil(64);
        let verified = self.verified.get(block);
        let nulls = match &meta.mask {
            None if meta.stats.null_count == 0 => None,
            None => Some(&ALL_NULL[..words]),
            Some(mask) => match self.mask_in_place(mask, verified, words)? {
                None => return Ok(None),
                in_place => in_place,
            },
        };
        let raw = self.source.stored(piece, &self.source.footer, verified)?;
        let Some((ints, divisor)) = T::packed(meta.encoding, raw, rows)? else { return Ok(None) };
        if !verified && (nulls.is_some() || self.sorted) {
            self.verify_block(block, &mut Vec::new())?;
        } else if !verified {
            self.check_packed(block, &ints, divisor)?;
        }
        Ok(Some(PackedBlock { ints, divisor, nulls: nulls.map(|words| NullMask { words }) }))
    }

    fn stats(&self, block: usize) -> Result<Option<NumericStats<T>>> {
        Ok(Some(self.meta(block)?.stats))
    }

    fn has_nulls(&self) -> bool {
        self.block_stats().any(|stats| stats.null_count > 0)
    }
}

impl<T: Number> NumericReader<T> {
    /// Makes sure that a block was checked once.
    fn verify_block(&self, block: usize, scratch: &mut Vec<T>) -> Result<()> {
        match self.verified.get(block) {
            true => Ok(()),
            false => self.block(block, scratch).map(|_| ()),
        }
    }

    /// [`NumericReader::check`] without decoding, for a block without nulls.
    fn check_packed(&self, block: usize, ints: &PackedInts<'_>, divisor: f64) -> Result<()> {
        let stats = &self.meta(block)?.stats;
        let bounds = ints.min_max(0..ints.rows()).map(|(least, most)| {
            (T::of_packed(least, divisor).bits(), T::of_packed(most, divisor).bits())
        });
        if bounds != Some((stats.min.bits(), stats.max.bits())) {
            return Err(corrupt("the statistics of a block do not match its values"));
        }
        self.verified.set(block);
        Ok(())
    }

    fn read_rows<'s>(
        &'s self,
        block: usize,
        rows: Range<usize>,
        verified: bool,
        scratch: &'s mut Vec<T>,
    ) -> Result<NumericBlock<'s, T>> {
        let meta = self.meta(block)?;
        let block_rows = block_rows(self.source.row_count, block);
        if rows.start > rows.end || rows.end > block_rows {
            return Err(corrupt(format!("rows {rows:?} of a block of {block_rows}")));
        }
        let words = block_rows.div_ceil(64);
        // Values first, then room for the whole mask with slack to align it to eight bytes.
        let value_cells = if meta.data.is_some() { rows.len() } else { 0 };
        let mask_cells = match &meta.mask {
            Some(_) => (words * 8 + 8).div_ceil(size_of::<T>()),
            None => 0,
        };
        if scratch.len() < value_cells + mask_cells {
            scratch.resize(value_cells + mask_cells, T::ZERO);
        }
        let (value_room, mask_room) = scratch.split_at_mut(value_cells);
        let values = match &meta.data {
            None => NumericValues::Constant(meta.stats.min),
            Some(piece) => NumericValues::Slice(self.values(
                (meta.encoding, piece),
                verified,
                block_rows,
                rows.start,
                value_room,
            )?),
        };
        let nulls = match &meta.mask {
            Some(piece) => Some(self.mask(piece, verified, mask_room, words)?),
            None if meta.stats.null_count > 0 => Some(&ALL_NULL[..words]),
            None => None,
        };
        let nulls = nulls.map(|words| NullMask { words }.cut(&rows)).transpose()?;
        Ok(NumericBlock { values, nulls })
    }

    /// Values from row `first` on, in place where they are plain, uncompressed and aligned.
    fn values<'s>(
        &'s self,
        (encoding, piece): (Encoding, &Piece),
        verified: bool,
        count: usize,
        first: usize,
        room: &'s mut [T],
    ) -> Result<&'s [T]> {
        let source = &self.source;
        if encoding == Encoding::Plain {
            if piece.codec() == BlockCodec::None
                && let Ok(values) =
                    <[T]>::ref_from_bytes(source.stored(piece, &source.footer, verified)?)
                && values.len() == count
            {
                return Ok(&values[first..first + room.len()]);
            }
            if room.len() == count {
                source.decompress_into(piece, &source.footer, verified, room.as_mut_bytes())?;
                return Ok(room);
            }
        }
        let whole = room.len() == count;
        let decode = |raw: &[u8]| T::decode_rows(encoding, raw, count, first, room);
        source.with_rows(piece, verified, whole, decode)?;
        Ok(room)
    }

    /// The words of a null mask where they are uncompressed and aligned.
    fn mask_in_place(&self, piece: &Piece, verified: bool, words: usize) -> Result<Option<&[u64]>> {
        if piece.codec() != BlockCodec::None {
            return Ok(None);
        }
        let stored = self.source.stored(piece, &self.source.footer, verified)?;
        Ok(<[u64]>::ref_from_bytes(stored).ok().filter(|mask| mask.len() == words))
    }

    /// The words of a null mask, in place where possible, else in the eight-byte aligned part of
    /// `room`.
    fn mask<'s>(
        &'s self,
        piece: &Piece,
        verified: bool,
        room: &'s mut [T],
        words: usize,
    ) -> Result<&'s [u64]> {
        if let Some(mask) = self.mask_in_place(piece, verified, words)? {
            return Ok(mask);
        }
        let source = &self.source;
        let bytes = room.as_mut_bytes();
        let skip = bytes.as_ptr().align_offset(8);
        let room = bytes
            .get_mut(skip..skip.saturating_add(8 * words))
            .ok_or_else(|| corrupt("no room for a null mask"))?;
        source.decompress_into(piece, &source.footer, verified, room)?;
        <[u64]>::ref_from_bytes(room).map_err(|_| corrupt("a null mask is not aligned"))
    }
}
