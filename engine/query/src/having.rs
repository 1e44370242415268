//! Having: filters over finished result rows of groupBy.

use crate::filter::{Filter, Literal};

/// A having clause.
#[derive(Debug, Clone)]
pub enum Having {
    /// Every row.
    Always,
    /// No row.
    Never,
    /// All of them.
    And(Vec<Having>),
    /// Any of them.
    Or(Vec<Having>),
    /// Negation.
    Not(Box<Having>),
    /// The aggregation is greater than the value.
    GreaterThan {
        /// Aggregator or post-aggregator name.
        aggregation: String,
        /// The number; decimal text where neither LONG nor DOUBLE holds it exactly.
        value: Literal,
    },
    /// The aggregation is less than the value.
    LessThan {
        /// Aggregator or post-aggregator name.
        aggregation: String,
        /// The number; decimal text where neither LONG nor DOUBLE holds it exactly.
        value: Literal,
    },
    /// The aggregation equals the value.
    EqualTo {
        /// Aggregator or post-aggregator name.
        aggregation: String,
        /// The number; decimal text where neither LONG nor DOUBLE holds it exactly.
        value: Literal,
    },
    /// The dimension has the value.
    DimSelector {
        /// Output name of a dimension.
        dimension: String,
        /// Value, or null.
        value: Option<String>,
    },
    /// A filter over the result row's fields.
    Filter(Filter),
}
