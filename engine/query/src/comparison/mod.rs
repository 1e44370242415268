//! What filters mean: one exact comparison of values with literals and one three-valued logic, for
//! queries, `having` and ingestion.
//!
//! A [`Comparison`] is what one leaf of a filter says, whatever it meets: of null, of text, of
//! numbers. Block kernels take their ranges and sets from it ([`NumericTest`]) and keep their loops;
//! whatever goes row by row evaluates a [`RowPlan`].
//!
//! | value  | numeric literals and text                                                   |
//! |--------|-----------------------------------------------------------------------------|
//! | LONG   | compares by value with integers, decimals and doubles, never through a double |
//! | DOUBLE | integers compare by value, decimals are read as DOUBLE                      |
//! | FLOAT  | every literal is read as FLOAT, as every value was                          |
//! | STRING | untyped equality and lists compare text; where the filter is numeric, text that is a number compares by value and other text is in no range of `range` and before all numbers of `bound` |
//!
//! NaN equals itself and comes behind all numbers; `-0.0` is `0.0`. `null`, and `selector` and `in`
//! that list null, are true of null; all other comparisons are unknown. A row of several values is
//! true when one of them is, false when all are, else unknown.

mod decimal;
mod ends;
mod leaf;
mod meaning;
mod number;
mod numeric_test;
pub mod ordering;
mod row_plan;
#[cfg(test)]
mod tests;
mod truth;

pub use decimal::Decimal;
pub use ends::End;
pub use leaf::{FilterValue, Leaf, Visit, widen_shortest};
pub use meaning::{Comparison, TextSpan};
pub use number::{Number, compare_doubles, compare_long_double};
pub use numeric_test::{NumericTest, NumericValue, in_ranges, not_below};
pub use row_plan::{FilterRow, RowPlan};
pub use truth::Truth;
