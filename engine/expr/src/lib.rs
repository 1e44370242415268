//! Druid's expression language: parse once, resolve identifiers to slots once, evaluate per row.
//!
//! Evaluation is total over data: what cannot be computed (text that is no number, integer
//! overflow, division of integers by zero) is null, as SQL's three-valued logic carries on from
//! there. Errors at run time are results beyond [`MAX_RESULT_BYTES`], a [`Budget`] that is used up or
//! stopped, and malformed patterns that are not constant.

mod affine;
pub mod ast;
pub mod budget;
mod compile;
pub mod error;
mod expr;
mod functions;
mod infer;
pub mod java_regex;
pub mod joda;
pub mod json;
mod lexer;
pub mod like;
pub mod lookup;
mod multi_value;
mod node;
pub mod number;
mod operators;
mod parser;
mod pieces;
pub mod reference;
mod time;
mod types;
pub mod value;

pub use affine::Affine;
pub use ast::{Ast, BinaryOp, UnaryOp};
pub use budget::{Budget, Limits, Stop};
pub use error::{ExprError, Result};
pub use expr::{Bindings, Expr};
pub use java_regex::JavaRegex;
pub use lookup::{Lookup, Lookups, NoLookups};
pub use parser::{MAX_DEPTH, MAX_TEXT_BYTES};
pub use pieces::TimePieces;
pub use types::ExprType;
pub use value::ExprValue;

/// The largest text (or array, counted as 16 bytes an element) a function may produce.
pub const MAX_RESULT_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod tests;
