//! Requests from JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::failure::{Failure, Result};
use super::super::message::{Ask, ConnectionProperties, FrameSize, GivenValue, Handle, Listing};
use crate::api::drivers::{Cell, Pattern};

/// All fields that requests have; which of them count depends on `request`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    request: String,
    connection_id: String,
    statement_id: u32,
    info: Option<BTreeMap<String, Value>>,
    conn_props: Option<ConnProps>,
    sql: String,
    max_row_count: Option<i64>,
    max_rows_in_first_frame: Option<i64>,
    statement_handle: Option<StatementHandle>,
    parameter_values: Option<Vec<Option<Given>>>,
    offset: u64,
    fetch_max_row_count: Option<i64>,
    catalog: Option<String>,
    schema_pattern: Option<String>,
    table_name_pattern: Option<String>,
    column_name_pattern: Option<String>,
    type_list: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConnProps {
    auto_commit: Option<bool>,
    read_only: Option<bool>,
    transaction_isolation: Option<u32>,
    catalog: Option<String>,
    schema: Option<String>,
    dirty: bool,
}

/// The signature that clients send back is of no interest: some of it is not what was sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct StatementHandle {
    connection_id: String,
    id: u32,
}

/// A value with the way in which it travels.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Given {
    #[serde(rename = "type")]
    rep: String,
    value: Value,
}

/// Reads a request.
///
/// # Errors
/// When it is no request of Avatica, or one that is not answered.
pub(in super::super) fn read(body: &[u8]) -> Result<Ask> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid(format!("the request is not Avatica's JSON: {error}")))?;
    let connection = body.connection_id;
    let statement = body.statement_id;
    let handle = || Handle { connection: connection.clone(), statement };
    let listing = |what| Ask::Listing { connection: connection.clone(), what };
    let catalog = Pattern::exactly(body.catalog.as_deref().filter(|name| !name.is_empty()));
    let schema = Pattern::of(body.schema_pattern.as_deref());
    let table = Pattern::of(body.table_name_pattern.as_deref());
    Ok(match &*body.request {
        "openConnection" => {
            let info = body.info.unwrap_or_default().into_iter();
            let info = info.map(|(key, value)| (key, text_of(value))).collect();
            Ask::OpenConnection { connection, info }
        }
        "closeConnection" => Ask::CloseConnection { connection },
        "connectionSync" => {
            let properties = properties(body.conn_props.unwrap_or_default());
            Ask::ConnectionSync { connection, properties }
        }
        "createStatement" => Ask::CreateStatement { connection },
        "closeStatement" => Ask::CloseStatement { handle: handle() },
        "prepare" => Ask::Prepare { connection, sql: body.sql, max_rows: some(body.max_row_count) },
        "prepareAndExecute" => Ask::PrepareAndExecute {
            handle: handle(),
            sql: body.sql,
            max_rows: some(body.max_row_count),
            frame: some(body.max_rows_in_first_frame),
        },
        "execute" => {
            let StatementHandle { connection_id, id } = body.statement_handle.unwrap_or_default();
            let given = body.parameter_values.unwrap_or_default();
            Ask::Execute {
                handle: Handle { connection: connection_id, statement: id },
                parameters: given.into_iter().map(given_value).collect::<Result<_>>()?,
                // Of an execution this is the size of the first frame, whatever it is called.
                frame: some(body.max_row_count),
            }
        }
        "fetch" => {
            let (offset, frame) = (body.offset, some(body.fetch_max_row_count));
            Ask::Fetch { handle: handle(), offset, frame }
        }
        "getCatalogs" => listing(Listing::Catalogs),
        "getSchemas" => listing(Listing::Schemas { catalog, schema }),
        "getTables" => listing(Listing::Tables { catalog, schema, table, kinds: body.type_list }),
        "getTableTypes" => listing(Listing::TableTypes),
        "getColumns" => {
            let column = Pattern::of(body.column_name_pattern.as_deref());
            listing(Listing::Columns { catalog, schema, table, column })
        }
        "getTypeInfo" => listing(Listing::Types),
        "databaseProperties" => Ask::DatabaseProperties { connection },
        "commit" => Ask::Commit { connection },
        "rollback" => Ask::Rollback { connection },
        "" => return Err(Failure::invalid("the request has no field 'request'")),
        other => {
            return Err(Failure::unsupported(format!("request '{other}' is not answered here")));
        }
    })
}

/// A number of rows; Avatica says minus one, and some clients 0, for "as many as there are".
fn some(rows: Option<i64>) -> FrameSize {
    rows.and_then(|rows| u64::try_from(rows).ok()).filter(|rows| *rows > 0)
}

fn properties(given: ConnProps) -> ConnectionProperties {
    let ConnProps { auto_commit, read_only, transaction_isolation, catalog, schema, dirty } = given;
    let is_dirty = dirty;
    ConnectionProperties {
        is_dirty,
        auto_commit,
        read_only,
        transaction_isolation,
        catalog,
        schema,
    }
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn given_value(given: Option<Given>) -> Result<GivenValue> {
    let Some(Given { rep, value }) = given else { return Ok(GivenValue::Plain(Cell::Null)) };
    if value.is_null() {
        return Ok(GivenValue::Plain(Cell::Null));
    }
    match (&*rep, value.as_i64()) {
        ("JAVA_SQL_TIMESTAMP" | "JAVA_UTIL_DATE", Some(ms)) => Ok(GivenValue::WallClock(ms)),
        ("JAVA_SQL_DATE", Some(days)) => {
            let too_far = |_| Failure::invalid(format!("day {days} is no date"));
            Ok(GivenValue::Plain(Cell::Date(i32::try_from(days).map_err(too_far)?)))
        }
        ("FLOAT" | "PRIMITIVE_FLOAT" | "DOUBLE" | "PRIMITIVE_DOUBLE", _) => {
            // Numbers that JSON does not have come as texts.
            let read = |text: &str| text.parse().ok();
            let number = value.as_f64().or_else(|| value.as_str().and_then(read));
            let none = || Failure::invalid(format!("{value} is no number"));
            Ok(GivenValue::Plain(Cell::Double(number.ok_or_else(none)?)))
        }
        _ => Ok(GivenValue::Plain(plain(value)?)),
    }
}

fn plain(value: Value) -> Result<Cell> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Boolean(value),
        Value::String(text) => Cell::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(long), _) => Cell::Long(long),
            (None, Some(double)) => Cell::Double(double),
            (None, None) => return Err(Failure::invalid(format!("{number} is too large"))),
        },
        Value::Array(values) => {
            // Elements of arrays have their own way in which they travel.
            let cells = values.into_iter().map(|value| match value {
                Value::Object(mut object) => plain(object.remove("value").unwrap_or_default()),
                value => plain(value),
            });
            Cell::Array(cells.collect::<Result<_>>()?)
        }
        Value::Object(_) => return Err(Failure::invalid("a parameter cannot be an object")),
    })
}
