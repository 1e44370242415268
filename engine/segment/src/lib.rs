//! The immutable columnar segment: format, encodings, writer, reader and merger, and
//! [`SegmentView`], the one read interface that the write-optimised index shares.
//!
//! The byte layout is described in `docs/segment-format.md`.

mod bitmap;
mod dictionary;
pub mod encoding;
pub mod error;
mod format;
mod inspect;
mod merge;
mod number;
pub mod packed;
mod projection;
mod reader;
mod rewrite;
pub mod simd;
mod transcode;
mod verify;
pub mod view;
mod writer;

pub use dictionary::table::StringTable;
pub use error::{Result, SegmentError};
pub use format::codec::{ALL_CODECS, BlockCodec};
pub use format::piece::SegmentBytes;
pub use format::{FORMAT_VERSION, MAGIC, MAX_BLOCK_VALUES, MAX_COMPLEX_BYTES, MAX_STRING_BYTES};
pub use inspect::{ColumnReport, InspectReport, ProjectionReport};
pub use merge::{MergeOptions, combine_schemas, merge};
pub use packed::{PackedBlock, PackedInts};
pub use projection::{Projection, ProjectionFile};
pub use reader::MappedSegment;
pub use rewrite::{add_projections, rewrite_identity};
pub use transcode::transcode;
pub use verify::VerifyReport;
pub use view::{
    BLOCK_ROWS, ColumnView, ComplexColumn, Dictionary, DictionaryInstance, IdBlock, MultiBlock,
    MultiScratch, NULL_ID, NullMask, NumericBlock, NumericColumn, NumericStats, NumericSum,
    NumericValues, SegmentView, StringColumn, TextRun,
};
pub use writer::{
    ColumnData, ColumnEncoder, ComplexRows, EncodedColumn, IndexPolicy, SegmentSummary,
    SegmentWriter, WriteGoal, WriteOptions,
};

// The sample segments of the integration tests name this crate as others do.
#[cfg(test)]
extern crate self as henge_segment;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod hostile_tests;
