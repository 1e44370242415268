//! The largest parts of a plan that native queries answer exactly, as native queries.
//!
//! The plan is walked from its leaves. A scan begins a [`draft::Draft`] of a native query; each operator above it
//! is taken into the draft or refused with a reason; a refused one stays with DataFusion and reads the draft so
//! far. What a draft becomes is decided at its end, by its shape alone:
//!
//! | shape | query |
//! | --- | --- |
//! | rows | scan |
//! | aggregates without groups, or by one floor of time in its order | timeseries |
//! | groups of one column, ordered by an aggregate, with a limit | topN |
//! | other groups | groupBy |
//!
//! | module | holds |
//! | --- | --- |
//! | `draft`, `scope` | a query that is being built; its outputs as native text |
//! | `filters`, `projection`, `groups`, `ordering`, `union` | how operators are taken into a draft |
//! | `below` | what an aggregate reads and native queries cannot compute |
//! | `filter`, `each`, `constant` | conditions as native filters, constants as their JSON |
//! | `time`, `time_set` | the intervals in which a condition can hold |
//! | `scan`, `timeseries`, `top_n`, `group_by` | drafts as queries |

mod below;
mod constant;
mod draft;
mod each;
mod filter;
mod filters;
mod group_by;
mod groups;
mod ordering;
mod projection;
pub(crate) mod scan;
mod scope;
mod time;
mod time_set;
mod timeseries;
mod top_n;
mod union;
mod walk;

#[cfg(test)]
mod tests;

use std::fmt;

use datafusion::logical_expr::LogicalPlan;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::plan::sql_error;
use crate::watch::{Unwatched, Watch};

/// Why a part of a plan is no native query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The operator.
    pub operator: String,
    /// The reason in words.
    pub reason: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operator, self.reason)
    }
}

/// The settings of a statement that lowering depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lowering<'c> {
    context: &'c Map<String, Value>,
    watch: &'c dyn Watch,
}

impl<'c> Lowering<'c> {
    /// Those of a context.
    pub(crate) fn new(context: &'c Map<String, Value>) -> Self {
        Self { context, watch: &Unwatched }
    }

    /// The same, as long as a statement may go on.
    pub(crate) fn watched_by(self, watch: &'c dyn Watch) -> Self {
        Self { watch, ..self }
    }

    fn time_zone(&self) -> &'c str {
        self.context.get("sqlTimeZone").and_then(Value::as_str).unwrap_or("UTC")
    }

    fn setting(&self, name: &str) -> Option<&'c Value> {
        self.context.get(name)
    }

    /// A switch, which may come as text.
    fn flag(&self, name: &str, otherwise: bool) -> bool {
        match self.setting(name) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => otherwise,
        }
    }
}

/// Puts native queries for the parts of a plan that they answer exactly. With `henge.lower` false they are only
/// asked for rows and for aggregates that nobody else computes, so that a statement can be run both ways.
///
/// # Errors
/// When a part of the plan cannot be put together again.
pub(crate) fn lower(
    plan: &LogicalPlan,
    lowering: &Lowering<'_>,
) -> Result<(LogicalPlan, Vec<Reason>)> {
    walk::lower(plan, lowering).map_err(sql_error)
}
