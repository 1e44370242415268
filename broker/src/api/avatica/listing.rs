//! The listings of java.sql's DatabaseMetaData.

use super::failure::Result;
use super::message::Listing;
use super::signature::ColumnInfo;
use crate::api::drivers::{
    AnswerSql, Cell, JdbcType, KNOWN_TYPES, ListedColumn, ListedTable, Pattern, columns, schemas,
    tables,
};

const CATALOG: &str = "druid";

const SCHEMA_COLUMNS: &[(&str, &str)] = &[("TABLE_SCHEM", "VARCHAR"), ("TABLE_CATALOG", "VARCHAR")];

const TABLE_COLUMNS: &[(&str, &str)] = &[
    ("TABLE_CAT", "VARCHAR"),
    ("TABLE_SCHEM", "VARCHAR"),
    ("TABLE_NAME", "VARCHAR"),
    ("TABLE_TYPE", "VARCHAR"),
    ("REMARKS", "VARCHAR"),
    ("TYPE_CAT", "VARCHAR"),
    ("TYPE_SCHEM", "VARCHAR"),
    ("TYPE_NAME", "VARCHAR"),
    ("SELF_REFERENCING_COL_NAME", "VARCHAR"),
    ("REF_GENERATION", "VARCHAR"),
];

const COLUMN_COLUMNS: &[(&str, &str)] = &[
    ("TABLE_CAT", "VARCHAR"),
    ("TABLE_SCHEM", "VARCHAR"),
    ("TABLE_NAME", "VARCHAR"),
    ("COLUMN_NAME", "VARCHAR"),
    ("DATA_TYPE", "INTEGER"),
    ("TYPE_NAME", "VARCHAR"),
    ("COLUMN_SIZE", "INTEGER"),
    ("BUFFER_LENGTH", "INTEGER"),
    ("DECIMAL_DIGITS", "INTEGER"),
    ("NUM_PREC_RADIX", "INTEGER"),
    ("NULLABLE", "INTEGER"),
    ("REMARKS", "VARCHAR"),
    ("COLUMN_DEF", "VARCHAR"),
    ("SQL_DATA_TYPE", "INTEGER"),
    ("SQL_DATETIME_SUB", "INTEGER"),
    ("CHAR_OCTET_LENGTH", "INTEGER"),
    ("ORDINAL_POSITION", "INTEGER"),
    ("IS_NULLABLE", "VARCHAR"),
    ("SCOPE_CATALOG", "VARCHAR"),
    ("SCOPE_SCHEMA", "VARCHAR"),
    ("SCOPE_TABLE", "VARCHAR"),
    ("SOURCE_DATA_TYPE", "SMALLINT"),
    ("IS_AUTOINCREMENT", "VARCHAR"),
    ("IS_GENERATEDCOLUMN", "VARCHAR"),
];

const TYPE_COLUMNS: &[(&str, &str)] = &[
    ("TYPE_NAME", "VARCHAR"),
    ("DATA_TYPE", "INTEGER"),
    ("PRECISION", "INTEGER"),
    ("LITERAL_PREFIX", "VARCHAR"),
    ("LITERAL_SUFFIX", "VARCHAR"),
    ("CREATE_PARAMS", "VARCHAR"),
    ("NULLABLE", "SMALLINT"),
    ("CASE_SENSITIVE", "BOOLEAN"),
    ("SEARCHABLE", "SMALLINT"),
    ("UNSIGNED_ATTRIBUTE", "BOOLEAN"),
    ("FIXED_PREC_SCALE", "BOOLEAN"),
    ("AUTO_INCREMENT", "BOOLEAN"),
    ("LOCAL_TYPE_NAME", "VARCHAR"),
    ("MINIMUM_SCALE", "SMALLINT"),
    ("MAXIMUM_SCALE", "SMALLINT"),
    ("SQL_DATA_TYPE", "INTEGER"),
    ("SQL_DATETIME_SUB", "INTEGER"),
    ("NUM_PREC_RADIX", "INTEGER"),
];

/// java.sql's "may be null".
const NULLABLE: i64 = 1;
/// java.sql's "can be used in every condition".
const SEARCHABLE: i64 = 3;

