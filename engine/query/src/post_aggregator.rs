//! Post-aggregators: computed once per result row, after merging.

use henge_expr::Expr;
use henge_types::Value;

/// The function of an `arithmetic` post-aggregator. All work on doubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArithmeticFn {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Multiply,
    /// `/`: division by zero is 0.
    Divide,
    /// `quotient`: IEEE division.
    Quotient,
    /// `pow`
    Pow,
}

/// What is asked of a quantiles sketch.
#[derive(Debug, Clone, PartialEq)]
pub enum QuantilesQuestion {
    /// The value below which this fraction of the values lies.
    Quantile(f64),
    /// The values of several fractions, a list.
    Quantiles(Vec<f64>),
    /// The fraction of the values that lies below a value.
    Rank(f64),
    /// The fractions of the values that lie below each of these ascending values, and 1.
    Cdf(Vec<f64>),
    /// How many values lie between ascending values.
    Counts(Vec<f64>),
    /// How many values lie in each of so many parts, equally wide, of the span of all.
    Histogram(u32),
}

/// A post-aggregator.
#[derive(Debug, Clone)]
pub enum PostAggregator {
    /// `arithmetic`: null when any field is null.
    Arithmetic {
        /// Output name.
        name: String,
        /// Function, applied from left to right.
        function: ArithmeticFn,
        /// Operands.
        fields: Vec<PostAggregator>,
    },
    /// `fieldAccess`: the aggregator's raw value (a sketch stays a sketch).
    FieldAccess {
        /// Output name.
        name: String,
        /// Aggregator, post-aggregator or dimension output name.
        field: String,
    },
    /// `finalizingFieldAccess`: the aggregator's final value.
    FinalizingFieldAccess {
        /// Output name.
        name: String,
        /// Aggregator name.
        field: String,
    },
    /// `constant`.
    Constant {
        /// Output name.
        name: String,
        /// A number, a string or null.
        value: Value,
    },
    /// `hyperUniqueCardinality` and `HLLSketchEstimate`: the estimate of a sketch.
    SketchEstimate {
        /// Output name.
        name: String,
        /// The sketch.
        field: Box<PostAggregator>,
        /// Round to a whole number.
        round: bool,
    },
    /// What a quantiles sketch tells, null or a list of NaN where it holds no value.
    OfQuantiles {
        /// Output name.
        name: String,
        /// The sketch: `fieldAccess` of an aggregator.
        field: Box<PostAggregator>,
        /// What is asked.
        question: QuantilesQuestion,
    },
    /// `stddev`: the root of a variance.
    Root {
        /// Output name.
        name: String,
        /// The variance.
        field: String,
    },
    /// `expression` over aggregators and dimensions.
    Expression {
        /// Output name.
        name: String,
        /// Parsed expression.
        expression: Expr,
    },
    /// `{long,double}{Greatest,Least}`.
    Extreme {
        /// Output name.
        name: String,
        /// True for `Greatest`.
        greatest: bool,
        /// True when the result is LONG.
        long: bool,
        /// Operands.
        fields: Vec<PostAggregator>,
    },
}

impl PostAggregator {
    /// The output name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Arithmetic { name, .. }
            | Self::FieldAccess { name, .. }
            | Self::FinalizingFieldAccess { name, .. }
            | Self::Constant { name, .. }
            | Self::SketchEstimate { name, .. }
            | Self::OfQuantiles { name, .. }
            | Self::Root { name, .. }
            | Self::Expression { name, .. }
            | Self::Extreme { name, .. } => name,
        }
    }
}
