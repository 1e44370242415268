//! [`StoredColumn`]: what a segment does with a column of whatever type: show it, walk over its pieces,
//! say what it is made of, write it again, verify it. A file a form, beside the form's reader.

mod complex;
mod numeric;
mod string;

use std::fmt::Debug;

use crate::encoding::Encoding;
use crate::error::Result;
use crate::format::piece::Piece;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::view::ColumnView;

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceRole {
    Data,
    Nulls,
    Dictionary,
    Bitmaps,
}

/// What a column is made of, beside its pieces.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Distinct values, null not counted; STRING only.
    pub(crate) cardinality: Option<u32>,
    /// Smallest value; numbers only.
    pub(crate) min: Option<String>,
    /// Largest value; numbers only.
    pub(crate) max: Option<String>,
    /// Null rows; numbers only.
    pub(crate) null_count: Option<u64>,
    /// That of each block.
    pub(crate) encodings: Vec<Encoding>,
}

/// A column of an open segment.
pub(crate) trait StoredColumn: Debug + Send + Sync {
    /// The column as queries read it.
    fn view(&self) -> ColumnView<'_>;

    /// Visits each piece, index pieces before what they refer to.
    fn for_each_piece(&self, visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>) -> Result<()>;

    /// Visits the pieces of its blocks, in the order of the rows. Nothing is read for that.
    fn for_each_block_piece(
        &self,
        visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()>;

    /// What the column is made of, of which no value is read.
    fn contents(&self) -> Contents;

    /// Writes the column again under other options: its pieces and its directory.
    fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()>;

    /// Reads every value, and checks that they are what statistics and indexes say.
    fn verify(&self) -> Result<()>;
}
