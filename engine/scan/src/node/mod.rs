//! Node-wide dictionaries: one numbering of a column's values over all segments of a node, so that
//! merging the groups of segments is integer work and text appears only in the rows of the answer.
//!
//! A dictionary grows by one chunk of values for each segment that brings new ones, and keeps for
//! each segment a map from the segment's ids to its own. Both are built when a query first wants
//! them, and given up when all dictionaries together outgrow their budget.

mod dictionary;
mod hashes;
mod registry;
mod snapshot;
mod table;
mod values;

pub use registry::{NodeDictionaries, NodeScope};
pub(crate) use snapshot::NodeSnapshot;
