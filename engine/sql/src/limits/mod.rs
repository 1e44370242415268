//! What one statement may ask of the planner. Whatever grows faster than its text is counted before it is planned:
//! planning itself asks nobody whether it may grow.

mod grouping;
mod size;
#[cfg(test)]
mod tests;

use henge_types::ErrorClass;

use crate::error::SqlError;

pub(crate) use size::Size;

/// Bounds of one statement. Each is a setting of the section `[sql]`, by which errors call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLimits {
    /// Bytes of the text.
    pub max_text_bytes: usize,
    /// Words and marks of the text.
    pub max_words: usize,
    /// Tables, each counted as often as it is planned.
    pub max_tables: usize,
    /// Joins, and subqueries in expressions, which become joins.
    pub max_joins: usize,
    /// Grouping sets of one GROUP BY.
    pub max_grouping_sets: usize,
    /// Levels of operators above each other: a subquery and a name of WITH are three, a window two, a join one.
    pub max_levels: usize,
    /// Columns of all tables, times the levels of operators that carry them.
    pub max_carried_columns: usize,
}

impl Default for StatementLimits {
    fn default() -> Self {
        Self {
            max_text_bytes: 16 << 20,
            max_words: 1_000_000,
            max_tables: 1_000,
            max_joins: 200,
            max_grouping_sets: 1_024,
            max_levels: 400,
            max_carried_columns: 1_000_000,
        }
    }
}

/// What a statement says of a limit that it exceeds.
pub(crate) fn too_much(what: &str, most: usize, setting: &str, instead: &str) -> SqlError {
    let message =
        format!("the statement {what}, at most {most} are planned (sql.{setting}); {instead}");
    SqlError::new(ErrorClass::ResourceLimit, message)
}
