//! What there is to ask of, for drivers that list it: read from INFORMATION_SCHEMA, as people read it.

use futures::TryStreamExt;
use henge_sql::{Result, SqlAnswer, SqlError, SqlRequest};
use henge_types::ErrorClass;

use super::{AnswerSql, Cell, Pattern, cell};

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedTable {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `TABLE`, `SYSTEM_TABLE`, `VIEW`
    pub(crate) kind: String,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedColumn {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) name: String,
    /// `VARCHAR`, `BIGINT`, `COMPLEX<…>`, …
    pub(crate) sql_type: String,
    pub(crate) is_nullable: bool,
    /// From 1.
    pub(crate) position: i64,
}

/// The schemas whose names have a pattern.
///
/// # Errors
/// When they cannot be asked for.
pub(crate) async fn schemas(
    statements: &dyn AnswerSql,
    pattern: &Pattern,
    now_ms: i64,
) -> Result<Vec<String>> {
    let text = "SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA ORDER BY 1";
    let rows = ask(statements, text, now_ms).await?;
    let names = rows.into_iter().map(|[name]| text_of(name));
    Ok(names.filter(|name| pattern.holds(name)).collect())
}

/// The tables whose schemas and names have patterns.
///
/// # Errors
/// When they cannot be asked for.
pub(crate) async fn tables(
    statements: &dyn AnswerSql,
    schema: &Pattern,
    table: &Pattern,
    now_ms: i64,
) -> Result<Vec<ListedTable>> {
    let text = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES \
                ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME";
    let rows = ask(statements, text, now_ms).await?;
    let listed = rows.into_iter().map(|[schema, name, kind]| ListedTable {
        schema: text_of(schema),
        name: text_of(name),
        kind: text_of(kind),
    });
    Ok(listed.filter(|one| schema.holds(&one.schema) && table.holds(&one.name)).collect())
}

/// The columns whose schemas and tables have patterns, table by table.
///
/// # Errors
/// When they cannot be asked for.
pub(crate) async fn columns(
    statements: &dyn AnswerSql,
    schema: &Pattern,
    table: &Pattern,
    now_ms: i64,
) -> Result<Vec<ListedColumn>> {
    let text = "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, ORDINAL_POSITION \
                FROM INFORMATION_SCHEMA.COLUMNS \
                ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION";
    let rows = ask(statements, text, now_ms).await?;
    let listed =
        rows.into_iter().map(|[schema, table, name, sql_type, nullable, position]| ListedColumn {
            schema: text_of(schema),
            table: text_of(table),
            name: text_of(name),
            sql_type: text_of(sql_type),
            is_nullable: text_of(nullable) == "YES",
            position: if let Cell::Long(position) = position { position } else { 0 },
        });
    Ok(listed.filter(|one| schema.holds(&one.schema) && table.holds(&one.table)).collect())
}

async fn ask<const N: usize>(
    statements: &dyn AnswerSql,
    text: &str,
    now_ms: i64,
) -> Result<Vec<[Cell; N]>> {
    let request = SqlRequest { text: text.to_owned(), now_ms, ..SqlRequest::default() };
    let SqlAnswer { mut batches, .. } = statements.run(request).await?;
    let mut rows = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| cell(column, row));
            let cells: Vec<Cell> = cells.collect::<Result<_>>()?;
            let cells = <[Cell; N]>::try_from(cells).map_err(|cells| {
                let message = format!("{} columns instead of {N}: {text}", cells.len());
                SqlError::new(ErrorClass::Internal, message)
            });
            rows.push(cells?);
        }
    }
    Ok(rows)
}

fn text_of(cell: Cell) -> String {
    match cell {
        Cell::Text(text) => text,
        _ => String::new(),
    }
}
