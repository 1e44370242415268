//! `limitSpec` of groupBy.

use crate::filter::Ordering;

/// Sort direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

/// One column of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderByColumn {
    /// Output name of a dimension, aggregator or post-aggregator.
    pub column: String,
    /// Direction.
    pub direction: Direction,
    /// Comparison of string values; numbers always compare as numbers.
    pub ordering: Ordering,
}

/// `{"type":"default"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitSpec {
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Rows dropped before the limit counts.
    pub offset: u64,
    /// The order; empty keeps the natural order (time, then dimensions).
    pub columns: Vec<OrderByColumn>,
}
