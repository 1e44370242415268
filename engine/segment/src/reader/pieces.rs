//! Walking over every piece of a segment: what inspection counts and verification checks.

use crate::error::{Result, SegmentError};
use crate::format::piece::Piece;
use crate::number::Number;
use crate::reader::numeric::NumericReader;
use crate::reader::string::StringReader;
use crate::reader::{Column, MappedSegment};

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceRole {
    Data,
    Nulls,
    Dictionary,
    Bitmaps,
}

impl MappedSegment {
    /// Visits each piece of a column, index pieces before what they refer to.
    pub(crate) fn for_each_piece(
        &self,
        column: usize,
        visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()> {
        match self.columns.get(column) {
            None => Ok(()),
            Some(Column::Long(column)) => numeric(column, visit),
            Some(Column::Float(column)) => numeric(column, visit),
            Some(Column::Double(column)) => numeric(column, visit),
            Some(Column::String(column)) => string(column, visit),
            Some(Column::Complex(column)) => {
                visit(PieceRole::Data, column.index_piece())?;
                column.chunk_pieces()?.try_for_each(|piece| visit(PieceRole::Data, piece))
            }
        }
    }
}

fn numeric<T: Number>(
    column: &NumericReader<T>,
    visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
) -> Result<()> {
    for (number, meta) in column.metas().iter().enumerate() {
        let nulls = meta.mask.iter().map(|piece| (PieceRole::Nulls, piece));
        let data = meta.data.iter().map(|piece| (PieceRole::Data, piece));
        nulls
            .chain(data)
            .try_for_each(|(role, piece)| visit(role, piece))
            .map_err(block(number))?;
    }
    Ok(())
}

fn string(
    column: &StringReader,
    visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
) -> Result<()> {
    visit(PieceRole::Dictionary, column.dictionary.index_piece())?;
    column.dictionary.page_pieces()?.try_for_each(|page| visit(PieceRole::Dictionary, page))?;
    if let Some(bitmaps) = &column.bitmaps {
        visit(PieceRole::Bitmaps, bitmaps.index_piece())?;
        bitmaps.bucket_pieces()?.try_for_each(|bucket| visit(PieceRole::Bitmaps, bucket))?;
    }
    for (number, ids) in column.blocks.iter().enumerate() {
        let parts = ids.counts.iter().chain(std::iter::once(&ids.ids));
        parts
            .filter_map(|ids| ids.data.as_ref())
            .try_for_each(|p| visit(PieceRole::Data, p))
            .map_err(block(number))?;
    }
    Ok(())
}

/// Names the block that an error is in.
fn block(number: usize) -> impl Fn(SegmentError) -> SegmentError {
    move |error| error.at(format_args!("block {number}"))
}
