//! Requests from protobuf.

use henge_proto::avatica as proto;
use prost::Message;

use super::super::failure::{Failure, Result};
use super::super::message::{Ask, ConnectionProperties, FrameSize, GivenValue, Handle, Listing};
use super::REQUESTS;
use crate::api::drivers::{Cell, Pattern};

/// Reads a request.
///
/// # Errors
/// When it is no request of Avatica, or one that is not answered.
pub(in super::super) fn read(body: &[u8]) -> Result<Ask> {
    let proto::WireMessage { name, wrapped_message: message } = decode(body)?;
    let short = name.strip_prefix(REQUESTS).unwrap_or(&name);
    Ok(match short {
        "OpenConnectionRequest" => {
            let proto::OpenConnectionRequest { connection_id, info } = decode(&message)?;
            Ask::OpenConnection { connection: connection_id, info: info.into_iter().collect() }
        }
        "CloseConnectionRequest" => {
            let asked: proto::CloseConnectionRequest = decode(&message)?;
            Ask::CloseConnection { connection: asked.connection_id }
        }
        "ConnectionSyncRequest" => {
            let proto::ConnectionSyncRequest { connection_id, conn_props } = decode(&message)?;
            let properties = properties(conn_props.unwrap_or_default());
            Ask::ConnectionSync { connection: connection_id, properties }
        }
        "CreateStatementRequest" => {
            let asked: proto::CreateStatementRequest = decode(&message)?;
            Ask::CreateStatement { connection: asked.connection_id }
        }
        "CloseStatementRequest" => {
            let proto::CloseStatementRequest { connection_id, statement_id } = decode(&message)?;
            Ask::CloseStatement { handle: handle(connection_id, statement_id) }
        }
        "PrepareRequest" => {
            let asked: proto::PrepareRequest = decode(&message)?;
            let max_rows = rows(asked.max_rows_total).or(old_rows(asked.max_row_count));
            Ask::Prepare { connection: asked.connection_id, sql: asked.sql, max_rows }
        }
        "PrepareAndExecuteRequest" => {
            let asked: proto::PrepareAndExecuteRequest = decode(&message)?;
            Ask::PrepareAndExecute {
                handle: handle(asked.connection_id, asked.statement_id),
                sql: asked.sql,
                max_rows: rows(asked.max_rows_total).or(old_rows(asked.max_row_count)),
                frame: rows(asked.first_frame_max_size.into()),
            }
        }
        "ExecuteRequest" => execute(&message)?,
        "FetchRequest" => {
            let asked: proto::FetchRequest = decode(&message)?;
            let old = old_rows(i64::from(asked.fetch_max_row_count as i32).cast_unsigned());
            Ask::Fetch {
                handle: handle(asked.connection_id, asked.statement_id),
                offset: asked.offset,
                frame: rows(asked.frame_max_size.into()).or(old),
            }
        }
        "DatabasePropertyRequest" => {
            let asked: proto::DatabasePropertyRequest = decode(&message)?;
            Ask::DatabaseProperties { connection: asked.connection_id }
        }
        "CommitRequest" => {
            let asked: proto::CommitRequest = decode(&message)?;
            Ask::Commit { connection: asked.connection_id }
        }
        "RollbackRequest" => {
            let asked: proto::RollbackRequest = decode(&message)?;
            Ask::Rollback { connection: asked.connection_id }
        }
        other => listing(other, &message)?,
    })
}

fn listing(name: &str, message: &[u8]) -> Result<Ask> {
    let (connection, what) = match name {
        "CatalogsRequest" => {
            let asked: proto::CatalogsRequest = decode(message)?;
            (asked.connection_id, Listing::Catalogs)
        }
        "SchemasRequest" => {
            let asked: proto::SchemasRequest = decode(message)?;
            let catalog = catalog(asked.has_catalog, &asked.catalog);
            let schema = pattern(asked.has_schema_pattern, &asked.schema_pattern);
            (asked.connection_id, Listing::Schemas { catalog, schema })
        }
        "TablesRequest" => {
            let asked: proto::TablesRequest = decode(message)?;
            let what = Listing::Tables {
                catalog: catalog(asked.has_catalog, &asked.catalog),
                schema: pattern(asked.has_schema_pattern, &asked.schema_pattern),
                table: pattern(asked.has_table_name_pattern, &asked.table_name_pattern),
                kinds: asked.has_type_list.then_some(asked.type_list),
            };
            (asked.connection_id, what)
        }
        "TableTypesRequest" => {
            let asked: proto::TableTypesRequest = decode(message)?;
            (asked.connection_id, Listing::TableTypes)
        }
        "ColumnsRequest" => {
            let asked: proto::ColumnsRequest = decode(message)?;
            let what = Listing::Columns {
                catalog: catalog(asked.has_catalog, &asked.catalog),
                schema: pattern(asked.has_schema_pattern, &asked.schema_pattern),
                table: pattern(asked.has_table_name_pattern, &asked.table_name_pattern),
                column: pattern(asked.has_column_name_pattern, &asked.column_name_pattern),
            };
            (asked.connection_id, what)
        }
        "TypeInfoRequest" => {
            let asked: proto::TypeInfoRequest = decode(message)?;
            (asked.connection_id, Listing::Types)
        }
        other => {
            let shown: String = other.chars().take(100).collect();
            return Err(Failure::unsupported(format!("request '{shown}' is not answered here")));
        }
    };
    Ok(Ask::Listing { connection, what })
}

