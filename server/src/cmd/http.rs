//! A client of the server's HTTP API, blocking: commands do one thing after the other.

use std::fmt;
use std::io::{BufReader, ErrorKind};
use std::time::Duration;

use henge_platform::config::Secret;
use serde_json::Value;
use ureq::{Agent, RequestBuilder};

const MAX_REPLY_BYTES: u64 = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// A server, as a command sees it. Clones share connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    base_url: String,
    token: Option<Secret>,
}

/// An answer that is read while it comes.
pub(crate) type StreamedBody = BufReader<ureq::BodyReader<'static>>;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Nobody listens there.
    #[error("no server answers at {0}; start one with `henge server`, or name another with --url")]
    Unreachable(String),
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// It asks for another token than it was shown.
    #[error(
        "{0} asks for the token of its cluster: give cluster.token by --token or HENGE_CLUSTER__TOKEN"
    )]
    NoToken(String),
    /// The connection or the answer broke.
    #[error("{url}: {reason}")]
    Broken {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// `--url` cannot be used.
    #[error("--url '{0}' must look like http://127.0.0.1:8888")]
    BadUrl(String),
}

impl HttpError {
    /// True when the same request may well work in a moment.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 503),
            Self::BadUrl(_) | Self::NoToken(_) => false,
        }
    }

    /// True when the server knows no such path, or is of a release that has not built it.
    pub(crate) fn is_no_route(&self) -> bool {
        match self {
            Self::Refused { status: 405 | 501, .. } => true,
            Self::Refused { status: 404, message } => message.starts_with(NO_ROUTE),
            _ => false,
        }
    }
}

fn with<B>(request: RequestBuilder<B>, headers: &[(&str, String)]) -> RequestBuilder<B> {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, value.as_bytes()))
}

/// How a server begins the words that it has no such path.
const NO_ROUTE: &str = "no such resource";

type Result<T, E = HttpError> = std::result::Result<T, E>;

impl Client {
    /// A client of the server at a URL; `http://` may be left out.
    ///
    /// # Errors
    /// `BadUrl`
    pub(crate) fn new(url: &str) -> Result<Self> {
        let bad = || HttpError::BadUrl(url.to_owned());
        let host = match url.trim().split_once("://") {
            None => url.trim(),
            Some(("http", host)) => host,
            Some(_) => return Err(bad()),
        };
        let host = host.trim_end_matches('/');
        if host.is_empty() {
            return Err(bad());
        }
        let base_url = format!("http://{host}");
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .build();
        Ok(Self { agent: Agent::new_with_config(config), base_url, token: None })
    }

    /// The same, showing a token where there is one.
    pub(crate) fn with_token(self, token: Option<&str>) -> Self {
        Self { token: token.filter(|token| !token.is_empty()).map(Secret::from), ..self }
    }

    /// Another process of the same cluster, at host:port.
    pub(crate) fn at(&self, address: &str) -> Self {
        Self { base_url: format!("http://{address}"), ..self.clone() }
    }

