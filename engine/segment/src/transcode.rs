//! Writing a segment again under another codec, as a hot tier does with the compact form. Statistics,
//! dictionaries and bitmap indexes are copied; blocks of values are encoded again only where they do
//! not suit the goal as they are. Columns keep their order in the file, and the writer decides by
//! content alone, so the compact form of a hot form is, byte for byte, the one it was made from.

use std::io::Write;

use henge_types::TIME_COLUMN;

use crate::encoding::{Encoding, ids};
use crate::error::{Result, SegmentError};
use crate::format::bytes::ByteWriter;
use crate::format::codec::BlockCodec;
use crate::format::piece::{Piece, Source};
use crate::format::projection::ProjectionFile;
use crate::format::sink::{Packed, PieceSink};
use crate::number::Number;
use crate::options::{WriteGoal, WriteOptions};
use crate::reader::numeric::{NumericMeta, NumericReader};
use crate::reader::string::{IdMeta, StringReader};
use crate::reader::{Column, MappedSegment, block_rows};
use crate::view::SegmentView;
use crate::writer::{EncodedColumn, SegmentSummary, SegmentWriter, choose, put_block, write_ids};

/// Writes a segment again under other options. Rows keep their order, the segment its identity,
/// schema, indexes and projections.
///
/// # Errors
/// `Corrupt` from reading, `Io` from writing.
pub fn transcode<W: Write>(
    segment: &MappedSegment,
    options: WriteOptions,
    out: W,
) -> Result<SegmentSummary> {
    let (id, schema) = (segment.id().clone(), segment.schema().clone());
    let mut writer = SegmentWriter::new(out, id, schema, segment.row_count(), options)?;
    for position in segment.file_order() {
        writer.append(segment.transcode_column(position, &options)?)?;
    }
    for (projection, embedded) in segment.projections().iter().zip(segment.embedded()) {
        let mut bytes = Vec::new();
        transcode(embedded, options, &mut bytes)?;
        let definition = projection.definition.clone();
        writer.write_projection(&ProjectionFile { definition, bytes })?;
    }
    writer.finish()
}

impl MappedSegment {
    /// The columns in the order in which they lie in the file; those that take no room there first.
    fn file_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_by_key(|position| self.column_start(*position));
        order
    }

    fn transcode_column(&self, position: usize, options: &WriteOptions) -> Result<EncodedColumn> {
        let (Some(column), Some(schema)) =
            (self.columns.get(position), self.schema().columns.get(position))
        else {
            return Err(SegmentError::Invalid(format!("no column {position}")));
        };
        let mut sink = PieceSink::default();
        let mut directory = Vec::new();
        let (put, out) = (&mut sink, &mut directory);
        match column {
            Column::Long(column) => numeric(column, put, options, out)?,
            Column::Float(column) => numeric(column, put, options, out)?,
            Column::Double(column) => numeric(column, put, options, out)?,
            Column::String(column) => string(column, &self.source, put, options, out)?,
            Column::Complex(column) => column.copy(put, options, out)?,
        }
        let is_time = schema.name == TIME_COLUMN;
        let time = is_time.then(|| (self.is_time_sorted(), self.time_range()));
        let (pieces, has_nulls) = (sink.bytes, schema.has_nulls);
        Ok(EncodedColumn { position, pieces, directory, has_nulls, time })
    }
}

fn numeric<T: Number>(
    column: &NumericReader<T>,
    sink: &mut PieceSink,
    options: &WriteOptions,
    directory: &mut Vec<u8>,
) -> Result<()> {
    let source = column.source();
    for (block, meta) in column.metas().iter().enumerate() {
        let rows = block_rows(source.row_count, block);
        let mask = meta.mask.as_ref().map(|mask| source.raw_to_vec(mask, &source.footer));
        let values = meta.data.as_ref().map(|piece| numbers(source, meta, piece, rows, options));
        let (mask, values) = (mask.transpose()?, values.transpose()?);
        put_block(sink, options, &meta.stats, mask, values, directory)?;
    }
    Ok(())
}

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
    if !suits {
        let mut values = vec![T::ZERO; rows];
        T::decode_rows(meta.encoding, &raw, rows, 0, &mut values)?;
        if let Some(chosen) = choose(options, &T::profile(&values)) {
            return Ok(chosen);
        }
    }
    Ok((meta.encoding, options.pack(raw)))
}

fn string(
    column: &StringReader,
    source: &Source,
    sink: &mut PieceSink,
    options: &WriteOptions,
    directory: &mut Vec<u8>,
) -> Result<()> {
    column.dictionary.copy(sink, options, directory)?;
    directory.push(u8::from(column.bitmaps.is_some()));
    if let Some(bitmaps) = &column.bitmaps {
        bitmaps.copy(sink, options, directory)?;
    }
    for block in &column.blocks {
        if let Some(counts) = &block.counts {
            directory.put_varint(block.ids.count as u64);
            id_block(counts, source, sink, options, directory)?;
        }
        id_block(&block.ids, source, sink, options, directory)?;
    }
    Ok(())
}

fn id_block(
    meta: &IdMeta,
    source: &Source,
    sink: &mut PieceSink,
    options: &WriteOptions,
    directory: &mut Vec<u8>,
) -> Result<()> {
    let raw = match &meta.data {
        Some(piece) => source.raw_to_vec(piece, &source.footer)?,
        None => Vec::new(),
    };
    let packed = matches!(meta.encoding, Encoding::IdsPacked | Encoding::IdsFrame);
    if meta.data.is_some() && !(packed && options.codec == BlockCodec::None) {
        let mut values = vec![0; meta.count];
        ids::decode(meta.encoding, &raw, &mut values)?;
        return write_ids(sink, options, &values, directory);
    }
    directory.push(meta.encoding as u8);
    directory.put_varint(u64::from(meta.min));
    directory.put_varint(u64::from(meta.max));
    match meta.data {
        Some(_) => sink.put(&options.pack(raw), directory),
        None => Ok(()),
    }
}
