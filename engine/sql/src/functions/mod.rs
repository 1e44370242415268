//! Druid's scalar functions: one table a family says what a function is called, takes and gives, and how it is
//! written in the native expression language. Lowering writes that text into native queries; where DataFusion
//! evaluates a function itself, `henge-expr` evaluates the same text, so that there is one implementation.
//!
//! ```text
//! SQL text ─planners (operators, EXTRACT, ARRAY[..], casts)─► Expr ─expression::text─► native text
//!                                                               └─call::NativeFunction─► the same over batches
//! ```
//!
//! Who plans statements registers [`scalars`], [`expr_planners`] and [`types::DruidTypes`], and runs
//! [`casts::DruidCasts`] after DataFusion's type coercion: Druid's casts are null where DataFusion's fail.

pub(crate) mod casts;
pub(crate) mod expression;
pub(crate) mod lookups;
pub(crate) mod types;

mod arrays;
mod call;
mod comparison;
mod json;
mod literal;
mod multi_value;
mod network;
mod numeric;
mod operators;
mod sketches;
mod strings;
mod table;
mod time;
mod values;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;

pub(crate) use expression::Refusal;
pub(crate) use operators::invoke;

use call::NativeFunction;
use table::Function;

/// All tables.
const FAMILIES: [&[Function]; 11] = [
    arrays::FUNCTIONS,
    comparison::FUNCTIONS,
    json::FUNCTIONS,
    lookups::FUNCTIONS,
    multi_value::FUNCTIONS,
    network::FUNCTIONS,
    numeric::FUNCTIONS,
    operators::FUNCTIONS,
    sketches::FUNCTIONS,
    strings::FUNCTIONS,
    time::FUNCTIONS,
];

static REGISTRY: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let functions = FAMILIES.into_iter().flatten();
    functions
        .map(|function| Arc::new(ScalarUDF::new_from_impl(NativeFunction::new(function))))
        .collect()
});

static BY_NAME: LazyLock<HashMap<String, Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut names = HashMap::new();
    for function in REGISTRY.iter() {
        names.insert(function.name().to_owned(), Arc::clone(function));
        for alias in function.aliases() {
            names.insert(alias.clone(), Arc::clone(function));
        }
    }
    names
});

/// Every scalar function, once; aliases are within.
#[must_use]
pub(crate) fn scalars() -> Vec<Arc<ScalarUDF>> {
    REGISTRY.clone()
}

/// The function of a name or alias in lower case.
#[must_use]
pub(crate) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    BY_NAME.get(name).cloned()
}

/// What SQL writes with signs and words instead of calls: operators by Druid's rules of types, EXTRACT,
/// SUBSTRING, POSITION, `ARRAY[..]`.
#[must_use]
pub(crate) fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(operators::DruidOperators)]
}

#[cfg(test)]
mod tests;
