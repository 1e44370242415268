//! Metrics: the aggregations that ingestion stores and that roll-up and merging combine.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::column::ColumnType;
use crate::value_type::ValueType;

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
        column_type: ValueType,
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
        value_type: ValueType,
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
            Self::Numeric { column_type, .. } => (*column_type).into(),
            Self::HllBuild { .. } | Self::HllMerge { .. } => {
                ColumnType::Complex("HLLSketch".into())
            }
            Self::HyperUnique => ColumnType::Complex("hyperUnique".into()),
            Self::Theta { .. } => ColumnType::Complex("thetaSketch".into()),
            Self::Quantiles { .. } => ColumnType::Complex("quantilesDoublesSketch".into()),
            Self::OneValue { which: OneOf::Any, value_type, .. } => (*value_type).into(),
            Self::OneValue { which: OneOf::First | OneOf::Last, value_type, .. } => {
                ColumnType::Complex(match value_type {
                    ValueType::Long => "serializablePairLongLong".into(),
                    ValueType::Float => "serializablePairLongFloat".into(),
                    ValueType::Double => "serializablePairLongDouble".into(),
                    ValueType::String => "serializablePairLongString".into(),
                })
            }
        }
    }
}

/// The type of the values of a COMPLEX column that holds pairs of a time and a value.
#[must_use]
pub fn pair_value_type(type_name: &str) -> Option<ValueType> {
    match type_name {
        "serializablePairLongLong" => Some(ValueType::Long),
        "serializablePairLongFloat" => Some(ValueType::Float),
        "serializablePairLongDouble" => Some(ValueType::Double),
        "serializablePairLongString" => Some(ValueType::String),
        _ => None,
    }
}

/// The aggregators that read a COMPLEX column, in words; `None` for types that nothing stores.
#[must_use]
pub fn aggregators_of(type_name: &str) -> Option<&'static str> {
    match type_name {
        "HLLSketch" => Some("HLLSketchMerge"),
        "hyperUnique" => Some("hyperUnique"),
        "thetaSketch" => Some("thetaSketch"),
        "quantilesDoublesSketch" => Some("quantilesDoublesSketch"),
        "serializablePairLongLong" => Some("longFirst or longLast"),
        "serializablePairLongFloat" => Some("floatFirst or floatLast"),
        "serializablePairLongDouble" => Some("doubleFirst or doubleLast"),
        "serializablePairLongString" => Some("stringFirst or stringLast"),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_complex_type_that_is_stored_has_its_aggregators() {
        let pairs = ValueType::ALL.map(|value_type| MetricKind::OneValue {
            which: OneOf::Last,
            value_type,
            max_string_bytes: 0,
        });
        for pair in &pairs {
            let MetricKind::OneValue { value_type, .. } = pair else { continue };
            let ColumnType::Complex(name) = pair.column_type() else { continue };
            assert_eq!(pair_value_type(&name), Some(*value_type));
        }
        let sketches = [
            MetricKind::HllBuild { lg_k: 12, hll_type: HllType::Hll4 },
            MetricKind::HllMerge { lg_k: 12, hll_type: HllType::Hll4 },
            MetricKind::HyperUnique,
            MetricKind::Theta { size: 16, input_is_sketch: false },
            MetricKind::Quantiles { k: 200 },
        ];
        for kind in pairs.iter().chain(&sketches) {
            let ColumnType::Complex(name) = kind.column_type() else {
                panic!("{kind:?} is stored as an object")
            };
            assert!(aggregators_of(&name).is_some(), "{name}");
        }
    }
}
