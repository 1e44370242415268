//! Metrics: the aggregations that ingestion stores and that roll-up and merging combine.

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
