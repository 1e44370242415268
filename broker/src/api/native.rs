//! `POST /druid/v2`: native queries.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use henge_answer::Form;
use henge_exec::{MemoryLease, QueryMemory};
use henge_platform::http::{DruidError, LimitedBody};
use henge_query::{Query, Remarks};
use henge_types::ErrorClass;
use serde_json::Value;

use crate::Broker;
use crate::api::accept::{form_of, media_type};
use crate::error::Result;
use crate::execute::{QueryResponse, made_id};

const DRUID_ETAG: &str = "x-druid-etag";
const PROFILE: &str = "x-henge-profile";
const QUERY_ID: &str = "x-druid-query-id";
pub(super) const RESPONSE_CONTEXT: &str = "x-druid-response-context";
pub(super) const WARNINGS: &str = "x-henge-warnings";

/// What a parsed query takes, as a multiple of its text.
const PARSED_FACTOR: usize = 4;

/// Answers a native query.
pub(super) async fn query(
    State(broker): State<Arc<Broker>>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
    LimitedBody(body): LimitedBody,
) -> Response {
    let Asked { query, warnings, _held } = match ask(&broker, body).await {
        Ok(asked) => asked,
        Err(error) => return error.into_response(),
    };
    let query_id = query.base().context.query_id.clone().unwrap_or_else(made_id);
    let wants_profile = query.base().context.profile;
    let if_none_match = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let form = form_of(&headers, wants_pretty(parameters.as_deref()));
    match broker.execute(query, form, &query_id, if_none_match).await {
        Ok(mut response) => {
            if !warnings.is_empty() {
                response.response_context.insert("warnings".to_owned(), warnings.clone().into());
            }
            let mut http = respond(response, form, wants_profile);
            if !warnings.is_empty() {
                http.headers_mut().insert(WARNINGS, ascii_json(&warnings.into()));
            }
            http
        }
        Err(error) => with_id(DruidError::from(error).into_response(), &query_id),
    }
}

/// A query that was read, and what is to be told of it.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) warnings: Vec<String>,
    /// What it holds until it is answered.
    pub(super) _held: MemoryLease,
}

/// Reads a query.
///
/// # Errors
/// When it is none, or is refused for what is to be told of it.
pub(super) async fn ask(broker: &Broker, body: Bytes) -> Result<Asked, DruidError> {
    let parsed = parse(broker, body).await;
    let is_none = |class| matches!(class, ErrorClass::InvalidInput | ErrorClass::Unsupported);
    if parsed.as_ref().is_err_and(|error| is_none(error.class())) {
        broker.metrics.invalid.add(1);
    }
    let (query, remarks, held) = parsed?;
    // What is not known yet is not to be warned of.
    broker.readiness.check()?;
    let warnings = warnings(broker, &query, remarks).await?;
    Ok(Asked { query, warnings, _held: held })
}

/// Parses on the pool: an IN list may have a million values. What it holds is charged as a query's.
async fn parse(broker: &Broker, body: Bytes) -> Result<(Query, Remarks, MemoryLease)> {
    const INLINE_BYTES: usize = 64 << 10;
    let pool = Arc::clone(broker.services.running.pool());
    let mut held = QueryMemory::new(pool, broker.options.memory_budget_bytes).lease();
    held.set(body.len().saturating_mul(PARSED_FACTOR))?;
    let is_short = body.len() <= INLINE_BYTES;
    let strict = broker.options.strict;
    let lookups = broker.lookups.for_query(&body).await?;
    let read = move || Query::parse_with_warnings(&body, strict, lookups);
    let (query, remarks) = match is_short {
        true => read()?,
        false => broker.services.pool.spawn(0, read).await??,
    };
    Ok((query, remarks, held))
}

/// All that is to be told of a query.
///
/// # Errors
/// The first of it that depends on what there is, when the query or the server is strict.
async fn warnings(
    broker: &Broker,
    query: &Query,
    remarks: Remarks,
) -> Result<Vec<String>, DruidError> {
    let mut found = datasource_warnings(broker, query).await;
    found.extend(broker.column_warnings(query, &remarks).await);
    let is_strict = broker.options.strict || query.base().context.strict;
    match found.first() {
        Some(first) if is_strict => Err(DruidError::new(ErrorClass::InvalidInput, first.clone())),
        _ => Ok([remarks.warnings, found].concat()),
    }
}

/// Tells of datasources that have no data, with the one that was meant where its name is near.
async fn datasource_warnings(broker: &Broker, query: &Query) -> Vec<String> {
    // Without a view the query itself says why.
    let Ok(view) = broker.views.current().await else { return Vec::new() };
    let known = |name: &str| view.tables.iter().any(|(known, _)| **known == *name);
    let names = query.base().data_source.all_table_names();
    let unknown = names.into_iter().filter(|name| !known(name)).map(|name| {
        let meant = henge_query::closest_name(name, view.tables.keys().map(|known| &**known));
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        format!("dataSource: there is no data of datasource '{name}'{meant}")
    });
    unknown.collect()
}

fn respond(response: QueryResponse, form: Form, wants_profile: bool) -> Response {
    let mut http = match response.body {
        Some(body) => Response::new(Body::from(body)),
        None => {
            let mut http = Response::new(Body::empty());
            *http.status_mut() = StatusCode::NOT_MODIFIED;
            http
        }
    };
    let headers = http.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(form)));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(RESPONSE_CONTEXT, ascii_json(&Value::Object(response.response_context)));
    if let Some(Ok(etag)) = response.etag.map(HeaderValue::try_from) {
        headers.insert(DRUID_ETAG, etag.clone());
        headers.insert(header::ETAG, etag);
    }
    if let (true, Ok(profile)) = (wants_profile, HeaderValue::try_from(response.profile.to_json()))
    {
        headers.insert(PROFILE, profile);
    }
    with_id(http, &response.query_id)
}

/// A value for a header: JSON in ASCII.
pub(super) fn ascii_json(value: &Value) -> HeaderValue {
    let mut text = String::new();
    for character in value.to_string().chars() {
        let mut units = [0; 2];
        match character {
            ' '..='~' => text.push(character),
            other => other.encode_utf16(&mut units).iter().for_each(|unit| {
                text.push_str(&format!("\\u{unit:04x}"));
            }),
        }
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("{}"))
}

fn with_id(mut response: Response, query_id: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(query_id) {
        response.headers_mut().insert(QUERY_ID, value);
    }
    response
}

fn wants_pretty(parameters: Option<&str>) -> bool {
    let names = parameters.unwrap_or_default().split('&');
    names.filter_map(|parameter| parameter.split('=').next()).any(|name| name == "pretty")
}
