//! The answer to a statement: rows are written while they are read, some at a time.
//!
//! The first rows are waited for, so that nearly all that can go wrong still has a status of its own. What goes wrong
//! later ends the connection, or, for clients that take trailers, the answer with `X-Druid-Response-Complete: false`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use axum::BoxError;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use henge_platform::http::{Piece, streamed};
use henge_sql::result::{Encoding, Layout, Writer};
use henge_sql::{Result, SqlError};
use serde_json::Value;

use super::request::Asked;
use super::with_id;
use crate::api::native::{RESPONSE_CONTEXT, WARNINGS, ascii_json};
use crate::sql::{Answered, Sql, SqlFailure};

const HEADER_INCLUDED: &str = "x-druid-sql-header-included";
const RESPONSE_COMPLETE: HeaderName = HeaderName::from_static("x-druid-response-complete");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-error-message");
const TRAILERS: &str = "X-Druid-Response-Complete, X-Error-Message";

/// Bytes after which a piece is sent.
const PIECE_BYTES: usize = 64 << 10;
/// Rows that are written before it is looked how many bytes they are.
const ROWS_AT_ONCE: usize = 512;

/// Runs a statement and begins its answer.
///
/// # Errors
/// When it has none, or fails before its first row.
pub(super) async fn respond(
    sql: &Arc<Sql>,
    asked: Asked,
    headers: &HeaderMap,
) -> Result<Response, SqlFailure> {
    let Asked { request, layout, warnings } = asked;
    // Wrong keys are known before anything was done.
    Encoding::of_context(&request.context)
        .map_err(|error| SqlFailure { sql_query_id: None, error })?;
    let mut answered = sql.run(request).await?;
    let named = |error| SqlFailure { sql_query_id: Some(answered.sql_query_id.clone()), error };
    let encoding = Encoding::of_context(&answered.context).map_err(named)?;
    let mut writer = Writer::new(&answered.columns, layout, encoding).map_err(named)?;
    let mut out = Vec::new();
    writer.begin(&mut out).map_err(named)?;
    let mut first = None;
    while let Some(batch) = answered.batches.next().await {
        let batch = batch.map_err(named)?;
        if batch.num_rows() > 0 {
            first = Some(batch);
            break;
        }
    }
    let mut response = Response::new(Body::empty());
    head(response.headers_mut(), &answered, layout, &warnings);
    let takes_trailers = takes_trailers(headers);
    if takes_trailers {
        response.headers_mut().insert(header::TRAILER, HeaderValue::from_static(TRAILERS));
    }
    let response = with_id(response, &answered.sql_query_id);
    let rows = Rows {
        sql_query_id: answered.sql_query_id,
        writer,
        out,
        batch: first,
        batches: answered.batches,
        takes_trailers,
    };
    Ok(response.map(|_empty| streamed(pieces(rows))))
}

fn head(headers: &mut HeaderMap, answered: &Answered, layout: Layout, warnings: &[String]) {
    let content_type = HeaderValue::from_static(layout.format.content_type());
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if layout.header {
        headers.insert(HEADER_INCLUDED, HeaderValue::from_static("yes"));
    }
    let mut context = answered.response_context();
    if !warnings.is_empty() {
        headers.insert(WARNINGS, ascii_json(&warnings.into()));
        context.insert("warnings".to_owned(), warnings.into());
    }
    headers.insert(RESPONSE_CONTEXT, ascii_json(&Value::Object(context)));
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// What is left of an answer.
struct Rows {
    sql_query_id: String,
    writer: Writer,
    /// Written and not sent.
    out: Vec<u8>,
    /// What is being written.
    batch: Option<RecordBatch>,
    batches: BoxStream<'static, Result<RecordBatch>>,
    takes_trailers: bool,
}

/// Where an answer is.
enum State {
    Rows(Box<Rows>),
    Ended { takes_trailers: bool, error: Option<String> },
}

fn pieces(rows: Rows) -> impl Stream<Item = Result<Piece, BoxError>> + Send {
    stream::unfold(Some(State::Rows(Box::new(rows))), |state| async move {
        match state? {
            State::Rows(rows) => Some(next_piece(rows).await),
            State::Ended { takes_trailers: false, .. } => None,
            State::Ended { error, .. } => Some((Ok(Piece::Trailers(trailers(error))), None)),
        }
    })
}

async fn next_piece(mut rows: Box<Rows>) -> (Result<Piece, BoxError>, Option<State>) {
    let takes_trailers = rows.takes_trailers;
    match rows.fill().await {
        Ok(is_whole) => {
            let bytes = Bytes::from(std::mem::take(&mut rows.out));
            let state = match is_whole {
                true => State::Ended { takes_trailers, error: None },
                false => State::Rows(rows),
            };
            (Ok(Piece::Bytes(bytes)), Some(state))
        }
        Err(error) => {
            // The status was sent: nothing but the end of the answer can tell.
            let sql_query_id = rows.sql_query_id.as_str();
            tracing::warn!(sql_query_id, %error, "an answer broke off");
            if !takes_trailers {
                return (Err(error.into()), None);
            }
            let bytes = Bytes::from(std::mem::take(&mut rows.out));
            let error = Some(error.to_string());
            (Ok(Piece::Bytes(bytes)), Some(State::Ended { takes_trailers, error }))
        }
    }
}

impl Rows {
    /// Writes the next piece; true when it is the last one.
    async fn fill(&mut self) -> Result<bool, SqlError> {
        loop {
            while let Some(batch) = self.batch.take() {
                let rows = batch.num_rows().min(ROWS_AT_ONCE);
                self.writer.rows(&batch.slice(0, rows), &mut self.out)?;
                if rows < batch.num_rows() {
                    self.batch = Some(batch.slice(rows, batch.num_rows() - rows));
                }
                if self.out.len() >= PIECE_BYTES {
                    return Ok(false);
                }
            }
            match self.batches.next().await {
                Some(batch) => self.batch = Some(batch?),
                None => {
                    self.writer.end(&mut self.out)?;
                    return Ok(true);
                }
            }
        }
    }
}

fn trailers(error: Option<String>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    let is_complete = if error.is_none() { "true" } else { "false" };
    trailers.insert(RESPONSE_COMPLETE, HeaderValue::from_static(is_complete));
    // A header has no line breaks.
    let message = error.map(|error| error.replace(|of: char| of.is_control(), " "));
    if let Some(Ok(message)) = message.map(|message| HeaderValue::from_bytes(message.as_bytes())) {
        trailers.insert(ERROR_MESSAGE, message);
    }
    trailers
}

#[cfg(test)]
mod tests;
