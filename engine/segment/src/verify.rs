//! Verifying a whole segment: every checksum, every padding byte, and that the parts agree with each
//! other. After it succeeds, nothing read from the same bytes is corrupt.

use henge_sketch::{HllSketch, KllSketch, Sketch, SketchError, ThetaSketch};
use serde::Serialize;

use crate::bitmap::writer::Postings;
use crate::block::{MultiScratch, NumericValues};
use crate::dictionary::reader::DictionaryReader;
use crate::error::{Result, SegmentError};
use crate::format::piece::Piece;
use crate::format::trailer::Trailer;
use crate::format::{HEADER_BYTES, corrupt};
use crate::number::{Number, check_stats};
use crate::reader::complex::ComplexReader;
use crate::reader::numeric::NumericReader;
use crate::reader::string::StringReader;
use crate::reader::{Column, MappedSegment};
use crate::view::{ComplexColumn, Dictionary, NumericColumn};
use crate::view::{SegmentView, StringColumn};
use henge_types::narrow::place;

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Identity.
    pub id: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Rows.
    pub row_count: usize,
    /// Columns.
    pub column_count: usize,
    /// Projections.
    pub projection_count: usize,
    /// Their bytes.
    pub projection_bytes: u64,
    /// Pieces whose checksums were computed.
    pub piece_count: usize,
    /// Their stored bytes.
    pub piece_bytes: u64,
    /// Zero bytes between them.
    pub padding_bytes: u64,
}

impl MappedSegment {
    /// Verifies everything. Reads the whole file.
    ///
    /// # Errors
    /// `Corrupt` for the first thing found wrong.
    pub fn verify(&self) -> Result<VerifyReport> {
        let mut extents = Vec::new();
        for position in 0..self.columns.len() {
            let name = self.schema().columns.get(position).map_or("", |column| &column.name);
            let within =
                |error: SegmentError| error.at(|damage| damage.column = Some(name.to_owned()));
            self.for_each_piece(position, &mut |_, piece| {
                if let Piece::Stored(stored) = piece {
                    self.source.stored(piece, &[], false)?;
                    extents.push((stored.offset, u64::from(stored.stored_length)));
                }
                Ok(())
            })
            .map_err(within)?;
            self.verify_column(position).map_err(within)?;
        }
        let (piece_count, piece_bytes) =
            (extents.len(), extents.iter().map(|(_, length)| length).sum());
        let projection_bytes = self.verify_projections(&mut extents)?;
        extents.sort_unstable();
        Ok(VerifyReport {
            id: self.id().to_string(),
            size_bytes: self.size_bytes(),
            row_count: self.row_count(),
            column_count: self.columns.len(),
            projection_count: self.projections().len(),
            projection_bytes,
            piece_count,
            piece_bytes,
            padding_bytes: self.verify_padding(&extents)?,
        })
    }

    /// Verifies the projections as the segments they are, and adds where they lie.
    fn verify_projections(&self, extents: &mut Vec<(u64, u64)>) -> Result<u64> {
        let mut bytes = 0;
        let file = self.source.file().as_ptr() as usize;
        for (projection, segment) in self.projections().iter().zip(self.embedded()) {
            let name = &projection.definition.name;
            let report = segment
                .verify()
                .map_err(|error| error.at(|damage| damage.projection = Some(name.clone())))?;
            let offset = segment.source.file().as_ptr() as usize - file;
            extents.push((offset as u64, report.size_bytes));
            bytes += report.size_bytes;
        }
        Ok(bytes)
    }

    /// Pieces must not overlap, and between them are zeros: no byte of the file is unaccounted for.
    fn verify_padding(&self, extents: &[(u64, u64)]) -> Result<u64> {
        let file = self.source.file();
        let footer_offset = Trailer::read(file)?.footer_offset;
        let mut padding = 0;
        let mut end = HEADER_BYTES as u64;
        for (offset, length) in extents.iter().copied().chain([(footer_offset, 0)]) {
            let gap = file
                .get(place(end)..place(offset))
                .ok_or_else(|| corrupt(format!("the piece at {offset} overlaps another")))?;
            if gap.iter().any(|byte| *byte != 0) {
                return Err(corrupt(format!("bytes before {offset} belong to nothing")));
            }
            padding += gap.len() as u64;
            end = offset + length;
        }
        Ok(padding)
    }

    fn verify_column(&self, position: usize) -> Result<()> {
        match self.columns.get(position) {
            None => Ok(()),
            Some(Column::Long(column)) => self.verify_numeric(column),
            Some(Column::Float(column)) => self.verify_numeric(column),
            Some(Column::Double(column)) => self.verify_numeric(column),
            Some(Column::String(column)) => self.verify_string(column),
            Some(Column::Complex(column)) => self.verify_complex(column),
        }
    }

