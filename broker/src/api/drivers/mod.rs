//! What drivers ask whatever they speak: statements, the listing of tables and columns, values and types.

mod answer_sql;
mod arrow;
mod context;
mod like;
mod listing;
mod parameter;
mod types;

pub(super) use answer_sql::{AnswerSql, Prepared};
pub(super) use arrow::{Cell, cell};
pub(super) use context::context_value;
pub(super) use like::Pattern;
pub(super) use listing::{ListedColumn, ListedTable, columns, schemas, tables};
pub(super) use parameter::parameter_of;
pub(super) use types::{JdbcType, KNOWN_TYPES};

#[cfg(test)]
pub(super) mod fake;