    /// Where the server is, without a slash at the end.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// `GET`
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let url = self.url(path);
        let answer = self.introduced(self.agent.get(&url)).call();
        self.read_json(&url, answer)
    }

    /// `GET` of something that is not JSON.
    pub(crate) fn get_text(&self, path: &str) -> Result<String> {
        let url = self.url(path);
        let answer = self.introduced(self.agent.get(&url)).call();
        Ok(String::from_utf8_lossy(&self.read(&url, answer)?).into_owned())
    }

    /// `PUT` of a JSON document.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let url = self.url(path);
        let request = self.agent.put(&url).content_type("application/json");
        self.read_json(&url, self.introduced(request).send(body.to_string()))
    }

    /// `POST` of a JSON document.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.post_with(path, body, &[])
    }

    /// The same, with headers in UTF-8.
    pub(crate) fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, String)],
    ) -> Result<Value> {
        let url = self.url(path);
        let request = with(self.agent.post(&url).content_type("application/json"), headers);
        self.read_json(&url, self.introduced(request).send(body.to_string()))
    }

    /// `POST` of bytes as they are.
    pub(crate) fn post_bytes(&self, path: &str, bytes: &[u8]) -> Result<Value> {
        let url = self.url(path);
        let request = self.agent.post(&url).content_type("application/octet-stream");
        self.read_json(&url, self.introduced(request).send(bytes))
    }

    /// `POST` of a JSON document whose answer is read while it comes, however long that takes.
    pub(crate) fn post_streamed(&self, path: &str, body: &Value) -> Result<StreamedBody> {
        let url = self.url(path);
        let request = self.agent.post(&url).content_type("application/json");
        let request = request.config().timeout_global(None).build();
        let answer = self.introduced(request).send(body.to_string());
        match answer {
            Ok(answer) if answer.status().is_success() => {
                Ok(BufReader::new(answer.into_body().into_reader()))
            }
            // What is refused is short.
            answer => match self.read(&url, answer) {
                Ok(_) => Err(HttpError::Broken { url, reason: "no answer".to_owned() }),
                Err(error) => Err(error),
            },
        }
    }

    /// `DELETE`
    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        self.delete_with(path, &[])
    }

    /// `DELETE`, with headers in UTF-8.
    pub(crate) fn delete_with(&self, path: &str, headers: &[(&str, String)]) -> Result<Value> {
        let url = self.url(path);
        let answer = self.introduced(with(self.agent.delete(&url), headers)).call();
        self.read_json(&url, answer)
    }

    /// Asks a native query.
    pub(crate) fn query(&self, query: &Value) -> Result<Value> {
        self.post("/druid/v2", query)
    }

    /// Pushes events, one JSON object a line. The server takes a key once, so a push that may or
    /// may not have arrived can be repeated.
    pub(crate) fn push(&self, datasource: &str, key: &str, lines: &[u8]) -> Result<Value> {
        let url = self.url(&format!("/v1/datasources/{}/events", path_segment(datasource)));
        let request = self.agent.post(&url).content_type("application/x-ndjson");
        let request = self.introduced(request.header("Idempotency-Key", key));
        self.read_json(&url, request.send(lines))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn introduced<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    /// An empty answer is null.
    fn read_json(
        &self,
        url: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value> {
        let body = self.read(url, answer)?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| HttpError::Broken {
            url: url.to_owned(),
            reason: format!("the answer is not JSON: {error}"),
        })
    }

    fn read(
        &self,
        url: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Vec<u8>> {
        let broken = |reason: &dyn fmt::Display| HttpError::Broken {
            url: url.to_owned(),
            reason: reason.to_string(),
        };
        let mut answer = answer.map_err(|error| match is_unreachable(&error) {
            true => HttpError::Unreachable(self.base_url.clone()),
            false => broken(&error),
        })?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_REPLY_BYTES)
            .read_to_vec()
            .map_err(|error| broken(&error))?;
        match status {
            200..300 => Ok(body),
            401 => Err(HttpError::NoToken(self.base_url.clone())),
            _ => Err(HttpError::Refused { status, message: refusal(status, &body) }),
        }
    }
}

/// Text as one part of a URL's path.
pub(crate) fn path_segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn is_unreachable(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => true,
        _ => false,
    }
}

/// The server's own words, or the start of whatever came instead.
fn refusal(status: u16, body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    match json.get("errorMessage").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => {
            let text = String::from_utf8_lossy(body);
            format!("status {status}: {}", text.chars().take(300).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_may_leave_out_what_is_clear() {
        let base = |url: &str| Client::new(url).unwrap().base_url;
        assert_eq!(base("http://127.0.0.1:8888/"), "http://127.0.0.1:8888");
        assert_eq!(base("localhost:8888"), "http://localhost:8888");
        for bad in ["", "ftp://a", "https://a", "http://"] {
            assert!(matches!(Client::new(bad), Err(HttpError::BadUrl(_))), "{bad}");
        }
    }

    #[test]
    fn names_are_encoded_in_paths() {
        assert_eq!(path_segment("page views/é"), "page%20views%2F%C3%A9");
        assert_eq!(path_segment("a-b_c.~1"), "a-b_c.~1");
    }

    #[test]
    fn nobody_there_is_said_with_the_way_out() {
        // Nothing listens on a port that was just given back.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Client::new(&url).unwrap().get("/status").unwrap_err();
        assert!(matches!(error, HttpError::Unreachable(_)), "{error}");
        assert!(error.to_string().contains("henge server") && error.may_pass());
    }

    #[test]
    fn refusals_carry_the_words_of_the_server() {
        assert_eq!(refusal(400, br#"{"errorMessage":"granularity is missing"}"#), {
            "granularity is missing"
        });
        assert_eq!(refusal(502, b"<html>"), "status 502: <html>");
        assert!(HttpError::Refused { status: 429, message: String::new() }.may_pass());
        assert!(!HttpError::Refused { status: 400, message: String::new() }.may_pass());
    }
}