    fn verify_numeric<T: Number>(&self, column: &NumericReader<T>) -> Result<()> {
        let mut scratch = Vec::new();
        for block in 0..self.block_count() {
            let decoded = column.block(block, &mut scratch)?;
            let nulls = decoded.nulls.map(|mask| mask.words);
            let kept = column.metas().get(block).map(|meta| meta.stats);
            let kept = kept.ok_or_else(|| corrupt("no such block"))?;
            match decoded.values {
                NumericValues::Slice(values) => check_stats(values, nulls, &kept, true)?,
                NumericValues::Constant(value) => {
                    check_stats(&vec![value; self.block_rows(block)], nulls, &kept, true)?;
                }
            }
        }
        Ok(())
    }

    fn verify_string(&self, column: &StringReader) -> Result<()> {
        verify_dictionary(&column.dictionary)?;
        let id_count = column.dictionary.len() as usize;
        let postings = if column.is_multi_value() {
            let (offsets, ids) = self.all_lists(column)?;
            Postings::of_lists(&offsets, &ids, id_count)
        } else {
            Postings::of_ids(&self.all_ids(column)?, id_count)
        };
        if !column.has_nulls() && !postings.rows_of(0).is_empty() {
            return Err(corrupt("a column without nulls holds null"));
        }
        let Some(bitmaps) = &column.bitmaps else { return Ok(()) };
        bitmaps.for_each(&mut |id, bitmap| {
            let rows = postings.rows_of(id as usize);
            match bitmap.len() == rows.len() as u64 && bitmap.iter().eq(rows.iter().copied()) {
                true => Ok(()),
                false => Err(corrupt(format!("the bitmap of id {id} does not match the rows"))),
            }
        })
    }

    fn all_ids(&self, column: &StringReader) -> Result<Vec<u32>> {
        let mut all = Vec::new();
        let mut scratch = Vec::new();
        for block in 0..self.block_count() {
            let ids = column.id_block(block, &mut scratch)?;
            all.extend((0..self.block_rows(block)).map(|row| ids.get(row)));
        }
        Ok(all)
    }

    fn all_lists(&self, column: &StringReader) -> Result<(Vec<u32>, Vec<u32>)> {
        let mut offsets = vec![0_u32];
        let mut all = Vec::new();
        let mut scratch = MultiScratch::default();
        for block in 0..self.block_count() {
            let lists = column.multi_block(block, &mut scratch)?;
            for row in 0..self.block_rows(block) {
                all.extend_from_slice(lists.row(row));
                let end = u32::try_from(all.len());
                offsets.push(end.map_err(|_| corrupt("2^32 values in a column"))?);
            }
        }
        Ok((offsets, all))
    }

    fn verify_complex(&self, column: &ComplexReader) -> Result<()> {
        for row in 0..self.row_count() {
            if let Some(image) = column.get(row)? {
                verify_sketch(column.type_name(), &image)
                    .map_err(|error| corrupt(format!("row {row}: {error}")))?;
            }
        }
        Ok(())
    }
}

fn verify_dictionary(dictionary: &DictionaryReader) -> Result<()> {
    let mut before: Option<String> = None;
    let mut sorted = true;
    dictionary.for_each(1..dictionary.len().max(1), &mut |_, value| {
        let value = value.unwrap_or_default();
        sorted &= before.as_deref().is_none_or(|before| before < value);
        let kept = before.get_or_insert_default();
        kept.clear();
        kept.push_str(value);
    })?;
    if !sorted {
        return Err(corrupt("dictionary values do not ascend"));
    }
    // Lookups choose the page by separators, which a sequential read does not see.
    for id in dictionary.page_bounds()?.flat_map(|(first, last)| [first, last]) {
        let value = dictionary.get(id)?;
        if value.map(|value| dictionary.lookup(&value)).transpose()?.flatten() != Some(id) {
            return Err(corrupt(format!("the dictionary does not find value {id}")));
        }
    }
    Ok(())
}

/// Sketches of types this build does not know are left to whoever does.
fn verify_sketch(type_name: &str, image: &[u8]) -> Result<(), SketchError> {
    match type_name {
        "HLLSketch" | "hyperUnique" => HllSketch::from_bytes(image).map(|_| ()),
        "thetaSketch" => ThetaSketch::from_bytes(image).map(|_| ()),
        "quantilesDoublesSketch" => KllSketch::from_bytes(image).map(|_| ()),
        _ => Ok(()),
    }
}
