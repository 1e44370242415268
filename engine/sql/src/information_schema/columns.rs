//! `INFORMATION_SCHEMA.COLUMNS`. Tools find the column of time by its JDBC_TYPE, 93.

use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;

use super::rows::{self, Cell};
use crate::catalog::Catalog;
use crate::native::NativeTable;
use crate::plan::{column, is_private};

pub(super) fn schema() -> SchemaRef {
    rows::schema(&[
        "TABLE_CATALOG",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "COLUMN_NAME",
        "#ORDINAL_POSITION",
        "COLUMN_DEFAULT",
        "IS_NULLABLE",
        "DATA_TYPE",
        "#CHARACTER_MAXIMUM_LENGTH",
        "#CHARACTER_OCTET_LENGTH",
        "#NUMERIC_PRECISION",
        "#NUMERIC_PRECISION_RADIX",
        "#NUMERIC_SCALE",
        "#DATETIME_PRECISION",
        "CHARACTER_SET_NAME",
        "COLLATION_NAME",
        "#JDBC_TYPE",
    ])
}

pub(super) fn table(catalog: &dyn Catalog) -> Result<Arc<dyn TableProvider>> {
    let mut rows = Vec::new();
    for name in super::TABLES {
        if let Some(schema) = super::schema(name) {
            add(&mut rows, super::NAME, name, &schema);
        }
    }
    for name in catalog.table_names().iter().filter(|name| !is_private(name)) {
        if let Some(table) = catalog.table(name) {
            add(&mut rows, "druid", name, &NativeTable::datasource(&table).schema());
        }
    }
    for name in catalog.lookup_names() {
        let schema = Schema::new(vec![
            Field::new("k", arrow_schema::DataType::Utf8, false),
            Field::new("v", arrow_schema::DataType::Utf8, true),
        ]);
        add(&mut rows, "lookup", &name, &Arc::new(schema));
    }
    for name in super::system_tables() {
        if let Some(schema) = super::system_schema(name) {
            add(&mut rows, "sys", name, &schema);
        }
    }
    rows::table(schema(), &rows)
}

fn add(rows: &mut Vec<Vec<Cell>>, schema: &str, table: &str, columns: &SchemaRef) {
    let fields = columns.fields().iter().zip(1..);
    rows.extend(fields.map(|(field, position)| row(schema, table, field, position)));
}

fn row(schema: &str, table: &str, field: &FieldRef, position: i64) -> Vec<Cell> {
    let shown = column(field.name().clone(), field);
    // A complex column is called by its native type, as Druid does.
    let data_type = match shown.sql_type.as_str() {
        "OTHER" => shown.native_type.as_str(),
        sql_type => sql_type,
    };
    let facts = facts(&shown.sql_type);
    let is_text = shown.sql_type == "VARCHAR";
    let charset = is_text.then_some("UTF-16LE");
    let collation = is_text.then_some("UTF-16LE$en_US$primary");
    vec![
        super::CATALOG.into(),
        schema.into(),
        table.into(),
        field.name().as_str().into(),
        position.into(),
        "".into(),
        (if field.is_nullable() { "YES" } else { "NO" }).into(),
        data_type.into(),
        Cell::Null,
        Cell::Null,
        facts.precision.into(),
        facts.precision.map(|_| 10).into(),
        facts.scale.into(),
        facts.fraction.into(),
        charset.into(),
        collation.into(),
        facts.jdbc_type.into(),
    ]
}

/// What JDBC says of a type.
struct Facts {
    jdbc_type: i64,
    precision: Option<i64>,
    scale: Option<i64>,
    /// Digits of a second.
    fraction: Option<i64>,
}

fn facts(sql_type: &str) -> Facts {
    let fact =
        |jdbc_type, precision, scale, fraction| Facts { jdbc_type, precision, scale, fraction };
    match sql_type {
        "BIGINT" => fact(-5, Some(19), Some(0), None),
        "FLOAT" => fact(6, Some(15), None, None),
        "DOUBLE" => fact(8, Some(15), None, None),
        "TIMESTAMP" => fact(93, None, None, Some(3)),
        "DATE" => fact(91, None, None, Some(0)),
        "BOOLEAN" => fact(16, None, None, None),
        "VARCHAR" => fact(12, None, None, None),
        "ARRAY" => fact(2003, None, None, None),
        _ => fact(1111, None, None, None),
    }
}