fn execute(message: &[u8]) -> Result<Ask> {
    let asked: proto::ExecuteRequest = decode(message)?;
    let of = asked.statement_handle.unwrap_or_default();
    let given = asked.parameter_values.into_iter().map(given_value);
    let old = old_rows(asked.deprecated_first_frame_max_size);
    Ok(Ask::Execute {
        handle: handle(of.connection_id, of.id),
        parameters: given.collect::<Result<_>>()?,
        frame: rows(asked.first_frame_max_size.into()).or(old),
    })
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|error| {
        Failure::invalid(format!("the request is not Avatica's protobuf: {error}"))
    })
}

fn handle(connection: String, statement: u32) -> Handle {
    Handle { connection, statement }
}

/// A number of rows; what is not positive, which is also what was not said, is as many as there are.
fn rows(rows: i64) -> FrameSize {
    u64::try_from(rows).ok().filter(|rows| *rows > 0)
}

/// The same from a field without sign.
fn old_rows(old: u64) -> FrameSize {
    rows(old.cast_signed())
}

fn pattern(is_there: bool, text: &str) -> Pattern {
    // Some clients do not say that it is there.
    Pattern::of((is_there || !text.is_empty()).then_some(text))
}

fn catalog(is_there: bool, name: &str) -> Pattern {
    Pattern::exactly((is_there && !name.is_empty()).then_some(name))
}

fn properties(given: proto::ConnectionProperties) -> ConnectionProperties {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    ConnectionProperties {
        is_dirty: given.is_dirty,
        auto_commit: given.has_auto_commit.then_some(given.auto_commit),
        read_only: given.has_read_only.then_some(given.read_only),
        transaction_isolation: Some(given.transaction_isolation),
        catalog: text(given.catalog),
        schema: text(given.schema),
    }
}

fn given_value(given: proto::TypedValue) -> Result<GivenValue> {
    use proto::Rep;
    let rep = given.r#type();
    let is_time = matches!(rep, Rep::JavaSqlTimestamp | Rep::JavaUtilDate);
    if is_time && !given.null && !given.implicitly_null {
        return Ok(GivenValue::WallClock(given.number_value));
    }
    plain(given).map(GivenValue::Plain)
}

fn plain(given: proto::TypedValue) -> Result<Cell> {
    use proto::Rep;
    if given.null || given.implicitly_null {
        return Ok(Cell::Null);
    }
    Ok(match given.r#type() {
        Rep::PrimitiveBoolean | Rep::Boolean => Cell::Boolean(given.bool_value),
        Rep::PrimitiveByte
        | Rep::PrimitiveShort
        | Rep::PrimitiveInt
        | Rep::PrimitiveLong
        | Rep::Byte
        | Rep::Short
        | Rep::Integer
        | Rep::Long
        | Rep::BigInteger => Cell::Long(given.number_value),
        Rep::PrimitiveFloat | Rep::PrimitiveDouble | Rep::Float | Rep::Double => {
            Cell::Double(given.double_value)
        }
        // A number that is whole may come in either field.
        Rep::Number if given.double_value == 0.0 => Cell::Long(given.number_value),
        Rep::Number => Cell::Double(given.double_value),
        Rep::JavaSqlDate => {
            let days = i32::try_from(given.number_value);
            let too_far = |_| Failure::invalid(format!("day {} is no date", given.number_value));
            Cell::Date(days.map_err(too_far)?)
        }
        Rep::JavaSqlTimestamp | Rep::JavaUtilDate => Cell::Timestamp(given.number_value),
        Rep::PrimitiveChar | Rep::Character | Rep::String | Rep::Object => {
            Cell::Text(given.string_value)
        }
        Rep::BigDecimal => {
            let text = &given.string_value;
            let none = |_| Failure::invalid(format!("'{text}' is no number"));
            Cell::Double(text.parse().map_err(none)?)
        }
        Rep::Null => Cell::Null,
        Rep::Array => {
            let cells = given.array_value.into_iter().map(plain);
            Cell::Array(cells.collect::<Result<_>>()?)
        }
        Rep::JavaSqlTime | Rep::ByteString | Rep::Struct | Rep::Multiset => {
            let message = format!("a parameter cannot be a {}", given.r#type().as_str_name());
            return Err(Failure::invalid(message));
        }
    })
}
