//! Walking over every piece of a segment: what inspection counts and verification checks.

use crate::error::{PieceAt, Result, SegmentError};
use crate::format::corrupt;
use crate::format::piece::Piece;
use crate::number::Number;
use crate::reader::numeric::NumericReader;
use crate::reader::string::StringReader;
use crate::reader::{Column, MappedSegment};
use crate::view::SegmentView;

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

impl MappedSegment {
    /// Names the projection, the column and the block of a piece that an error is in.
    pub(super) fn locate_piece(&self, piece: PieceAt, error: SegmentError) -> SegmentError {
        if self.source.instance != piece.instance {
            let embedded = self.projections().iter().zip(self.embedded());
            let of = |(_, rows): &(_, &Self)| rows.source.instance == piece.instance;
            let Some((projection, rows)) = { embedded }.find(of) else { return error };
            let name = projection.definition.name.clone();
            return rows.locate_piece(piece, error).at(|damage| damage.projection = Some(name));
        }
        for (position, column) in self.schema().columns.iter().enumerate() {
            let mut is_here = false;
            // The walk ends at an error, and says in which block.
            let walked = self.for_each_piece(position, &mut |_, known| match known {
                Piece::Stored(stored) if stored.offset == piece.offset => {
                    is_here = true;
                    Err(corrupt("here"))
                }
                Piece::Stored(_) | Piece::Inline(_) => Ok(()),
            });
            if is_here {
                let block = walked.err().and_then(|here| here.damage()?.block);
                return error.at(|damage| {
                    damage.column = Some(column.name.clone());
                    damage.block = block;
                });
            }
        }
        error
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
    move |error| error.at(|damage| damage.block = Some(number))
}
