//! Aggregate functions over the rows that [`henge_scan`] finds: states by group, updated a batch of
//! rows at a time.

mod accumulator;
mod aggregator;
mod build;
mod cardinality;
mod carry;
mod count;
mod distinct;
mod group_marks;
mod kernels;
mod marks;
mod number_sketches;
mod numeric;
mod scatter;
mod set;
mod sketch_kind;
mod sketches;
mod stored_sketches;
mod table;

pub use accumulator::{BlockInput, Run};
pub use set::Aggregators;
