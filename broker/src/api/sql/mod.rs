//! `POST /druid/v2/sql`: statements, and their cancellation.

mod answer;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use bytes::Bytes;
use henge_platform::http::{DruidError, LimitedBody};
use henge_sql::SqlError;
use henge_types::ErrorClass;

use self::request::Asked;
use crate::Sql;
use crate::sql::SqlFailure;

/// Larger requests would keep the threads of the network from their work.
const READ_INLINE_BYTES: usize = 64 << 10;

const SQL_QUERY_ID: &str = "x-druid-sql-query-id";

/// The routes of SQL.
pub fn sql_router(sql: Arc<Sql>) -> Router {
    Router::new()
        .route("/druid/v2/sql", get(say_post).post(statement))
        .route("/druid/v2/sql/", get(say_post).post(statement))
        .route("/druid/v2/sql/{sql_query_id}", delete(cancel))
        .with_state(sql)
}

/// Answers a statement.
async fn statement(
    State(sql): State<Arc<Sql>>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Response {
    let asked = match read(&sql, &headers, &body).await {
        Ok(asked) => asked,
        Err(error) => return shown(&error).into_response(),
    };
    // The body stays charged until there is a plan, which is about as large.
    match answer::respond(&sql, asked, &headers).await {
        Ok(response) => response,
        Err(SqlFailure { sql_query_id, error }) => {
            let response = shown(&error).into_response();
            match sql_query_id {
                Some(id) => with_id(response, &id),
                None => response,
            }
        }
    }
}

/// Reads a request, a large one on the pool.
async fn read(sql: &Sql, headers: &HeaderMap, body: &Bytes) -> Result<Asked, SqlError> {
    let strict = sql.broker.options.strict;
    if body.len() <= READ_INLINE_BYTES {
        return request::read(headers, body, strict);
    }
    let (headers, body) = (headers.clone(), body.clone());
    let read = move || request::read(&headers, &body, strict);
    match sql.broker.services.pool.spawn(0, read).await {
        Ok(asked) => asked,
        Err(error) => Err(SqlError::new(error.class(), error.to_string())),
    }
}

/// 202 when a statement was told to stop, 404 when none has the id.
async fn cancel(
    State(sql): State<Arc<Sql>>,
    Path(sql_query_id): Path<String>,
) -> Result<StatusCode, DruidError> {
    match sql.cancel(&sql_query_id) {
        true => Ok(StatusCode::ACCEPTED),
        false => {
            let shown: String = sql_query_id.chars().take(128).collect();
            let message = format!("no statement with the id '{shown}' is at work on this broker");
            Err(DruidError::not_found(message))
        }
    }
}

/// A browser, or somebody who guesses, gets to know how statements are sent.
async fn say_post() -> Response {
    let message = "statements are sent by POST: {\"query\": \"SELECT 1\"} as application/json, or the bare \
                   statement as text/plain";
    let error = DruidError::new(ErrorClass::Unsupported, message)
        .with_status(StatusCode::METHOD_NOT_ALLOWED);
    ([(header::ALLOW, "POST")], error).into_response()
}

/// An error of a statement as clients read it, with its place in the text.
fn shown(error: &SqlError) -> DruidError {
    // The endpoint is there: what the statement names is not, and clients take 404 for the former.
    let class = match error.class {
        ErrorClass::NotFound => ErrorClass::InvalidInput,
        class => class,
    };
    let shown = DruidError::new(class, error.to_string()).with_context("sourceType", "sql");
    match error.at {
        Some((line, column)) => {
            shown.with_context("line", line.to_string()).with_context("column", column.to_string())
        }
        None => shown,
    }
}

fn with_id(mut response: Response, sql_query_id: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(sql_query_id) {
        response.headers_mut().insert(SQL_QUERY_ID, value);
    }
    response
}
