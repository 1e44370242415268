//! Rows of JSON: those that a query brings, those of a lookup, and rows as an inline datasource.

use henge_exec::{ExecError, QueryMemory, Result};
use henge_expr::{ExprValue, Lookup};
use henge_query::{InlineRows, InlineType, Rows};
use henge_segment::SegmentView;
use henge_sketch::{from_base64, to_base64};
use henge_types::{ColumnType, TIME_COLUMN, ValueType, parse_timestamp_ms};
use henge_vector::{json_of, value_of};
use serde_json::{Value, json};

use crate::build::{Kind, of_values};
use crate::segment::InlineSegment;
use crate::values::{Numbers, Objects, Values};

/// The complex type of JSON documents, which are held as texts.
const JSON: &str = "json";

/// The rows that a query brings.
///
/// # Errors
/// When a sketch is no base64, or the query's account has no room.
pub fn rows_of_inline(rows: &InlineRows, memory: Option<&QueryMemory>) -> Result<InlineSegment> {
    let mut columns = Vec::with_capacity(rows.columns.len());
    for (at, column) in rows.columns.iter().enumerate() {
        let given = || rows.rows.iter().filter_map(move |row| row.get(at));
        let values = match &column.column_type {
            _ if column.name == TIME_COLUMN => times(given())?,
            Some(InlineType::Stored(ColumnType::Complex(name))) if name == JSON => {
                of_values(Kind::Text, given().map(document))
            }
            Some(InlineType::Stored(ColumnType::Complex(name))) => {
                let values = given().map(|value| object(&column.name, value));
                let values = values.collect::<Result<_>>()?;
                Values::Objects(Objects { type_name: name.clone(), values })
            }
            declared => {
                let values = || given().map(value_of);
                let found = values().filter_map(|value| Kind::of_value(&value)).reduce(Kind::or);
                let kind = match (declared.as_ref().map(Kind::of_type), found) {
                    // Texts of which a row may have several.
                    (Some(Kind::Text), Some(Kind::Lists | Kind::Array(_))) => Kind::Lists,
                    (Some(declared), _) => declared,
                    (None, found) => found.unwrap_or(Kind::Text),
                };
                for (row, value) in values().enumerate() {
                    check(&column.name, row, &value, &kind)?;
                }
                of_values(kind, values())
            }
        };
        columns.push((column.name.clone(), values));
    }
    InlineSegment::new(columns, rows.rows.len(), memory)
}

/// The rows' times: milliseconds, or texts as in ISO 8601, whatever type was declared.
fn times<'v>(given: impl Iterator<Item = &'v Value>) -> Result<Values> {
    let times = given.enumerate().map(|(row, value)| match value_of(value) {
        ExprValue::Null => Ok(None),
        ExprValue::String(text) => {
            let text = text.trim();
            let ms = parse_timestamp_ms(text).ok().or_else(|| text.parse().ok());
            ms.map(Some).ok_or_else(|| no_time(row, value))
        }
        other => other.as_long().map(Some).ok_or_else(|| no_time(row, value)),
    });
    let times: Vec<Option<i64>> = times.collect::<Result<_>>()?;
    Ok(Values::Long(Numbers::of(times.into_iter())))
}

fn no_time(row: usize, value: &Value) -> ExecError {
    let value: String = value.to_string().chars().take(60).collect();
    ExecError::Invalid(format!(
        "dataSource.rows[{row}]: {value} in column '{TIME_COLUMN}' is no time; write milliseconds since 1970, or a time \
         as in 2015-09-12T00:00:00Z"
    ))
}

