//! The vocabulary every other package speaks: time, intervals, granularities, column types, values,
//! segment identity, the versioned timeline and the classes of error.
//!
//! Pure and synchronous: no clock, no files, no sockets. See `docs/architecture.md`.

pub mod change;
pub mod coerce;
pub mod column;
pub mod error;
pub mod granularity;
pub mod ignored;
pub mod interval;
pub mod json;
pub mod json_read;
pub mod metric;
pub mod narrow;
pub mod number;
pub mod period;
pub mod projection;
pub mod segment_id;
pub mod shard_spec;
pub mod tier;
pub mod time;
pub mod timeline;
pub mod value;
pub mod value_type;
pub mod zone;

pub use change::{ChangeReport, ColumnChange};
pub use column::{ColumnRole, ColumnSchema, ColumnType, SegmentSchema, TIME_COLUMN};
pub use error::{ErrorClass, TypeError};
pub use granularity::Granularity;
pub use ignored::{IgnoredField, IgnoredFields};
pub use interval::{Interval, condense};
pub use metric::{
    HllType, MetricKind, MetricSpec, NumericOp, OneOf, aggregators_of, pair_value_type,
};
pub use period::Period;
pub use projection::{
    ProjectionAggregator, ProjectionColumn, ProjectionDefinition, ProjectionVirtualColumn,
};
pub use segment_id::{
    SegmentId, Version, decode_path_component, encode_path_component, validate_datasource_name,
};
pub use shard_spec::ShardSpec;
pub use tier::validate_tier_name;
pub use time::{
    MAX_TIME_MS, MIN_TIME_MS, days_from_civil, days_in_month, format_timestamp,
    format_timestamp_in_zone, parse_timestamp_ms, write_timestamp,
};
pub use timeline::{Chunk, Timeline, TimelineHolder};
pub use value::{Value, ValueRef};
pub use value_type::ValueType;
pub use zone::{format_time_zone, parse_time_zone};
