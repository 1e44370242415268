//! `ExecuteSql`: statements over gRPC. Rows are written while they come, so the tail tells that none is missing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use henge_platform::rpc::{RpcLimits, status};
use henge_platform::runtime::MemoryAccount;
use henge_proto::v1::execute_sql_response::Part;
use henge_proto::v1::{
    ExecuteSqlRequest, ExecuteSqlResponse, SqlColumn as TellColumn, SqlFormat, SqlHead,
    SqlParameter, SqlTail,
};
use henge_sql::result::{Encoding, Layout, ResultFormat, Writer};
use henge_sql::{Parameter, SqlAnswer, SqlColumn, SqlError, SqlRequest};
use henge_types::ErrorClass;
use serde_json::{Map, Value};
use tonic::Status;

use super::{PIECE_BYTES, pieces};
use crate::api::drivers::AnswerSql;
use crate::execute::made_id;

const QUERY_ID: &str = "sqlQueryId";
const TIMEOUT: &str = "timeout";

/// Runs a statement whose caller waits so long.
///
/// # Errors
/// When it is wrong, or fails before its first row.
pub(super) async fn execute_sql(
    sql: &Arc<dyn AnswerSql>,
    limits: &RpcLimits,
    request: ExecuteSqlRequest,
    time_left: Option<Duration>,
) -> Result<impl Stream<Item = Result<ExecuteSqlResponse, Status>> + use<>, Status> {
    let charge = limits.requests.charge(request.sql.len() + request.context.len());
    let _held = charge.map_err(|full| status(full.class(), &full.to_string()))?;
    let layout = Layout { format: format_of(request.format)?, ..Layout::default() };
    let (request, query_id) = read(request, time_left)?;
    let answered = sql.run(request).await.map_err(|error| refused(&error))?;
    let SqlAnswer { columns, batches, context } = answered;
    let encoding = Encoding::of_context(&context).map_err(|error| refused(&error))?;
    let writer = Writer::new(&columns, layout, encoding).map_err(|error| refused(&error))?;
    let head = SqlHead { query_id, columns: columns.iter().map(told).collect() };
    let account = limits.answers.clone();
    let rest = Written { writer, batches, rows: 0, step: Step::Begin };
    let rest =
        stream::try_unfold(rest, next).map_ok(move |made| charged(made, &account).map(parts));
    let rest = rest.map_err(|error| refused(&error)).map(|made| made.and_then(|made| made));
    Ok(stream::iter([Ok(of(Part::Head(head)))]).chain(rest.try_flatten()))
}

/// An answer on its way to be written.
struct Written {
    writer: Writer,
    batches: BoxStream<'static, henge_sql::Result<arrow_array::RecordBatch>>,
    rows: u64,
    step: Step,
}

enum Step {
    Begin,
    Rows,
    Over,
}

type Made = ((Vec<u8>, Option<SqlTail>), Written);

/// The next bytes, about a piece of them, and the tail after the last ones.
async fn next(mut written: Written) -> Result<Option<Made>, SqlError> {
    let mut out = Vec::new();
    match written.step {
        Step::Begin => written.writer.begin(&mut out)?,
        Step::Rows => {}
        Step::Over => return Ok(None),
    }
    written.step = Step::Rows;
    while out.len() < PIECE_BYTES {
        match written.batches.try_next().await? {
            Some(batch) => {
                written.rows += batch.num_rows() as u64;
                written.writer.rows(&batch, &mut out)?;
            }
            None => {
                written.writer.end(&mut out)?;
                written.step = Step::Over;
                let tail = SqlTail { rows: written.rows };
                return Ok(Some(((out, Some(tail)), written)));
            }
        }
    }
    Ok(Some(((out, None), written)))
}

/// Bytes that are charged until they are sent.
fn charged(
    (out, tail): (Vec<u8>, Option<SqlTail>),
    account: &MemoryAccount,
) -> Result<(Bytes, Option<SqlTail>), Status> {
    let charge = account.charge(out.len());
    let charge = charge.map_err(|full| status(full.class(), &full.to_string()))?;
    Ok((charge.hold(out.into()), tail))
}

fn parts(
    (bytes, tail): (Bytes, Option<SqlTail>),
) -> impl Stream<Item = Result<ExecuteSqlResponse, Status>> + use<> {
    let all = pieces(bytes).map(Part::Piece).chain(tail.map(Part::Tail));
    stream::iter(all.map(|part| Ok(of(part))))
}

fn of(part: Part) -> ExecuteSqlResponse {
    ExecuteSqlResponse { part: Some(part) }
}

fn told(column: &SqlColumn) -> TellColumn {
    TellColumn {
        name: column.name.clone(),
        sql_type: column.sql_type.clone(),
        native_type: column.native_type.clone(),
    }
}

