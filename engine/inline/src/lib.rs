//! Rows at hand as segments, and what joins, unnests and filters make of the rows of any segment.
//!
//! [`InlineSegment`] holds columns in memory behind [`henge_segment::SegmentView`], so that execution runs
//! over the answer of a sub-query, a lookup or rows that came with a query as it does over a stored
//! segment. [`Derivation`] makes such rows of a segment's: it reads what a query needs of it, with
//! filters and intervals where they take nothing that would be missed, and joins or unnests that.

#![cfg_attr(
    not(test),
    warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

// Rooms on floors, the ground floor first (`cargo xtask layers`).
mod values;

mod column;
mod objects;

mod segment;

mod build;

mod answer;
mod arrow;
mod json;

mod derive;

pub use answer::rows_of_answer;
pub use arrow::rows_of_batches;
pub use derive::{Derivation, run_over};
pub use json::{rows_of_inline, rows_of_lookup};
pub use segment::InlineSegment;
