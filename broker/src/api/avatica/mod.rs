//! Avatica, which JDBC drivers speak: connections and statements over HTTP, in JSON under
//! `/druid/v2/sql/avatica/` and in protobuf under `/druid/v2/sql/avatica-protobuf/`.
//!
//! Connections are of the broker that opened them: whoever balances over several sends a client to the same one.

mod connections;
mod cursor;
mod failure;
mod json;
mod listing;
mod message;
mod protobuf;
mod service;
mod signature;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use henge_platform::http::LimitedBody;

use self::service::Service;
use super::drivers::AnswerSql;

const JSON: &str = "application/json;charset=utf-8";
const PROTOBUF: &str = "application/x-google-protobuf";

/// In which old clients send the request instead of a body.
const REQUEST: &str = "request";

/// The routes, with and without the slash at the end. Both flavours see the same connections.
pub(super) fn router(sql: Arc<dyn AnswerSql>) -> Router {
    Router::new()
        .route("/druid/v2/sql/avatica", post(in_json))
        .route("/druid/v2/sql/avatica/", post(in_json))
        .route("/druid/v2/sql/avatica-protobuf", post(in_protobuf))
        .route("/druid/v2/sql/avatica-protobuf/", post(in_protobuf))
        .with_state(Arc::new(Service::new(sql)))
}

async fn in_json(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Response {
    let asked = match headers.get(REQUEST) {
        Some(request) if body.is_empty() => json::read(request.as_bytes()),
        _ => json::read(&body),
    };
    drop(body);
    let answered = match asked {
        Ok(asked) => service.answer(asked).await,
        Err(failure) => Err(failure),
    };
    let (status, written) = match answered {
        Ok(answer) => (StatusCode::OK, json::write(answer, server(&headers))),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, json::refuse(&failure)),
    };
    (status, [(header::CONTENT_TYPE, JSON)], written.to_string()).into_response()
}

async fn in_protobuf(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Response {
    let asked = protobuf::read(&body);
    drop(body);
    let answered = match asked {
        Ok(asked) => service.answer(asked).await,
        Err(failure) => Err(failure),
    };
    let (status, written) = match answered {
        Ok(answer) => (StatusCode::OK, protobuf::write(answer, server(&headers))),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, protobuf::refuse(&failure)),
    };
    (status, [(header::CONTENT_TYPE, PROTOBUF)], written).into_response()
}

/// The address of this server, as the client knows it.
fn server(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}
