//! Aggregate functions over the rows that [`henge_scan`] finds: states by group, updated a batch of
//! rows at a time, merged with those of other segments, and finished.

mod accumulator;
mod aggregator;
mod carry;
mod distinct_keys;
mod fold;
mod function;
mod functions;
mod group_marks;
mod kernels;
mod merged;
mod number;
mod numeric;
mod scatter;
mod set;
mod sketch;
mod table;

pub use accumulator::{BlockInput, Run};
pub use function::{AggregateFunction, SketchFunction, function};
pub use merged::MergedStates;
pub use set::Aggregators;
