//! Writing a segment again under another codec, as a hot tier does with the compact form. Statistics,
//! dictionaries and bitmap indexes are copied; blocks of values are encoded again only where they do
//! not suit the goal as they are. Columns keep their order in the file, and the writer decides by
//! content alone, so the compact form of a hot form is, byte for byte, the one it was made from.

use std::io::Write;

use henge_types::TIME_COLUMN;

use crate::error::{Result, SegmentError};
use crate::format::projection::ProjectionFile;
use crate::format::sink::PieceSink;
use crate::options::WriteOptions;
use crate::reader::MappedSegment;
use crate::view::SegmentView;
use crate::writer::{EncodedColumn, SegmentSummary, SegmentWriter};

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
        column.copy(&mut sink, options, &mut directory)?;
        let is_time = schema.name == TIME_COLUMN;
        let time = is_time.then(|| (self.is_time_sorted(), self.time_range()));
        let (pieces, has_nulls) = (sink.bytes, schema.has_nulls);
        Ok(EncodedColumn { position, pieces, directory, has_nulls, time })
    }
}
