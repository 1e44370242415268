//! Vectorised execution of native queries over [`henge_segment::SegmentView`]:
//! `run` one segment to a [`Partial`], `merge` partials, `finalise` once.
//!
//! The law that the tests hold: for any rows, any query and any split of the rows into segments,
//! `finalise(merge(run(q, s_i))) == oracle(q, rows)`.

pub mod context;
pub mod error;
pub mod finalise;
pub mod node;
pub mod partial;
pub mod partial_rows;
pub mod projection;

mod aggregate;
mod batch;
mod bucket_starts;
mod build_projection;
mod column;
mod data_ranges;
mod encoded;
mod extent;
mod filter;
mod group;
mod group_sink;
mod id_table;
mod key_space;
mod memory;
mod merge;
mod rows;
mod run;
mod selected_rows;
mod selection;
mod spill;
mod top_cut;

pub use bucket_starts::BucketStarts;
pub use build_projection::build_projection;
pub use context::{CancelFlag, ExecContext, Grouping, Tuning};
pub use error::{ExecError, Result};
pub use extent::Extent;
pub use finalise::{FinalResult, Grow, finalise};
pub use group_sink::{GroupSink, Spill};
pub use memory::{MemoryLease, MemoryPool, QueryMemory};
pub use merge::{Merger, merge, regroup};
pub use node::NodeDictionaries;
pub use partial::{GroupedPartial, Partial};
pub use run::{SharedItem, SharedRun, TellWhole, Worker, run, run_blocks};
pub use spill::{may_cut, merge_partition, partition_groups};
