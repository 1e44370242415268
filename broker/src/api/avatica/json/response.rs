//! Answers as JSON, in the order of fields that Avatica has.

use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::message::{Answer, ConnectionProperties, Frame, Handle, ResultSet};
use super::super::signature::{ColumnInfo, Rep, Signature};
use crate::api::drivers::{Cell, JdbcType};

/// Writes an answer of the server at an address, as host:port.
pub(in super::super) fn write(answer: Answer, server: &str) -> Value {
    let rpc = json!({"response": "rpcMetadata", "serverAddress": server});
    match answer {
        Answer::OpenConnection => json!({"response": "openConnection", "rpcMetadata": rpc}),
        Answer::CloseConnection => json!({"response": "closeConnection", "rpcMetadata": rpc}),
        Answer::ConnectionSync(properties) => json!({
            "response": "connectionSync",
            "connProps": conn_props(properties),
            "rpcMetadata": rpc,
        }),
        Answer::CreateStatement(Handle { connection, statement }) => json!({
            "response": "createStatement",
            "connectionId": connection,
            "statementId": statement,
            "rpcMetadata": rpc,
        }),
        Answer::CloseStatement => json!({"response": "closeStatement", "rpcMetadata": rpc}),
        Answer::Prepare(Handle { connection, statement }, of) => json!({
            "response": "prepare",
            "statement": {"connectionId": connection, "id": statement, "signature": signature(&of)},
            "rpcMetadata": rpc,
        }),
        Answer::Execute(set) => json!({
            "response": "executeResults",
            "missingStatement": false,
            "results": [result_set(*set, &rpc)],
            "rpcMetadata": rpc,
        }),
        Answer::ResultSet(set) => result_set(*set, &rpc),
        Answer::NoStatementToExecute => json!({
            "response": "executeResults",
            "missingStatement": true,
            "results": null,
            "rpcMetadata": rpc,
        }),
        Answer::Fetch(rows) => fetched(Some(rows), false, false, &rpc),
        Answer::NoStatementToFetch => fetched(None, true, true, &rpc),
        Answer::NoResultsToFetch => fetched(None, false, true, &rpc),
        Answer::DatabaseProperties => {
            json!({"response": "databaseProperties", "map": {}, "rpcMetadata": rpc})
        }
        Answer::Commit => json!({"response": "commit"}),
        Answer::Rollback => json!({"response": "rollback"}),
    }
}

/// Writes an error.
pub(in super::super) fn refuse(failure: &Failure) -> Value {
    json!({
        "response": "error",
        "exceptions": failure.exceptions(),
        "errorMessage": failure.to_string(),
        "errorCode": failure.code(),
        "sqlState": failure.sql_state(),
        "severity": if failure.is_error() { "ERROR" } else { "UNKNOWN" },
        "rpcMetadata": null,
    })
}

fn conn_props(properties: ConnectionProperties) -> Value {
    let ConnectionProperties {
        is_dirty,
        auto_commit,
        read_only,
        transaction_isolation,
        catalog,
        schema,
    } = properties;
    json!({
        "connProps": "connPropsImpl",
        "autoCommit": auto_commit,
        "readOnly": read_only,
        "transactionIsolation": transaction_isolation,
        "catalog": catalog,
        "schema": schema,
        "dirty": is_dirty,
    })
}

fn fetched(
    rows: Option<Frame>,
    missing_statement: bool,
    missing_results: bool,
    rpc: &Value,
) -> Value {
    json!({
        "response": "fetch",
        "frame": rows.map(frame),
        "missingStatement": missing_statement,
        "missingResults": missing_results,
        "rpcMetadata": rpc,
    })
}

fn result_set(set: ResultSet, rpc: &Value) -> Value {
    json!({
        "response": "resultSet",
        "connectionId": set.handle.connection,
        "statementId": set.handle.statement,
        "ownStatement": set.own_statement,
        "signature": signature(&set.signature),
        "firstFrame": frame(set.first_frame),
        "updateCount": -1,
        "rpcMetadata": rpc,
    })
}

fn signature(of: &Signature) -> Value {
    let columns: Vec<Value> = of.columns.iter().enumerate().map(column).collect();
    let parameters: Vec<Value> = of.parameters.iter().enumerate().map(parameter).collect();
    json!({
        "columns": columns,
        "sql": of.sql,
        "parameters": parameters,
        "cursorFactory": {"style": "LIST", "clazz": null, "fieldNames": null},
        "statementType": "SELECT",
    })
}

fn column((ordinal, column): (usize, &ColumnInfo)) -> Value {
    let ColumnInfo { name, jdbc, type_name, rep, component, is_nullable } = column;
    let shown = match component {
        Some((element, of_element)) => json!({
            "type": "array",
            "id": jdbc.id,
            "name": type_name,
            "rep": rep.name(),
            "component": scalar(*element, element.name, *of_element),
        }),
        None => scalar(*jdbc, type_name, *rep),
    };
    json!({
        "ordinal": ordinal,
        "autoIncrement": false,
        "caseSensitive": true,
        "searchable": false,
        "currency": false,
        "nullable": i32::from(*is_nullable),
        "signed": true,
        "displaySize": jdbc.precision,
        "label": name,
        "columnName": name,
        "schemaName": null,
        "precision": jdbc.precision,
        "scale": jdbc.scale,
        "tableName": null,
        "catalogName": null,
        "type": shown,
        "readOnly": true,
        "writable": false,
        "definitelyWritable": false,
        "columnClassName": jdbc.class_name,
    })
}

fn scalar(jdbc: JdbcType, name: &str, rep: Rep) -> Value {
    json!({"type": "scalar", "id": jdbc.id, "name": name, "rep": rep.name()})
}

fn parameter((index, jdbc): (usize, &JdbcType)) -> Value {
    json!({
        "signed": false,
        "precision": jdbc.precision,
        "scale": jdbc.scale,
        "parameterType": jdbc.id,
        "typeName": jdbc.name,
        "className": jdbc.class_name,
        "name": format!("?{index}"),
    })
}

fn frame(Frame { offset, is_done, rows }: Frame) -> Value {
    let row = |cells: Vec<Cell>| cells.into_iter().map(value).collect::<Value>();
    let rows: Vec<Value> = rows.into_iter().map(row).collect();
    json!({"offset": offset, "done": is_done, "rows": rows})
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => value.into(),
        Cell::Long(value) | Cell::Timestamp(value) => value.into(),
        Cell::Date(days) => days.into(),
        Cell::Float(value) if value.is_finite() => shortest(value),
        Cell::Float(value) => not_finite(value.into()),
        Cell::Double(value) if value.is_finite() => value.into(),
        Cell::Double(value) => not_finite(value),
        Cell::Text(text) => text.into(),
        Cell::Array(cells) => cells.into_iter().map(value).collect(),
    }
}

/// A float with its own digits, not with those of the double that it is.
fn shortest(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// As Java writes what JSON has no number for.
fn not_finite(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        value if value > 0.0 => "Infinity".into(),
        _ => "-Infinity".into(),
    }
}
