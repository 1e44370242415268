//! Vectorised execution of native queries over [`henge_segment::SegmentView`]:
//! `run` one segment to a [`Partial`], `merge` partials, `finalise` once.
//!
//! The law that the tests hold: for any rows, any query and any split of the rows into segments,
//! `finalise(merge(run(q, s_i))) == oracle(q, rows)`.

#![cfg_attr(
    not(test),
    warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

pub mod context;
pub mod finalise;
pub mod partial;
pub mod partial_rows;
pub mod projection;

mod bucket_starts;
mod build_projection;
mod data_ranges;
mod derived_keys;
mod encoded;
mod extent;
mod first_cut;
mod gather;
mod group_sink;
mod grouper;
mod memory;
mod merge;
mod rows;
mod run;
mod scan_bound;
mod spill;
mod top_cut;
mod value_order;

pub use bucket_starts::BucketStarts;
pub use build_projection::build_projection;
pub use context::{ExecContext, Grouping, Tuning};
pub use derived_keys::DerivedKeys;
pub use extent::Extent;
pub use finalise::{Answer, FieldType, finalise};
pub use gather::Gathering;
pub use group_sink::{GroupSink, Spill};
pub use henge_scan::{CancelFlag, ExecError, NodeDictionaries, Result};
pub use memory::{MemoryLease, MemoryPool, QueryMemory};
pub use merge::{Merger, merge, regroup};
pub use partial::{GroupedPartial, Partial};
pub use run::{SharedItem, SharedRun, TellWhole, Worker, run, run_blocks};
pub use spill::{may_cut, merge_partition, partition_groups};
