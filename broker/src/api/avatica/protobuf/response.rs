//! Answers as protobuf.

use henge_proto::avatica as proto;
use prost::Message;

use super::super::failure::Failure;
use super::super::message::{Answer, ConnectionProperties, Frame, Handle, ResultSet};
use super::super::signature::{ColumnInfo, Rep, Signature};
use super::RESPONSES;
use crate::api::drivers::{Cell, JdbcType};

/// Minus one, without sign.
const NO_UPDATE: u64 = u64::MAX;

/// Writes an answer of the server at an address, as host:port.
pub(in super::super) fn write(answer: Answer, server: &str) -> Vec<u8> {
    let metadata = || Some(proto::RpcMetadata { server_address: server.to_owned() });
    match answer {
        Answer::OpenConnection => {
            wrap("OpenConnectionResponse", &proto::OpenConnectionResponse { metadata: metadata() })
        }
        Answer::CloseConnection => wrap(
            "CloseConnectionResponse",
            &proto::CloseConnectionResponse { metadata: metadata() },
        ),
        Answer::ConnectionSync(properties) => {
            let conn_props = Some(conn_props(properties));
            let metadata = metadata();
            wrap("ConnectionSyncResponse", &proto::ConnectionSyncResponse { conn_props, metadata })
        }
        Answer::CreateStatement(Handle { connection, statement }) => wrap(
            "CreateStatementResponse",
            &proto::CreateStatementResponse {
                connection_id: connection,
                statement_id: statement,
                metadata: metadata(),
            },
        ),
        Answer::CloseStatement => {
            wrap("CloseStatementResponse", &proto::CloseStatementResponse { metadata: metadata() })
        }
        Answer::Prepare(Handle { connection, statement }, of) => {
            let signature = Some(signature(of));
            let statement =
                proto::StatementHandle { connection_id: connection, id: statement, signature };
            let metadata = metadata();
            wrap(
                "PrepareResponse",
                &proto::PrepareResponse { statement: Some(statement), metadata },
            )
        }
        Answer::Execute(set) => executed(vec![result_set(*set, metadata())], false, metadata()),
        Answer::NoStatementToExecute => executed(Vec::new(), true, metadata()),
        Answer::ResultSet(set) => wrap("ResultSetResponse", &result_set(*set, metadata())),
        Answer::Fetch(rows) => fetched(Some(rows), false, false, metadata()),
        Answer::NoStatementToFetch => fetched(None, true, true, metadata()),
        Answer::NoResultsToFetch => fetched(None, false, true, metadata()),
        Answer::DatabaseProperties => wrap(
            "DatabasePropertyResponse",
            &proto::DatabasePropertyResponse { metadata: metadata() },
        ),
        Answer::Commit => wrap("CommitResponse", &proto::CommitResponse {}),
        Answer::Rollback => wrap("RollbackResponse", &proto::RollbackResponse {}),
    }
}

/// Writes an error.
pub(in super::super) fn refuse(failure: &Failure) -> Vec<u8> {
    let severity = match failure.is_error() {
        true => proto::Severity::ErrorSeverity,
        false => proto::Severity::UnknownSeverity,
    };
    let response = proto::ErrorResponse {
        exceptions: failure.exceptions(),
        has_exceptions: true,
        error_message: failure.to_string(),
        severity: severity.into(),
        error_code: failure.code().cast_unsigned(),
        sql_state: failure.sql_state().to_owned(),
        metadata: None,
    };
    wrap("ErrorResponse", &response)
}

fn wrap(name: &str, message: &impl Message) -> Vec<u8> {
    let name = format!("{RESPONSES}{name}");
    let wrapped_message = message.encode_to_vec().into();
    proto::WireMessage { name, wrapped_message }.encode_to_vec()
}

fn executed(
    results: Vec<proto::ResultSetResponse>,
    missing_statement: bool,
    metadata: Option<proto::RpcMetadata>,
) -> Vec<u8> {
    wrap("ExecuteResponse", &proto::ExecuteResponse { results, missing_statement, metadata })
}

fn fetched(
    rows: Option<Frame>,
    missing_statement: bool,
    missing_results: bool,
    metadata: Option<proto::RpcMetadata>,
) -> Vec<u8> {
    let frame = rows.map(frame);
    wrap(
        "FetchResponse",
        &proto::FetchResponse { frame, missing_statement, missing_results, metadata },
    )
}

fn conn_props(given: ConnectionProperties) -> proto::ConnectionProperties {
    proto::ConnectionProperties {
        is_dirty: given.is_dirty,
        auto_commit: given.auto_commit.unwrap_or_default(),
        has_auto_commit: given.auto_commit.is_some(),
        read_only: given.read_only.unwrap_or_default(),
        has_read_only: given.read_only.is_some(),
        transaction_isolation: given.transaction_isolation.unwrap_or_default(),
        catalog: given.catalog.unwrap_or_default(),
        schema: given.schema.unwrap_or_default(),
    }
}

