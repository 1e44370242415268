//! Metrics: the aggregations that ingestion stores and that roll-up and merging combine.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;

/// Sum, minimum or maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumericOp {
    /// Addition.
    Sum,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
}

/// The in-memory layout a DataSketches HLL targets. Estimates do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum HllType {
    /// Four bits a bucket.
    #[default]
    #[serde(rename = "HLL_4")]
    Hll4,
    /// Six bits a bucket.
    #[serde(rename = "HLL_6")]
    Hll6,
    /// Eight bits a bucket.
    #[serde(rename = "HLL_8")]
    Hll8,
}

/// Which value of many is kept. Equal times are told apart by the value, so that nothing depends on
/// the order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OneOf {
    /// The value of the earliest time, null as it may be; of several, the least that is not null.
    First,
    /// The value of the latest time, null as it may be; of several, the greatest.
    Last,
    /// Any value: the least that is not null.
    Any,
}

impl OneOf {
    /// True when a value is to be kept instead of the one that is; `compare` compares it with that
    /// one. Times are in milliseconds.
    pub fn prefers<V>(
        self,
        (time_ms, value): (i64, Option<&V>),
        (kept_ms, kept): (i64, Option<&V>),
        compare: impl FnOnce(&V, &V) -> Ordering,
    ) -> bool {
        let by_time = match self {
            Self::First => kept_ms.cmp(&time_ms),
            Self::Last => time_ms.cmp(&kept_ms),
            Self::Any => Ordering::Equal,
        };
        let by_value = || match (value, kept) {
            (None, _) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(value), Some(kept)) => match self {
                Self::First | Self::Any => compare(kept, value),
                Self::Last => compare(value, kept),
            },
        };
        by_time.then_with(by_value) == Ordering::Greater
    }
}

/// How a stored metric is computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MetricKind {
    /// Number of ingested events; LONG.
    Count,
    /// `{long,float,double}{Sum,Min,Max}`; `column_type` is LONG, FLOAT or DOUBLE.
    Numeric {
        /// The operation.
        op: NumericOp,
        /// LONG, FLOAT or DOUBLE.
        column_type: ColumnType,
    },
    /// `HLLSketchBuild`: a sketch of the raw values.
    HllBuild {
        /// log2 of the number of buckets, 4 to 21.
        lg_k: u8,
        /// Layout.
        hll_type: HllType,
    },
    /// `HLLSketchMerge`: the input already holds sketches (base64 text).
    HllMerge {
        /// log2 of the number of buckets, 4 to 21.
        lg_k: u8,
        /// Layout.
        hll_type: HllType,
    },
    /// `hyperUnique`, kept as a DataSketches HLL.
    HyperUnique,
    /// `thetaSketch`.
    Theta {
        /// Nominal entries, a power of two.
        size: u32,
        /// True when the input already holds sketches.
        input_is_sketch: bool,
    },
    /// `quantilesDoublesSketch` and `KllDoublesSketch`, kept as a KLL sketch of doubles.
    Quantiles {
        /// Accuracy parameter.
        k: u16,
    },
    /// `{long,float,double,string}{First,Last}` with the time of the event, and
    /// `{long,float,double}Any`.
    OneValue {
        /// Which one.
        which: OneOf,
        /// LONG, FLOAT, DOUBLE or STRING.
        value_type: ColumnType,
        /// Bytes of text that are kept.
        max_string_bytes: u32,
    },
}

impl MetricKind {
    /// The type of the stored column.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        match self {
            Self::Count => ColumnType::Long,
            Self::Numeric { column_type, .. } => column_type.clone(),
            Self::HllBuild { .. } | Self::HllMerge { .. } => {
                ColumnType::Complex("HLLSketch".into())
            }
            Self::HyperUnique => ColumnType::Complex("hyperUnique".into()),
            Self::Theta { .. } => ColumnType::Complex("thetaSketch".into()),
            Self::Quantiles { .. } => ColumnType::Complex("quantilesDoublesSketch".into()),
            Self::OneValue { which: OneOf::Any, value_type, .. } => value_type.clone(),
            Self::OneValue { which: OneOf::First | OneOf::Last, value_type, .. } => {
                ColumnType::Complex(match value_type {
                    ColumnType::Long => "serializablePairLongLong".into(),
                    ColumnType::Float => "serializablePairLongFloat".into(),
                    ColumnType::Double => "serializablePairLongDouble".into(),
                    ColumnType::String | ColumnType::Complex(_) => {
                        "serializablePairLongString".into()
                    }
                })
            }
        }
    }
}

/// A stored metric: its column name, its input field and its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetricSpec {
    /// Name of the stored column.
    pub name: String,
    /// Name of the input field; `None` for `count`.
    pub field: Option<String>,
    /// What is computed.
    pub kind: MetricKind,
}
