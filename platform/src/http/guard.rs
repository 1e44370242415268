//! Refuses what a stranger's web page sends through a user's browser (cross-site requests, DNS
//! rebinding): on an address that only this machine reaches, the browser is the way in.
//!
//! A request with an `Origin` other than this server's is refused unless it only reads; a request
//! that changes something must also name this server in its `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use henge_types::ErrorClass;

use super::error::{DruidError, closing};

/// Queries are sent with POST and change nothing.
const QUERIES: &str = "/druid/v2";

/// The names under which this server may be addressed, beside those of the loopback interface.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Arc<[String]>);

impl AllowedHosts {
    /// Allows these host names, compared without regard to case.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect())
    }

    /// True for `host` or `host:port` that means this server.
    fn allow(&self, authority: &str) -> bool {
        let host = host_of(authority).to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost"
            || address.is_ok_and(|address| address.is_loopback())
            || self.0.contains(&host)
    }
}

/// Middleware that refuses strangers with 403.
pub async fn refuse_strangers(
    State(hosts): State<AllowedHosts>,
    request: Request,
    next: Next,
) -> Response {
    match stranger(&hosts, request.method(), request.uri().path(), request.headers()) {
        // Its body is not read, so the connection cannot be used again.
        Some(message) => {
            let error = DruidError::new(ErrorClass::InvalidInput, message);
            closing(error.with_status(StatusCode::FORBIDDEN)).into_response()
        }
        None => next.run(request).await,
    }
}

/// Why a request is refused.
fn stranger(
    hosts: &AllowedHosts,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Option<String> {
    if method.is_safe() {
        return None;
    }
    let text = |name| {
        let value = headers.get(name)?;
        Some(value.to_str().unwrap_or("not text").to_owned())
    };
    if let Some(origin) = text(header::ORIGIN) {
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
        if !hosts.allow(authority) {
            return Some(refusal("Origin", &origin));
        }
    }
    let is_query = path == QUERIES || path.starts_with("/druid/v2/");
    let host = text(header::HOST).filter(|host| !is_query && !hosts.allow(host))?;
    Some(refusal("Host", &host))
}

fn refusal(name: &str, value: &str) -> String {
    let value: String = value.chars().take(256).collect();
    format!(
        "header {name} '{}' is not this server: add its host to limits.allowed_hosts if a proxy or a \
         page of yours sends it",
        value.escape_debug()
    )
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_of(authority: &str) -> &str {
    if let Some(end) = authority.find(']') {
        return &authority[..=end];
    }
    authority.split_once(':').map_or(authority, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(method: &Method, path: &str, pairs: &[(header::HeaderName, &str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let hosts = AllowedHosts::new(["Henge.Example".to_owned()]);
        stranger(&hosts, method, path, &headers.collect()).is_some()
    }

    #[test]
    fn h_69_a_foreign_host_or_origin_changes_nothing() {
        let events = "/v1/datasources/d/events";
        let (host, origin) = (header::HOST, header::ORIGIN);
        for own in [
            "localhost",
            "localhost:8888",
            "127.0.0.1:8888",
            "127.9.9.9",
            "[::1]:80",
            "HENGE.example",
        ] {
            assert!(!is_refused(&Method::POST, events, &[(host.clone(), own)]), "{own}");
            let page = format!("http://{own}");
            assert!(!is_refused(&Method::PUT, events, &[(origin.clone(), &page)]), "{page}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.1:8888",
            "[::2]",
            "",
            "127.0.0.1.evil.example:8888",
        ] {
            assert!(is_refused(&Method::POST, events, &[(host.clone(), foreign)]), "{foreign}");
            assert!(is_refused(&Method::DELETE, "/x", &[(host.clone(), foreign)]), "{foreign}");
            let page = format!("https://{foreign}");
            assert!(is_refused(&Method::POST, events, &[(origin.clone(), &page)]), "{page}");
            // A page that is not ours may not read answers either.
            assert!(is_refused(&Method::POST, "/druid/v2", &[(origin.clone(), &page)]), "{page}");
        }
        assert!(is_refused(&Method::POST, events, &[(origin.clone(), "null")]));
    }

    #[test]
    fn who_only_asks_may_come_by_another_name() {
        let foreign = [(header::HOST, "dashboards.example")];
        assert!(!is_refused(&Method::POST, "/druid/v2", &foreign));
        assert!(!is_refused(&Method::POST, "/druid/v2/", &foreign));
        assert!(!is_refused(&Method::GET, "/status", &foreign));
        assert!(is_refused(&Method::POST, "/druid/v2x", &foreign));
        assert!(!is_refused(&Method::POST, "/druid/indexer/v1/task", &[]));
    }
}
