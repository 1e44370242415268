//! Vectorised execution of native queries over [`henge_segment::SegmentView`]:
//! `run` one segment to a [`Partial`], `merge` partials, `finalise` once.
//!
//! The law that the tests hold: for any rows, any query and any split of the rows into segments,
//! `finalise(merge(run(q, s_i))) == oracle(q, rows)`.

pub mod context;
pub mod error;
pub mod finalise;
pub mod oracle;
pub mod ordering;
pub mod partial;
pub mod partial_rows;

mod aggregate;
mod column;
mod filter;
mod group;
mod merge;
mod rows;
mod run;

pub use context::{CancelFlag, ExecContext, Grouping, Tuning};
pub use error::{ExecError, Result};
pub use finalise::{FinalResult, finalise};
pub use merge::{merge, regroup};
pub use partial::{GroupedPartial, KeyColumn, Partial, StateColumn, StringKeys};
pub use run::{run, run_blocks, run_only_segment, run_tuned};
