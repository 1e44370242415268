//! Verifying a whole segment: every checksum, every padding byte, and that the parts agree with each
//! other. After it succeeds, nothing read from the same bytes is corrupt.

use henge_types::narrow::place;
use serde::Serialize;

use crate::error::{Result, SegmentError};
use crate::format::piece::Piece;
use crate::format::trailer::Trailer;
use crate::format::{HEADER_BYTES, corrupt};
use crate::reader::MappedSegment;
use crate::view::SegmentView;

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
        for (position, column) in self.columns.iter().enumerate() {
            let name = self.schema().columns.get(position).map_or("", |column| &column.name);
            let within =
                |error: SegmentError| error.at(|damage| damage.column = Some(name.to_owned()));
            column
                .for_each_piece(&mut |_, piece| {
                    if let Piece::Stored(stored) = piece {
                        self.source.stored(piece, &[], false)?;
                        extents.push((stored.offset, u64::from(stored.stored_length)));
                    }
                    Ok(())
                })
                .map_err(within)?;
            column.verify().map_err(within)?;
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
}
