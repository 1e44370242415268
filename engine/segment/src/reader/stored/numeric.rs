//! Columns of numbers as segments keep them.

use super::{Contents, PieceRole, StoredColumn};
use crate::block::{BLOCK_ROWS, NumericValues};
use crate::encoding::Encoding;
use crate::error::Result;
use crate::format::codec::BlockCodec;
use crate::format::corrupt;
use crate::format::piece::{Piece, Source};
use crate::format::sink::{Packed, PieceSink};
use crate::metric::Arithmetic;
use crate::number::{Number, check_stats};
use crate::options::{WriteGoal, WriteOptions};
use crate::reader::numeric::{NumericMeta, NumericReader};
use crate::reader::{block_rows, pieces};
use crate::view::{ColumnView, NumericColumn};
use crate::writer::{choose, put_block};

impl<T: Number + Arithmetic> StoredColumn for NumericReader<T> {
    fn view(&self) -> ColumnView<'_> {
        T::view(self)
    }

    fn for_each_piece(&self, visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>) -> Result<()> {
        self.for_each_block_piece(visit)
    }

    fn for_each_block_piece(
        &self,
        visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()> {
        for (number, meta) in self.metas().iter().enumerate() {
            let nulls = meta.mask.iter().map(|piece| (PieceRole::Nulls, piece));
            let data = meta.data.iter().map(|piece| (PieceRole::Data, piece));
            nulls
                .chain(data)
                .try_for_each(|(role, piece)| visit(role, piece))
                .map_err(pieces::in_block(number))?;
        }
        Ok(())
    }

    fn contents(&self) -> Contents {
        let metas = self.metas();
        let bounds = || self.block_stats().filter(|stats| !stats.min.is_nan());
        let least =
            bounds().map(|stats| stats.min).reduce(|a, b| if a.descends(b) { b } else { a });
        let most = bounds().map(|stats| stats.max).reduce(|a, b| if b.descends(a) { b } else { a });
        Contents {
            cardinality: None,
            min: least.map(|value| value.text()),
            max: most.map(|value| value.text()),
            null_count: Some(metas.iter().map(|meta| u64::from(meta.stats.null_count)).sum()),
            encodings: metas.iter().map(|meta| meta.encoding).collect(),
        }
    }

    fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        let source = self.source();
        for (block, meta) in self.metas().iter().enumerate() {
            let rows = block_rows(source.row_count, block);
            let mask = meta.mask.as_ref().map(|mask| source.raw_to_vec(mask, &source.footer));
            let values =
                meta.data.as_ref().map(|piece| numbers(source, meta, piece, rows, options));
            let (mask, values) = (mask.transpose()?, values.transpose()?);
            put_block(sink, options, &meta.stats, mask, values, directory)?;
        }
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        let mut scratch = Vec::new();
        let row_count = self.source().row_count;
        for block in 0..row_count.div_ceil(BLOCK_ROWS) {
            let decoded = self.block(block, &mut scratch)?;
            let nulls = decoded.nulls.map(|mask| mask.words);
            let kept = self.metas().get(block).map(|meta| meta.stats);
            let kept = kept.ok_or_else(|| corrupt("no such block"))?;
            match decoded.values {
                NumericValues::Slice(values) => check_stats(values, nulls, &kept, true)?,
                NumericValues::Constant(value) => {
                    check_stats(&vec![value; block_rows(row_count, block)], nulls, &kept, true)?;
                }
            }
        }
        Ok(())
    }
}

/// Rows from which on packed values of 32 bits are chosen before plain ones, whatever their heads take.
const MIN_REPACKED_ROWS: usize = 1024;

/// The values of a block: as they are when a scan wants them so, else encoded again.
fn numbers<T: Number>(
    source: &Source,
    meta: &NumericMeta<T>,
    piece: &Piece,
    rows: usize,
    options: &WriteOptions,
) -> Result<(Encoding, Packed)> {
    let raw = source.raw_to_vec(piece, &source.footer)?;
    let suits = options.goal == WriteGoal::Scan && T::packed(meta.encoding, &raw, rows)?.is_some();
    let is_hot = options.goal == WriteGoal::Scan && options.codec == BlockCodec::None;
    if is_hot
        && rows >= MIN_REPACKED_ROWS
        && let Some(packed) = T::repacked(meta.encoding, &raw, rows)?
    {
        return Ok((meta.encoding, options.pack(packed)));
    }
    if !suits {
        let mut values = vec![T::ZERO; rows];
        T::decode_rows(meta.encoding, &raw, rows, 0, &mut values)?;
        if let Some(chosen) = choose(options, &T::profile(&values)) {
            return Ok(chosen);
        }
    }
    Ok((meta.encoding, options.pack(raw)))
}