/// The statement, and its name.
fn read(
    request: ExecuteSqlRequest,
    time_left: Option<Duration>,
) -> Result<(SqlRequest, String), Status> {
    let ExecuteSqlRequest { sql, context, parameters, query_id, .. } = request;
    let mut context: Map<String, Value> = match context.is_empty() {
        true => Map::new(),
        false => serde_json::from_str(&context)
            .map_err(|error| invalid(&format!("context: is no JSON object: {error}")))?,
    };
    let named = context.get(QUERY_ID).and_then(Value::as_str).map(str::to_owned);
    let query_id = named.or(Some(query_id).filter(|id| !id.is_empty())).unwrap_or_else(made_id);
    context.insert(QUERY_ID.to_owned(), query_id.clone().into());
    let given_ms = context.get(TIMEOUT).and_then(Value::as_u64);
    if let Some(timeout_ms) = super::sooner(given_ms, time_left) {
        context.insert(TIMEOUT.to_owned(), timeout_ms.into());
    }
    let parameters = parameters.into_iter().enumerate().map(|(index, given)| {
        let SqlParameter { r#type: sql_type, value } = given;
        let value = serde_json::from_str(&value)
            .map_err(|error| invalid(&format!("parameters[{index}]: is no JSON: {error}")))?;
        Ok(Parameter { sql_type, value })
    });
    let parameters = parameters.collect::<Result<_, Status>>()?;
    Ok((SqlRequest { text: sql, context, parameters, now_ms: 0 }, query_id))
}

fn format_of(format: i32) -> Result<ResultFormat, Status> {
    match SqlFormat::try_from(format) {
        Ok(SqlFormat::Unspecified | SqlFormat::Object) => Ok(ResultFormat::Object),
        Ok(SqlFormat::Array) => Ok(ResultFormat::Array),
        Ok(SqlFormat::ObjectLines) => Ok(ResultFormat::ObjectLines),
        Ok(SqlFormat::ArrayLines) => Ok(ResultFormat::ArrayLines),
        Ok(SqlFormat::Csv) => Ok(ResultFormat::Csv),
        Ok(SqlFormat::Arrow) => Ok(ResultFormat::Arrow),
        Err(_) => Err(invalid(&format!("format {format} is unknown: use one of SqlFormat"))),
    }
}

fn refused(error: &SqlError) -> Status {
    status(error.class, &error.to_string())
}

fn invalid(message: &str) -> Status {
    status(ErrorClass::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array};
    use henge_platform::runtime::MemoryAccount;
    use tokio::sync::watch;

    use super::*;
    use crate::api::drivers::fake::Fake;

    async fn parts_of(request: ExecuteSqlRequest) -> Vec<Part> {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5));
        let fake = Fake::default().on("SELECT n", vec![("n", "BIGINT", values)], &[], 2);
        let sql: Arc<dyn AnswerSql> = Arc::new(fake);
        let limits = RpcLimits {
            max_request_bytes: 1 << 20,
            requests: MemoryAccount::unbounded(),
            answers: MemoryAccount::unbounded(),
            patience: Duration::from_secs(30),
            stopping: watch::Sender::new(false).subscribe(),
        };
        let parts = execute_sql(&sql, &limits, request, None).await.unwrap();
        parts.map(|part| part.unwrap().part.unwrap()).collect().await
    }

    #[tokio::test]
    async fn an_answer_is_a_head_its_bytes_and_a_tail() {
        let request = ExecuteSqlRequest {
            sql: "SELECT n".into(),
            query_id: "q".into(),
            format: SqlFormat::Array.into(),
            ..Default::default()
        };
        let parts = parts_of(request).await;
        let Part::Head(head) = &parts[0] else { panic!("{parts:?}") };
        assert_eq!((head.query_id.as_str(), head.columns[0].sql_type.as_str()), ("q", "BIGINT"));
        let bytes: Vec<u8> = parts
            .iter()
            .filter_map(
                |part| if let Part::Piece(piece) = part { Some(piece.to_vec()) } else { None },
            )
            .flatten()
            .collect();
        let rows: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(rows, serde_json::json!([[0], [1], [2], [3], [4]]));
        assert_eq!(parts.last(), Some(&Part::Tail(SqlTail { rows: 5 })));
    }

    #[test]
    fn names_times_and_parameters_are_read() {
        let request = ExecuteSqlRequest {
            sql: "SELECT ?".into(),
            context: r#"{"timeout": 900, "sqlQueryId": "named"}"#.into(),
            parameters: vec![SqlParameter { r#type: "VARCHAR".into(), value: "\"x\"".into() }],
            query_id: "other".into(),
            ..Default::default()
        };
        let (read_request, id) = read(request, Some(Duration::from_millis(500))).unwrap();
        assert_eq!((id.as_str(), &read_request.context["timeout"]), ("named", &500.into()));
        assert_eq!(read_request.parameters[0].value, "x");
        let wrong = ExecuteSqlRequest { context: "[]".into(), ..Default::default() };
        assert!(read(wrong, None).is_err());
        assert!(format_of(99).is_err());
    }
}
