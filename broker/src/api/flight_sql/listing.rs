//! Listings of Flight SQL: what there is, and what the server says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, CommandGetDbSchemas, CommandGetTables};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use tonic::Status;

use super::command::not_answered;
use super::schema::listed_field;
use super::{info, internal, refused};
use crate::api::drivers::{AnswerSql, Pattern, columns, schemas, tables};

/// The one catalogue.
const CATALOG: &str = "druid";

/// The schema of a listing.
///
/// # Errors
/// When the command is none.
pub(super) fn schema(command: &Command) -> Result<SchemaRef, Status> {
    Ok(match command.clone() {
        Command::CommandGetCatalogs(command) => command.into_builder().schema(),
        Command::CommandGetDbSchemas(command) => command.into_builder().schema(),
        Command::CommandGetTables(command) => command.into_builder().schema(),
        Command::CommandGetTableTypes(command) => command.into_builder().schema(),
        Command::CommandGetSqlInfo(_) => info::server().map_err(failed)?.schema(),
        Command::CommandGetXdbcTypeInfo(_) => info::types().map_err(failed)?.schema(),
        Command::CommandGetPrimaryKeys(_) => primary_keys(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => foreign_keys(),
        other => return Err(not_answered(&other)),
    })
}

/// The rows of a listing.
///
/// # Errors
/// When the command is none, or what is listed cannot be asked for.
pub(super) async fn rows(
    sql: &dyn AnswerSql,
    command: Command,
    now_ms: i64,
) -> Result<RecordBatch, Status> {
    match command {
        Command::CommandGetCatalogs(command) => {
            let mut builder = command.into_builder();
            builder.append(CATALOG);
            builder.build().map_err(failed)
        }
        Command::CommandGetDbSchemas(command) => db_schemas(sql, command, now_ms).await,
        Command::CommandGetTables(command) => listed_tables(sql, command, now_ms).await,
        Command::CommandGetTableTypes(command) => {
            let mut builder = command.into_builder();
            ["SYSTEM_TABLE", "TABLE"].iter().for_each(|kind| builder.append(kind));
            builder.build().map_err(failed)
        }
        Command::CommandGetSqlInfo(command) => {
            let infos = info::server().map_err(failed)?;
            command.into_builder(&infos).build().map_err(failed)
        }
        Command::CommandGetXdbcTypeInfo(command) => {
            let types = info::types().map_err(failed)?;
            command.into_builder(&types).build().map_err(failed)
        }
        other => Ok(RecordBatch::new_empty(schema(&other)?)),
    }
}

async fn db_schemas(
    sql: &dyn AnswerSql,
    command: CommandGetDbSchemas,
    now_ms: i64,
) -> Result<RecordBatch, Status> {
    let pattern = Pattern::of(command.db_schema_filter_pattern.as_deref());
    let catalog = Pattern::exactly(command.catalog.as_deref());
    let schema = CommandGetDbSchemas::default();
    let mut builder = schema.into_builder();
    if catalog.holds(CATALOG) {
        let names = schemas(sql, &pattern, now_ms).await.map_err(|error| refused(&error))?;
        names.iter().for_each(|name| builder.append(CATALOG, name));
    }
    builder.build().map_err(failed)
}

async fn listed_tables(
    sql: &dyn AnswerSql,
    command: CommandGetTables,
    now_ms: i64,
) -> Result<RecordBatch, Status> {
    let CommandGetTables { include_schema, table_types: kinds, .. } = command;
    let in_schema = Pattern::of(command.db_schema_filter_pattern.as_deref());
    let named = Pattern::of(command.table_name_filter_pattern.as_deref());
    let mut builder = CommandGetTables { include_schema, ..Default::default() }.into_builder();
    if !Pattern::exactly(command.catalog.as_deref()).holds(CATALOG) {
        return builder.build().map_err(failed);
    }
    let mut fields: BTreeMap<(String, String), Vec<Field>> = BTreeMap::new();
    if include_schema {
        let found = columns(sql, &in_schema, &named, now_ms).await;
        for column in found.map_err(|error| refused(&error))? {
            let field = listed_field(&column.name, &column.sql_type, column.is_nullable);
            fields.entry((column.schema, column.table)).or_default().push(field);
        }
    }
    let found = tables(sql, &in_schema, &named, now_ms).await.map_err(|error| refused(&error))?;
    for table in found.iter().filter(|table| kinds.is_empty() || kinds.contains(&table.kind)) {
        let of_table = fields.remove(&(table.schema.clone(), table.name.clone()));
        let schema = Schema::new(of_table.unwrap_or_default());
        builder
            .append(CATALOG, &table.schema, &table.name, &table.kind, &schema)
            .map_err(failed)?;
    }
    builder.build().map_err(failed)
}

/// No table has keys.
fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

fn foreign_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}

fn failed(error: FlightError) -> Status {
    internal(error)
}
