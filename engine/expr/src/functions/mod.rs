//! The function library, in tables by subject.

mod array;
mod bitwise;
mod general;
mod math;
mod multi_value;
mod network;
mod pattern;
mod string;
mod string_format;
mod time;

pub(crate) mod apply;

pub(crate) use time::{clock_unit, fixed_shift_ms, time_buckets};

use crate::error::{ExprError, Result};
use crate::node::Callable;
use crate::types::ExprType;
use crate::value::ExprValue;

/// A function of the language.
pub(crate) struct Function {
    /// Its name in lower case.
    pub(crate) name: &'static str,
    /// Fewest arguments.
    pub(crate) min: usize,
    /// Most arguments.
    pub(crate) max: usize,
    /// The type of its result.
    pub(crate) returns: Returns,
    /// How to make it.
    pub(crate) build: Build,
}

/// How the type of a result follows from the arguments.
#[derive(Clone, Copy)]
pub(crate) enum Returns {
    /// Always this.
    Type(ExprType),
    /// LONG when all arguments are LONG, else DOUBLE.
    Number,
    /// The widest of the arguments' types.
    Widest,
    /// The type of the first argument.
    First,
    /// An array of the first argument's type.
    FirstAsArray,
    /// The element type of the first argument.
    FirstElement,
    /// The type named by the second argument.
    Named,
}

/// A plain function of its arguments.
pub(crate) type Plain = fn(&[ExprValue]) -> Result<ExprValue>;

/// How a call is made executable.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// Nothing to prepare.
    Plain(Plain),
    /// Sees the constant arguments once (`None` where an argument varies).
    Prepared(fn(&[Option<&ExprValue>]) -> Result<Callable>),
}

const LONG: Returns = Returns::Type(ExprType::Long);
const DOUBLE: Returns = Returns::Type(ExprType::Double);
const STRING: Returns = Returns::Type(ExprType::String);
const STRING_ARRAY: Returns = Returns::Type(ExprType::StringArray);

const fn plain(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    function: Plain,
) -> Function {
    Function { name, min, max, returns, build: Build::Plain(function) }
}

const fn prepared(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    prepare: fn(&[Option<&ExprValue>]) -> Result<Callable>,
) -> Function {
    Function { name, min, max, returns, build: Build::Prepared(prepare) }
}

/// Finds a function by its name in lower case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    [
        general::FUNCTIONS,
        string::FUNCTIONS,
        string_format::FUNCTIONS,
        pattern::FUNCTIONS,
        math::FUNCTIONS,
        bitwise::FUNCTIONS,
        time::FUNCTIONS,
        array::FUNCTIONS,
        multi_value::FUNCTIONS,
        network::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .find(|function| function.name == name)
}

/// True for functions that work on a whole array.
pub(crate) fn takes_arrays(name: &str) -> bool {
    let mut tables = [array::FUNCTIONS, multi_value::FUNCTIONS].into_iter().flatten();
    tables.any(|function| function.name == name)
}

/// Refuses a wrong number of arguments.
pub(crate) fn check_count(name: &'static str, count: usize, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&count) {
        return Ok(());
    }
    let wanted = match (min, max) {
        (min, max) if min == max => min.to_string(),
        (min, usize::MAX) => format!("at least {min}"),
        (min, max) => format!("{min} to {max}"),
    };
    Err(ExprError::argument(name, format!("takes {wanted} arguments but was given {count}")))
}

/// The argument at a position, null when it was left out.
fn argument(arguments: &[ExprValue], index: usize) -> &ExprValue {
    const MISSING: &ExprValue = &ExprValue::Null;
    arguments.get(index).unwrap_or(MISSING)
}
