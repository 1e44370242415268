//! Walking over every piece of a segment: what inspection counts and verification checks.

use crate::error::{PieceAt, Result, SegmentError};
use crate::format::corrupt;
use crate::format::piece::Piece;
use crate::reader::MappedSegment;
use crate::reader::stored::PieceRole;
use crate::view::SegmentView;

impl MappedSegment {
    /// Visits each piece of a column, index pieces before what they refer to.
    pub(crate) fn for_each_piece(
        &self,
        column: usize,
        visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()> {
        self.columns.get(column).map_or(Ok(()), |column| column.for_each_piece(visit))
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

/// Names the block that an error is in.
pub(super) fn in_block(number: usize) -> impl Fn(SegmentError) -> SegmentError {
    move |error| error.at(|damage| damage.block = Some(number))
}
