//! The outputs of a plan as clients see them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;

use crate::dialect;
use crate::error::{Result, SqlError};
use crate::functions::types::{is_array, is_text, native_name, normal};
use crate::native::DRUID_TYPE;
use crate::session::SqlColumn;

/// The columns of a schema, each with a name of its own.
///
/// # Errors
/// When one has a type that no answer can hold.
pub(crate) fn columns(schema: &DFSchema) -> Result<Vec<SqlColumn>> {
    let interval = |field: &&FieldRef| matches!(field.data_type(), DataType::Interval(_));
    if let Some(field) = schema.fields().iter().find(interval) {
        return Err(SqlError::unsupported(format!(
            "column '{}' is an INTERVAL, which no answer holds; add it to a time, or take what it is added to",
            field.name()
        )));
    }
    let mut taken = HashSet::new();
    let fields = schema.fields().iter().enumerate();
    fields
        .map(|(at, field)| {
            let wanted = shown(field.name(), at, &taken);
            let name = match taken.contains(&wanted) {
                true => dialect::another_name(&wanted, &taken),
                false => wanted,
            };
            taken.insert(name.clone());
            Ok(column(name, field))
        })
        .collect()
}

/// The name that a column was given: the planner calls the first of VALUES `column1`, and the second column `a` of a
/// subquery `a:1`.
fn shown(name: &str, at: usize, taken: &HashSet<String>) -> String {
    if name == format!("column{}", at + 1) {
        return format!("EXPR${at}");
    }
    match name.rsplit_once(':') {
        Some((first, number)) if number.parse::<usize>().is_ok() && taken.contains(first) => {
            first.to_owned()
        }
        _ => name.to_owned(),
    }
}

/// A column of this name and type.
pub(crate) fn column(name: String, field: &FieldRef) -> SqlColumn {
    let data_type = normal(field.data_type());
    let druid_type = field.metadata().get(DRUID_TYPE);
    let native = native_name(&data_type).to_owned();
    let (sql_type, native_type) = match druid_type {
        Some(complex) => ("OTHER", complex.clone()),
        None => (sql_name(&data_type), native),
    };
    // What has no type but null is text.
    let data_type = if data_type == DataType::Null { DataType::Utf8 } else { data_type };
    let made = Field::new(&name, data_type, field.is_nullable());
    let made = made.with_metadata(field.metadata().clone());
    SqlColumn { name, field: Arc::new(made), sql_type: sql_type.to_owned(), native_type }
}

/// A parameter of this type; VARCHAR when nothing tells.
pub(super) fn parameter(name: &str, field: Option<FieldRef>) -> SqlColumn {
    let unknown = || Arc::new(Field::new(name, DataType::Utf8, true));
    let field = field.unwrap_or_else(unknown);
    column(name.to_owned(), &field)
}

fn sql_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Timestamp(..) => "TIMESTAMP",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Int64 => "BIGINT",
        list if is_array(list) => "ARRAY",
        text if is_text(text) || *text == DataType::Null => "VARCHAR",
        _ => "OTHER",
    }
}
