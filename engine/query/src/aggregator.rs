//! Aggregators of queries.

use henge_expr::Expr;
use henge_types::{ColumnType, HllType, NumericOp};

use crate::dimension::DimensionSpec;
use crate::filter::Filter;

/// What a numeric aggregator reads.
#[derive(Debug, Clone)]
pub enum AggregatorInput {
    /// A stored or virtual column.
    Field(String),
    /// An expression over columns.
    Expression(Expr),
}

/// What is computed.
#[derive(Debug, Clone)]
pub enum AggregatorKind {
    /// Number of stored rows; LONG.
    Count,
    /// `{long,float,double}{Sum,Min,Max}`. Over no non-null input the result is null.
    Numeric {
        /// Operation.
        op: NumericOp,
        /// LONG, FLOAT or DOUBLE: the type of the state and the result.
        column_type: ColumnType,
        /// Input; a string input is parsed as a number, null when it does not parse.
        input: AggregatorInput,
    },
    /// `HLLSketchBuild` over raw values, or `HLLSketchMerge` over a stored sketch column. Either
    /// accepts either input: the column's type decides.
    Hll {
        /// Column.
        field: String,
        /// log2 of the number of buckets.
        lg_k: u8,
        /// Layout.
        hll_type: HllType,
        /// Round the finalised estimate to a whole number.
        round: bool,
        /// False keeps the sketch (base64) in the result.
        should_finalize: bool,
        /// The Druid type name to echo (`HLLSketchBuild` or `HLLSketchMerge`).
        merge: bool,
    },
    /// `hyperUnique`.
    HyperUnique {
        /// Column.
        field: String,
        /// Round the finalised estimate to a whole number.
        round: bool,
    },
    /// `cardinality`: distinct values (or rows of values when `by_row`) of several dimensions.
    Cardinality {
        /// Dimensions.
        fields: Vec<DimensionSpec>,
        /// Count combinations instead of values.
        by_row: bool,
        /// Round the finalised estimate to a whole number.
        round: bool,
    },
    /// `thetaSketch`.
    Theta {
        /// Column.
        field: String,
        /// Nominal entries.
        size: u32,
        /// False keeps the sketch (base64) in the result.
        should_finalize: bool,
    },
    /// `quantilesDoublesSketch`; finalises to the number of values seen.
    Quantiles {
        /// Column.
        field: String,
        /// Accuracy parameter.
        k: u16,
    },
}

/// A named aggregator, with the filters of any `filtered` wrappers around it.
#[derive(Debug, Clone)]
pub struct AggregatorSpec {
    /// Name in the result.
    pub name: String,
    /// What is computed.
    pub kind: AggregatorKind,
    /// Rows must also pass this filter (`filtered`, nested ones joined by and).
    pub filter: Option<Filter>,
}
