//! Ingestion specs: what a datasource's events look like (`dataSchema`), and batch tasks.
//!
//! Stricter than queries: a field nobody knows is refused, with the known ones listed, because a
//! silently ignored setting stores wrong data for good.

mod dimensions;
mod encoding;
mod flatten;
mod granularity;
mod input;
mod metrics;
mod projection;
mod schema;
mod task;
mod timestamp;
mod transform;
mod tuning;

#[cfg(test)]
mod tests;

pub use dimensions::{DimensionsSpec, IngestDimension, MultiValueHandling};
pub use encoding::TextEncoding;
pub use flatten::{FlattenField, FlattenSpec, FlattenStep};
pub use granularity::GranularitySpec;
pub use input::{
    DelimitedFormat, InputFormat, InputSource, IoConfig, NumberParsing, UploadedFile, WideNumbers,
    is_upload_id,
};
pub use metrics::{combining_metric_to_value, metric_to_value};
pub(crate) use metrics::{hll_type_name, numeric_type_name};
pub use projection::ProjectionSpec;
pub use schema::{Ack, DataSchema};
pub use task::{IndexTask, IndexTaskSpec, IndexTaskType};
pub use timestamp::{TimestampFormat, TimestampSpec};
pub use transform::{Transform, TransformSpec};
pub use tuning::TuningConfig;
