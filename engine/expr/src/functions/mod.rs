//! The function library, in tables by subject.

mod array;
mod bitwise;
mod general;
mod json;
mod lookup;
mod math;
mod multi_value;
mod network;
mod pattern;
mod string;
mod string_format;
mod time;

pub(crate) mod apply;

pub(crate) use time::{clock_unit, fixed_shift_ms, time_buckets};

use crate::ast::Ast;
use crate::budget::Budget;
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
    /// Which arguments are arrays as a whole. A list elsewhere is read value by value.
    pub(crate) arrays: Arrays,
}

/// Which arguments of a function are arrays as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrays {
    /// None: all are scalars.
    No,
    /// The first.
    First,
    /// The second.
    Second,
    /// All.
    All,
}

impl Arrays {
    /// True when the argument at a position is an array.
    pub(crate) fn holds(self, position: usize) -> bool {
        match self {
            Self::No => false,
            Self::First => position == 0,
            Self::Second => position == 1,
            Self::All => true,
        }
    }
}

impl Function {
    /// The function with some arguments being arrays.
    const fn over(self, arrays: Arrays) -> Self {
        Self { arrays, ..self }
    }
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
    /// The type named by the argument at a position.
    Named(usize),
}

/// Steps that compiling a pattern counts as.
const COMPILE_STEPS: u64 = 20_000;

/// A plain function of its arguments.
pub(crate) type Plain = fn(&[ExprValue]) -> Result<ExprValue>;

/// A function that takes of the budget itself.
pub(crate) type Metered = fn(&[ExprValue], &Budget) -> Result<ExprValue>;

/// A function that sees the constant arguments once (`None` where an argument varies).
pub(crate) type Prepare = fn(&[Option<&ExprValue>]) -> Result<Callable>;

/// A function of values of which some are JSON documents: what begins as one is one, and no text.
pub(crate) type OfJson = fn(&[ExprValue], &[bool], &Budget) -> Result<ExprValue>;

/// How a call is made executable.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// Nothing to prepare.
    Plain(Plain),
    /// As `Plain`, taking more of the budget than its arguments and its result have bytes.
    Metered(Metered),
    /// Sees the constant arguments once.
    Prepared(Prepare),
    /// As `Prepared`, with the lookups that there are.
    LookedUp,
    /// As `Prepared`; is given the first argument alone when all others are constant.
    OfFirst(Prepare),
    /// Sees which arguments are JSON documents and not texts.
    OfJson(OfJson),
}

const LONG: Returns = Returns::Type(ExprType::Long);
const DOUBLE: Returns = Returns::Type(ExprType::Double);
const STRING: Returns = Returns::Type(ExprType::String);
const STRING_ARRAY: Returns = Returns::Type(ExprType::StringArray);

/// A function whose arguments are scalars.
const fn scalar(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    build: Build,
) -> Function {
    Function { name, min, max, returns, build, arrays: Arrays::No }
}

const fn plain(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    function: Plain,
) -> Function {
    scalar(name, min, max, returns, Build::Plain(function))
}

const fn metered(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    function: Metered,
) -> Function {
    scalar(name, min, max, returns, Build::Metered(function))
}

const fn prepared(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    prepare: Prepare,
) -> Function {
    scalar(name, min, max, returns, Build::Prepared(prepare))
}

const fn of_first(
    name: &'static str,
    min: usize,
    max: usize,
    returns: Returns,
    prepare: Prepare,
) -> Function {
    scalar(name, min, max, returns, Build::OfFirst(prepare))
}

/// All functions, by subject.
pub(crate) const TABLES: [(&str, &[Function]); 12] = [
    ("General", general::FUNCTIONS),
    ("JSON", json::FUNCTIONS),
    ("Lookups", lookup::FUNCTIONS),
    ("Text", string::FUNCTIONS),
    ("Templates", string_format::FUNCTIONS),
    ("Regular expressions", pattern::FUNCTIONS),
    ("Numbers", math::FUNCTIONS),
    ("Bits", bitwise::FUNCTIONS),
    ("Time", time::FUNCTIONS),
    ("Arrays", array::FUNCTIONS),
    ("Several values", multi_value::FUNCTIONS),
    ("Addresses", network::FUNCTIONS),
];

/// Finds a function by its name in lower case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLES.into_iter().flat_map(|(_, table)| table).find(|function| function.name == name)
}

/// True for a call whose result is an array for certain.
pub(crate) fn gives_array(ast: &Ast) -> bool {
    let Ast::Call { name, .. } = ast else { return false };
    match find(name) {
        Some(function) => match function.returns {
            Returns::Type(returned) => returned.is_array(),
            Returns::FirstAsArray => true,
            Returns::First => function.arrays != Arrays::No,
            _ => false,
        },
        None => matches!(name.as_str(), "map" | "filter" | "cartesian_map"),
    }
}

/// True for a call whose result is a JSON document. A document that is an object is held as its text.
pub(crate) fn gives_json(ast: &Ast) -> bool {
    let Ast::Call { name, arguments } = ast else { return false };
    match name.as_str() {
        "json_object" | "json_query" | "json_merge" | "parse_json" | "try_parse_json" => true,
        "if" | "nvl" | "coalesce" | "case_searched" | "case_simple" => {
            arguments.iter().any(gives_json)
        }
        _ => false,
    }
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
