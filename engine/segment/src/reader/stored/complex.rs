//! COMPLEX columns as segments keep them.

use henge_sketch::{HllSketch, KllSketch, Sketch, SketchError, ThetaSketch};

use super::{Contents, PieceRole, StoredColumn};
use crate::error::Result;
use crate::format::bytes::ByteWriter;
use crate::format::corrupt;
use crate::format::piece::Piece;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::reader::complex::ComplexReader;
use crate::view::{ColumnView, ComplexColumn};

impl StoredColumn for ComplexReader {
    fn view(&self) -> ColumnView<'_> {
        ColumnView::Complex(self)
    }

    fn for_each_piece(&self, visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>) -> Result<()> {
        visit(PieceRole::Data, &self.index)?;
        let chunks = self.chunks()?;
        chunks.entries.iter().try_for_each(|chunk| visit(PieceRole::Data, &chunk.piece))
    }

    /// Where its chunks lie, its index alone says.
    fn for_each_block_piece(
        &self,
        _visit: &mut dyn FnMut(PieceRole, &Piece) -> Result<()>,
    ) -> Result<()> {
        Ok(())
    }

    fn contents(&self) -> Contents {
        Contents::default()
    }

    fn copy(
        &self,
        sink: &mut PieceSink,
        options: &WriteOptions,
        directory: &mut Vec<u8>,
    ) -> Result<()> {
        let chunks = self.chunks()?;
        let mut index = Vec::new();
        for chunk in &chunks.entries {
            index.put_varint(chunk.rows as u64);
            let packed = options.pack_again(&self.source, &chunk.piece, &chunks.container)?;
            sink.put(&packed, &mut index)?;
        }
        directory.put_varint(chunks.entries.len() as u64);
        sink.put(&options.pack(index), directory)
    }

    fn verify(&self) -> Result<()> {
        for row in 0..self.source.row_count {
            if let Some(image) = self.get(row)? {
                verify_sketch(self.type_name(), &image)
                    .map_err(|error| corrupt(format!("row {row}: {error}")))?;
            }
        }
        Ok(())
    }
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
