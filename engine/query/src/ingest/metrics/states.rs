//! The metric whose stored column the states of an aggregator are.

use henge_types::{ColumnType, MetricKind};

use crate::aggregator::AggregatorKind;

impl AggregatorKind {
    /// How the aggregator's states are stored in a projection, and combined there. States of floats
    /// are doubles.
    #[must_use]
    pub fn stored_states(&self) -> MetricKind {
        match self {
            Self::Count => MetricKind::Count,
            Self::Numeric { op, column_type, .. } => {
                let column_type = match column_type {
                    ColumnType::Long => ColumnType::Long,
                    ColumnType::Float
                    | ColumnType::Double
                    | ColumnType::String
                    | ColumnType::Complex(_) => ColumnType::Double,
                };
                MetricKind::Numeric { op: *op, column_type }
            }
            Self::Hll { lg_k, hll_type, .. } => {
                MetricKind::HllMerge { lg_k: *lg_k, hll_type: *hll_type }
            }
            Self::HyperUnique { .. } | Self::Cardinality { .. } => MetricKind::HyperUnique,
            Self::Theta { size, .. } => MetricKind::Theta { size: *size, input_is_sketch: true },
            Self::Quantiles { k, .. } => MetricKind::Quantiles { k: *k },
        }
    }
}