/// A listing: its columns and its rows.
///
/// # Errors
/// When what is listed cannot be asked for.
pub(super) async fn answer(
    statements: &dyn AnswerSql,
    what: Listing,
    now_ms: i64,
) -> Result<(Vec<ColumnInfo>, Vec<Vec<Cell>>)> {
    Ok(match what {
        Listing::Catalogs => (infos(&[("TABLE_CAT", "VARCHAR")]), vec![vec![text(CATALOG)]]),
        Listing::Schemas { catalog, schema } => {
            let mut names = Vec::new();
            if catalog.holds(CATALOG) {
                names = schemas(statements, &schema, now_ms).await?;
            }
            let rows = names.iter().map(|name| vec![text(name), text(CATALOG)]);
            (infos(SCHEMA_COLUMNS), rows.collect())
        }
        Listing::Tables { catalog, schema, table, kinds } => {
            let mut found = Vec::new();
            if catalog.holds(CATALOG) {
                found = tables(statements, &schema, &table, now_ms).await?;
            }
            let wanted = |table: &&ListedTable| {
                kinds.as_ref().is_none_or(|kinds| kinds.contains(&table.kind))
            };
            let rows = found.iter().filter(wanted).map(table_row);
            (infos(TABLE_COLUMNS), rows.collect())
        }
        Listing::TableTypes => {
            let rows = ["SYSTEM_TABLE", "TABLE"].map(|kind| vec![text(kind)]);
            (infos(&[("TABLE_TYPE", "VARCHAR")]), rows.into())
        }
        Listing::Columns { catalog, schema, table, column } => {
            let found = of_columns(statements, &[catalog, schema, table, column], now_ms).await?;
            (infos(COLUMN_COLUMNS), found.iter().map(column_row).collect())
        }
        Listing::Types => (infos(TYPE_COLUMNS), KNOWN_TYPES.iter().map(type_row).collect()),
    })
}

async fn of_columns(
    statements: &dyn AnswerSql,
    [catalog, schema, table, column]: &[Pattern; 4],
    now_ms: i64,
) -> Result<Vec<ListedColumn>> {
    if !catalog.holds(CATALOG) {
        return Ok(Vec::new());
    }
    let mut found = columns(statements, schema, table, now_ms).await?;
    found.retain(|one| column.holds(&one.name));
    Ok(found)
}

fn infos(columns: &[(&str, &str)]) -> Vec<ColumnInfo> {
    columns.iter().map(|(name, sql_type)| ColumnInfo::plain(name, sql_type)).collect()
}

fn text(value: &str) -> Cell {
    Cell::Text(value.to_owned())
}

fn table_row(table: &ListedTable) -> Vec<Cell> {
    let mut row = vec![text(CATALOG), text(&table.schema), text(&table.name), text(&table.kind)];
    row.resize(TABLE_COLUMNS.len(), Cell::Null);
    row
}

fn column_row(column: &ListedColumn) -> Vec<Cell> {
    let ListedColumn { schema, table, name, sql_type, is_nullable, position } = column;
    vec![
        text(CATALOG),
        text(schema),
        text(table),
        text(name),
        Cell::Long(JdbcType::named(sql_type).id.into()),
        text(sql_type),
        Cell::Long(-1),
        Cell::Null,
        Cell::Null,
        Cell::Long(-1),
        Cell::Long((*is_nullable).into()),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Long(-1),
        Cell::Long(*position),
        text(if *is_nullable { "YES" } else { "NO" }),
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        text("NO"),
        text("NO"),
    ]
}

fn type_row(jdbc: &JdbcType) -> Vec<Cell> {
    let quote = |is_quoted: bool| if is_quoted { text("'") } else { Cell::Null };
    let is_text = matches!(jdbc.name, "VARCHAR" | "CHAR");
    vec![
        text(jdbc.name),
        Cell::Long(jdbc.id.into()),
        Cell::Long(jdbc.precision.into()),
        quote(is_text),
        quote(is_text),
        Cell::Null,
        Cell::Long(NULLABLE),
        Cell::Boolean(is_text),
        Cell::Long(SEARCHABLE),
        Cell::Boolean(false),
        Cell::Boolean(false),
        Cell::Boolean(false),
        text(jdbc.name),
        Cell::Long(0),
        Cell::Long(0),
        Cell::Long(jdbc.id.into()),
        Cell::Null,
        Cell::Long(10),
    ]
}
