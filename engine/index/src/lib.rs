//! The write-optimised index: rows in, queryable at once, in bounded memory.
//!
//! One writer calls [`WriteIndex::add`]; any number of readers hold [`IndexSnapshot`]s, which show
//! the rows up to the moment they were taken, whatever the writer does afterwards. A snapshot is a
//! [`henge_segment::SegmentView`], so it is queried and persisted like a segment.

mod arena;
mod batch;
mod chunked;
mod dictionary;
mod dimension;
mod error;
mod head;
mod index;
mod metric;
mod nulls;
mod number_metric;
mod numeric;
mod object_metric;
mod rollup;
mod schema;
mod snapshot;
mod string_dimension;

pub use batch::{BatchView, RowBatch};
pub use error::{IndexError, Result};
pub use index::{AddOutcome, WriteIndex};
pub use schema::{DimensionSchema, IndexLimits, IndexSchema, MultiValueHandling};
pub use snapshot::IndexSnapshot;
