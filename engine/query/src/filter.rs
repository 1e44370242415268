//! Filters, with SQL's three-valued logic: a comparison with null is unknown, `not` over unknown
//! stays unknown, and only rows that are true are kept.

use henge_expr::{Expr, JavaRegex};
use henge_types::{Interval, ValueType};

/// A typed literal of `equals` and `range`.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// LONG.
    Long(i64),
    /// DOUBLE (and FLOAT).
    Double(f64),
    /// STRING.
    String(String),
}

/// How `bound`, `limitSpec` and topN compare strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ordering {
    /// By UTF-8 bytes, null first.
    #[default]
    Lexicographic,
    /// Natural chunks of digits and text.
    Alphanumeric,
    /// As numbers; what does not parse sorts like null, then lexicographically among itself.
    Numeric,
    /// By length, then lexicographically.
    Strlen,
    /// Dotted version numbers.
    Version,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeBound<T> {
    /// The value.
    pub value: T,
    /// True when the value itself is outside.
    pub strict: bool,
}

/// A filter tree.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Every row.
    True,
    /// No row.
    False,
    /// All of them. An empty list is true.
    And(Vec<Filter>),
    /// Any of them. An empty list is false.
    Or(Vec<Filter>),
    /// Negation; unknown stays unknown.
    Not(Box<Filter>),
    /// `istrue`: true when the inner filter is, and false when it is unknown. `isfalse` is this over a
    /// negation.
    IsTrue(Box<Filter>),
    /// `selector`: equality by string value; `None` matches null. Numeric columns compare with the
    /// value coerced to the column's type.
    Selector {
        /// Column.
        column: String,
        /// Value, or null.
        value: Option<String>,
    },
    /// `equals`: typed equality; never matches null.
    Equals {
        /// Column.
        column: String,
        /// Declared type of the literal.
        match_type: ValueType,
        /// Literal.
        value: Literal,
    },
    /// `null`: IS NULL.
    IsNull {
        /// Column.
        column: String,
    },
    /// `in`: membership in a set. `values` is sorted and free of duplicates, null (if any) first.
    In {
        /// Column.
        column: String,
        /// The set.
        values: Vec<Option<String>>,
    },
    /// `bound`: a range over string values in a given ordering. A missing lower bound (or the empty
    /// lower bound) does not match null under SQL-compatible null handling unless both are missing.
    Bound {
        /// Column.
        column: String,
        /// Lower end.
        lower: Option<RangeBound<String>>,
        /// Upper end.
        upper: Option<RangeBound<String>>,
        /// Comparison.
        ordering: Ordering,
    },
    /// `range`: a typed range; never matches null.
    Range {
        /// Column.
        column: String,
        /// Declared type of the literals.
        match_type: ValueType,
        /// Lower end.
        lower: Option<RangeBound<Literal>>,
        /// Upper end.
        upper: Option<RangeBound<Literal>>,
    },
    /// `like`: SQL LIKE with `%`, `_` and an optional escape character.
    Like {
        /// Column.
        column: String,
        /// Pattern.
        pattern: String,
        /// Escape character.
        escape: Option<char>,
    },
    /// `regex`: an unanchored match. The pattern was compiled once (size-capped) at validation.
    Regex {
        /// Column.
        column: String,
        /// Compiled.
        regex: JavaRegex,
    },
    /// `interval`: the column, as milliseconds, lies in one of the half-open intervals.
    Interval {
        /// Column.
        column: String,
        /// Condensed intervals.
        intervals: Vec<Interval>,
    },
    /// `expression`: the expression is truthy.
    Expression {
        /// Parsed expression.
        expression: Expr,
    },
}

/// What a filter is made of.
#[derive(Debug, Clone, Copy)]
pub enum Parts<'f> {
    /// Nothing: every row or none.
    Nothing,
    /// Other filters.
    Fields(&'f [Filter]),
    /// A comparison of a column.
    Column(&'f str),
    /// An expression.
    Expression(&'f Expr),
}

impl Filter {
    /// What it is made of: whoever walks filters asks here, so that a new one is told once.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        match self {
            Self::True | Self::False => Parts::Nothing,
            Self::And(fields) | Self::Or(fields) => Parts::Fields(fields),
            Self::Not(field) | Self::IsTrue(field) => Parts::Fields(std::slice::from_ref(field)),
            Self::Selector { column, .. }
            | Self::Equals { column, .. }
            | Self::IsNull { column }
            | Self::In { column, .. }
            | Self::Bound { column, .. }
            | Self::Range { column, .. }
            | Self::Like { column, .. }
            | Self::Regex { column, .. }
            | Self::Interval { column, .. } => Parts::Column(column),
            Self::Expression { expression } => Parts::Expression(expression),
        }
    }
}
