//! Vectorised execution of native queries over [`henge_segment::SegmentView`]:
//! `run` one segment to a [`Partial`], `merge` partials, `finalise` once.
//!
//! The law that the tests hold: for any rows, any query and any split of the rows into segments,
//! `finalise(merge(run(q, s_i))) == oracle(q, rows)`.

#![cfg_attr(
    not(test),
    warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

// Rooms on floors, the ground floor first (`cargo xtask layers`).
mod bucket_starts;
mod data_ranges;
mod extent;
mod scan_bound;
mod value_order;

mod memory;
pub mod partial_rows;

pub mod partial;

mod encoded;
mod first_cut;
mod group_sink;
mod top_cut;

mod ranking;

pub mod context;

mod derived_keys;
mod grouper;

mod rows;

mod merge;

pub mod projection;

mod run;

mod build_projection;
pub mod finalise;

mod spill;

mod contest;
mod gather;

pub use bucket_starts::BucketStarts;
pub use build_projection::build_projection;
pub use contest::{Entry, OpenGroups, Outcome, settle};
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
pub use ranking::{Aim, Kept, LeftOut, Number, RankCut, Ranking, are_keys_findable};
pub use run::{SharedItem, SharedRun, TellWhole, Worker, run, run_blocks};
pub use spill::{may_cut, merge_partition, partition_groups};