/// Refuses a value that a column of numbers cannot hold; what can be read as a number is.
fn check(name: &str, row: usize, value: &ExprValue, kind: &Kind) -> Result<()> {
    let is_number = |value: &ExprValue, element: ValueType| match element {
        _ if value.is_null() => true,
        ValueType::Long => value.as_long().is_some(),
        ValueType::Float | ValueType::Double => value.as_double().is_some(),
        ValueType::String => true,
    };
    let fits = match (kind, value) {
        (Kind::Array(element), ExprValue::Array(items)) => {
            items.iter().all(|item| is_number(item, *element))
        }
        (Kind::Array(element), single) => is_number(single, *element),
        (Kind::Long | Kind::Float | Kind::Double, ExprValue::Array(_)) => false,
        (Kind::Long, value) => is_number(value, ValueType::Long),
        (Kind::Float | Kind::Double, value) => is_number(value, ValueType::Double),
        (Kind::Text | Kind::Lists | Kind::Objects(_), _) => true,
    };
    if fits {
        return Ok(());
    }
    let declared = match kind {
        Kind::Array(element) => InlineType::Array(*element).to_string(),
        Kind::Long => ValueType::Long.to_string(),
        Kind::Float => ValueType::Float.to_string(),
        _ => ValueType::Double.to_string(),
    };
    let value: String = json_of(value).to_string().chars().take(60).collect();
    Err(ExecError::Invalid(format!(
        "dataSource.rows[{row}]: {value} in column '{name}' is no {declared}; write null, or give the column another \
         type"
    )))
}

/// A document: an object or an array as its JSON text, anything else as it is.
fn document(value: &Value) -> ExprValue {
    match value {
        Value::Array(_) => value.to_string().into(),
        other => value_of(other),
    }
}

fn object(name: &str, value: &Value) -> Result<Option<std::sync::Arc<[u8]>>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => from_base64(text).map(|bytes| Some(bytes.into())).map_err(|error| {
            ExecError::Invalid(format!("column '{name}' of the inline rows: {error}"))
        }),
        _ => Err(ExecError::Invalid(format!(
            "column '{name}' of the inline rows: give its values as base64"
        ))),
    }
}

/// The keys and values of a lookup, by key.
///
/// # Errors
/// When the query's account has no room.
pub fn rows_of_lookup(lookup: &Lookup, memory: &QueryMemory) -> Result<InlineSegment> {
    let mut entries: Vec<(&str, &str)> = lookup.entries().collect();
    entries.sort_unstable();
    let keys = of_values(Kind::Text, entries.iter().map(|(key, _)| ExprValue::from(*key)));
    let values = of_values(Kind::Text, entries.iter().map(|(_, value)| ExprValue::from(*value)));
    let columns = vec![("k".to_owned(), keys), ("v".to_owned(), values)];
    InlineSegment::new(columns, entries.len(), Some(memory))
}

impl Rows for InlineSegment {
    fn to_value(&self) -> Value {
        inline_of(self)
    }

    fn memory_bytes(&self) -> usize {
        Self::memory_bytes(self)
    }
}

/// Rows as an inline datasource.
fn inline_of(rows: &InlineSegment) -> Value {
    let columns: Vec<(&str, &Values)> = rows.shown().collect();
    let row = |row: usize| columns.iter().map(|(_, values)| cell(values, row)).collect::<Value>();
    json!({
        "type": "inline",
        "columnNames": columns.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "columnTypes": columns.iter().map(|(_, v)| v.column_type().to_string()).collect::<Vec<_>>(),
        "rows": (0..rows.row_count()).map(row).collect::<Vec<_>>(),
    })
}

fn cell(values: &Values, row: usize) -> Value {
    match (values, values.column_type()) {
        (Values::Objects(objects), InlineType::Stored(_)) => {
            objects.values[row].as_ref().map_or(Value::Null, |image| to_base64(image).into())
        }
        // A list of one stays a list, so that the column stays what it is.
        (Values::Lists(lists), _) => {
            let text = |id: &u32| lists.words.get(*id).map_or(Value::Null, Value::from);
            lists.row(row).iter().map(text).collect()
        }
        _ => json_of(&values.expr_value(row)),
    }
}