fn result_set(set: ResultSet, metadata: Option<proto::RpcMetadata>) -> proto::ResultSetResponse {
    proto::ResultSetResponse {
        connection_id: set.handle.connection,
        statement_id: set.handle.statement,
        own_statement: set.own_statement,
        signature: Some(signature(set.signature)),
        first_frame: Some(frame(set.first_frame)),
        update_count: NO_UPDATE,
        metadata,
    }
}

fn signature(of: Signature) -> proto::Signature {
    let style = proto::CursorStyle::CursorList.into();
    proto::Signature {
        columns: (0..).zip(&of.columns).map(column).collect(),
        sql: of.sql.unwrap_or_default(),
        parameters: of.parameters.iter().enumerate().map(parameter).collect(),
        cursor_factory: Some(proto::CursorFactory { style, ..proto::CursorFactory::default() }),
        statement_type: proto::StatementType::Select.into(),
    }
}

fn column((ordinal, column): (u32, &ColumnInfo)) -> proto::ColumnMetaData {
    let ColumnInfo { name, jdbc, type_name, rep, component, is_nullable } = column;
    let component =
        component.map(|(element, of_element)| scalar(element, element.name, of_element));
    let shown =
        proto::AvaticaType { component: component.map(Box::new), ..scalar(*jdbc, type_name, *rep) };
    proto::ColumnMetaData {
        ordinal,
        case_sensitive: true,
        nullable: (*is_nullable).into(),
        signed: true,
        display_size: jdbc.precision.cast_unsigned(),
        label: name.clone(),
        column_name: name.clone(),
        precision: jdbc.precision.cast_unsigned(),
        scale: jdbc.scale.cast_unsigned(),
        read_only: true,
        column_class_name: jdbc.class_name.to_owned(),
        r#type: Some(shown),
        ..proto::ColumnMetaData::default()
    }
}

fn scalar(jdbc: JdbcType, name: &str, rep: Rep) -> proto::AvaticaType {
    proto::AvaticaType {
        id: jdbc.id.cast_unsigned(),
        name: name.to_owned(),
        rep: number_of(rep).into(),
        component: None,
    }
}

fn number_of(rep: Rep) -> proto::Rep {
    match rep {
        Rep::Boolean => proto::Rep::Boolean,
        Rep::Integer => proto::Rep::Integer,
        Rep::Long => proto::Rep::Long,
        Rep::Float => proto::Rep::Float,
        Rep::Double => proto::Rep::Double,
        Rep::Text => proto::Rep::String,
        Rep::Array => proto::Rep::Array,
        Rep::Object => proto::Rep::Object,
    }
}

fn parameter((index, jdbc): (usize, &JdbcType)) -> proto::AvaticaParameter {
    proto::AvaticaParameter {
        signed: false,
        precision: jdbc.precision.cast_unsigned(),
        scale: jdbc.scale.cast_unsigned(),
        parameter_type: jdbc.id.cast_unsigned(),
        type_name: jdbc.name.to_owned(),
        class_name: jdbc.class_name.to_owned(),
        name: format!("?{index}"),
    }
}

fn frame(Frame { offset, is_done, rows }: Frame) -> proto::Frame {
    let row = |cells: Vec<Cell>| proto::Row { value: cells.into_iter().map(value).collect() };
    proto::Frame { offset, done: is_done, rows: rows.into_iter().map(row).collect() }
}

fn value(cell: Cell) -> proto::ColumnValue {
    match cell {
        Cell::Array(cells) => {
            let values: Vec<_> = cells.into_iter().map(typed).collect();
            proto::ColumnValue {
                array_value: values,
                has_array_value: true,
                ..proto::ColumnValue::default()
            }
        }
        cell => {
            let scalar = typed(cell);
            proto::ColumnValue {
                value: vec![scalar.clone()],
                scalar_value: Some(scalar),
                ..proto::ColumnValue::default()
            }
        }
    }
}

fn typed(cell: Cell) -> proto::TypedValue {
    let of = |rep: proto::Rep| proto::TypedValue { r#type: rep.into(), ..Default::default() };
    match cell {
        Cell::Null => proto::TypedValue { null: true, ..of(proto::Rep::Null) },
        Cell::Boolean(value) => proto::TypedValue { bool_value: value, ..of(proto::Rep::Boolean) },
        Cell::Long(value) | Cell::Timestamp(value) => {
            proto::TypedValue { number_value: value, ..of(proto::Rep::Long) }
        }
        Cell::Date(days) => {
            proto::TypedValue { number_value: days.into(), ..of(proto::Rep::Integer) }
        }
        Cell::Float(value) => {
            proto::TypedValue { double_value: value.into(), ..of(proto::Rep::Float) }
        }
        Cell::Double(value) => proto::TypedValue { double_value: value, ..of(proto::Rep::Double) },
        Cell::Text(text) => proto::TypedValue { string_value: text, ..of(proto::Rep::String) },
        Cell::Array(cells) => {
            let array_value = cells.into_iter().map(typed).collect();
            let component_type = proto::Rep::Object.into();
            proto::TypedValue { array_value, component_type, ..of(proto::Rep::Array) }
        }
    }
}
