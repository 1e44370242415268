//! Continuous ingestion: events of a source become queryable rows, generations of rows become
//! segments, and segments are published with the positions of the source behind them.
//!
//! One [`writer`] a source adds what it gives; its [`handoff`] publishes. Neither knows what a position
//! means, nor whether anybody waits for an answer.

mod ahead;
pub(crate) mod generation;
pub(crate) mod halt;
pub(crate) mod handoff;
pub(crate) mod intake;
pub(crate) mod known;
mod persist;
pub(crate) mod published;
pub(crate) mod reader;
pub(crate) mod reading;
pub(crate) mod refusals;
pub(crate) mod row_buffer;
pub(crate) mod schema;
pub(crate) mod source;
pub(crate) mod writer;
