//! Aggregate functions over the rows that [`henge_scan`] finds: states by group, updated a batch of
//! rows at a time, merged with those of other segments, and finished.

// Rooms on floors, the ground floor first (`cargo xtask layers`).
mod group_marks;
mod number;
mod pairs;
mod table;

mod kernels;

mod accumulator;
mod carry;
mod fold;
mod merged;
mod scatter;

mod function;
mod numeric;

mod sketch;

mod functions;

mod aggregator;

mod set;

pub use accumulator::{BlockInput, Run};
pub use function::{AggregateFunction, SketchFunction, function};
pub use merged::MergedStates;
pub use set::Aggregators;
