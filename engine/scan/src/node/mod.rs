//! Node-wide dictionaries: one numbering of a column's values over all segments of a node, so that
//! merging the groups of segments is integer work and text appears only in the rows of the answer.
//!
//! A dictionary grows by one chunk of values for each segment that brings new ones, and keeps for
//! each segment a map from the segment's ids to its own. Both are built when a query first wants
//! them, and given up when all dictionaries together outgrow their budget. What filters found in the
//! segments' own dictionaries is kept beside them.

mod dictionary;
mod found;
mod hashes;
mod registry;
mod snapshot;
mod table;
mod values;

pub(crate) use found::Search;
pub use registry::{NodeDictionaries, NodeScope};
pub(crate) use snapshot::NodeSnapshot;
