//! How many sets a GROUP BY has: a CUBE of n columns has two to the power of n.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr};

use super::{StatementLimits, too_much};
use crate::error::Result;

/// Columns that each of as many sets as there may be can have; each set becomes a list of all columns.
const COLUMNS_OF_A_SET: u64 = 16;

/// Refuses a GROUP BY of more sets than are planned.
pub(super) fn check(group_by: &GroupByExpr, limits: &StatementLimits) -> Result<()> {
    let GroupByExpr::Expressions(expressions, _) = group_by else { return Ok(()) };
    let sets = expressions.iter().map(sets_of).fold(1, u64::saturating_mul);
    if sets == 1 {
        return Ok(());
    }
    let columns: HashSet<String> = expressions.iter().flat_map(columns_of).collect();
    let columns = columns.len() as u64;
    let most = limits.max_grouping_sets as u64;
    let instead = "write those sets that are wanted as GROUPING SETS";
    if sets > most || sets.saturating_mul(columns) > most.saturating_mul(COLUMNS_OF_A_SET) {
        let what = format!("groups by {sets} sets of {columns} columns");
        return Err(too_much(&what, limits.max_grouping_sets, "max_grouping_sets", instead));
    }
    Ok(())
}

fn columns_of(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::GroupingSets(parts) | Expr::Cube(parts) | Expr::Rollup(parts) => {
            parts.iter().flatten().map(ToString::to_string).collect()
        }
        other => vec![other.to_string()],
    }
}

fn sets_of(expr: &Expr) -> u64 {
    match expr {
        Expr::GroupingSets(parts) => (parts.len() as u64).max(1),
        Expr::Rollup(parts) => parts.len() as u64 + 1,
        Expr::Cube(parts) => {
            let bits = u32::try_from(parts.len()).ok();
            bits.and_then(|bits| 1_u64.checked_shl(bits)).unwrap_or(u64::MAX)
        }
        _ => 1,
    }
}
