//! The native query model and its JSON (Druid's native queries), and the ingestion specs.
//!
//! This package owns a public contract: what it accepts and refuses is what clients see. Parsing is
//! strict where Druid is (unknown types, wrong value types) and lenient where clients rely on it
//! (booleans as strings, numbers as strings in the context).

pub mod aggregate;
mod bounds;
mod build;
mod columns_read;
pub mod comparison;
pub mod context;
pub mod datasource;
pub mod dimension;
mod encode;
pub mod error;
mod exact_json;
pub mod filter;
mod grouped;
pub mod having;
pub mod ingest;
pub mod limit;
pub mod limits;
mod lookups;
mod node;
mod parse;
pub mod post_aggregator;
pub mod query;
pub mod reference;
mod references;
mod suggest;
mod unread;
mod validate;
pub mod virtual_column;

pub use aggregate::{AggregatorInput, AggregatorKind, AggregatorSpec};
pub use columns_read::ColumnUse;
pub use context::QueryContext;
pub use datasource::{
    DataSource, Filtered, InlineColumn, InlineRows, InlineType, Join, JoinType, Rows, Unnest,
};
pub use dimension::DimensionSpec;
pub use error::{QueryError, Result};
pub use exact_json::parse_json;
pub use filter::{Filter, Literal, Ordering, RangeBound};
pub use grouped::GroupedQuery;
pub use having::Having;
pub use limit::{Direction, LimitSpec, OrderByColumn};
pub use lookups::{LookupSet, lookup_of};
pub use parse::Remarks;
pub use post_aggregator::{ArithmeticFn, PostAggregator, QuantilesQuestion};
pub use query::{
    Analysis, Bound, ColumnInclusion, DataSourceMetadataQuery, GroupByQuery, Query, QueryBase,
    ResultFormat, ScanKey, ScanQuery, SearchMatch, SearchQuery, SearchSort, SegmentMetadataQuery,
    TimeBoundaryQuery, TimeseriesQuery, TopNMetric, TopNQuery,
};
pub use suggest::closest as closest_name;
pub use virtual_column::VirtualColumn;
