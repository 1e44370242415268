//! The immutable columnar segment: format, encodings, writer, reader and merger, and
//! [`SegmentView`], the one read interface that the write-optimised index shares.
//!
//! The byte layout is described in `docs/segment-format.md`.

#![cfg_attr(
    not(test),
    warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

// Rooms on floors, the ground floor first (`cargo xtask layers`).
pub mod error;
pub mod simd;

mod block;
mod format;
mod text_search;

mod options;
pub mod packed;

pub mod encoding;
pub mod view;

mod bitmap;
mod dictionary;
pub mod metric;
mod number;

mod writer;

mod reader;

mod inspect;
mod merge;
mod rewrite;
mod transcode;
mod verify;

pub use block::{
    BLOCK_ROWS, IdBlock, MultiBlock, MultiScratch, NULL_ID, NullMask, NumericBlock, NumericStats,
    NumericSum, NumericValues,
};
pub use dictionary::table::StringTable;
pub use error::{Damage, Result, SegmentError};
pub use format::ahead::ReadAhead;
pub use format::codec::{ALL_CODECS, BlockCodec};
pub use format::holes::FetchBytes;
pub use format::piece::SegmentBytes;
pub use format::projection::ProjectionFile;
pub use format::{FORMAT_VERSION, MAGIC, MAX_BLOCK_VALUES, MAX_COMPLEX_BYTES, MAX_STRING_BYTES};
pub use inspect::{ColumnReport, InspectReport, ProjectionReport};
pub use merge::{MergeOptions, combine_schemas, merge};
pub use options::{IndexPolicy, WriteGoal, WriteOptions};
pub use packed::{PackedBlock, PackedInts};
pub use reader::MappedSegment;
pub use rewrite::{add_projections, rewrite_identity};
pub use text_search::TextSearch;
pub use transcode::transcode;
pub use verify::VerifyReport;
pub use view::{
    ColumnView, ComplexColumn, Dictionary, DictionaryInstance, NumericColumn, Projection,
    SegmentView, StringColumn,
};
pub use writer::{
    ColumnData, ColumnEncoder, ComplexRows, EncodedColumn, SegmentSummary, SegmentWriter,
};

// The sample segments of the integration tests name this crate as others do.
#[cfg(test)]
extern crate self as henge_segment;

#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(test)]
mod hostile_tests;
