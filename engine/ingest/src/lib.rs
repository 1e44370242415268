//! From bytes to rows: strict JSON parsing, timestamps, transforms, row filters, discovery of
//! dimensions and coercion to column types.
//!
//! [`RowParser`] is pure: the same body, schema, limits (which hold the moment of receipt) and
//! columns discovered so far give the same rows and the same rejections. A log of raw bodies is
//! therefore enough to rebuild an index.

mod chunks;
mod coerce;
mod discovery;
mod error;
mod fields;
mod filter;
mod growth;
mod ignored;
mod json;
mod kinds;
mod layout;
mod limits;
mod parser;
mod raw;
mod rejection;
mod table;
mod times;
mod timestamp;
mod transform;

#[cfg(test)]
mod tests;

pub use chunks::ChunkRouter;
pub use discovery::{DiscoveredColumn, DiscoveredType};
pub use error::IngestError;
pub use growth::BecameText;
pub use json::write::{write_json_number, write_json_text};
pub use kinds::ColumnKinds;
pub use layout::index_schema;
pub use limits::ParseLimits;
pub use parser::{RowParser, event_start};
pub use rejection::{BatchCounts, RejectReason, Rejection, RowError, RowSink};
pub use table::{FieldValue, RowOrigin, TableFields};
pub use times::{ChosenChunks, TimesSeen};
pub use timestamp::{auto_long_ms, units_of_a_ms};
