//! A server for tests that answers what it was told to, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use henge_platform::http::{ServeOptions, serve};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::http::Client;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path with its query, as in `GET /status`.
    pub(crate) what: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Answers {
    by_request: Mutex<BTreeMap<String, (u16, Bytes)>>,
    asked: Mutex<Vec<Asked>>,
    token: Option<String>,
}

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeServer {
    pub(crate) address: String,
    answers: Arc<Answers>,
    _runtime: Runtime,
}

impl FakeServer {
    /// Knows nothing yet: everything is "no such resource".
    pub(crate) fn start() -> Self {
        Self::asking_for(None)
    }

    /// Asks everybody for a token.
    pub(crate) fn asking_for(token: Option<&str>) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let answers = Arc::new(Answers { token: token.map(str::to_owned), ..Answers::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&answers));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let never = std::future::pending();
        runtime.spawn(serve(listener, router, ServeOptions::default(), never));
        Self { address, answers, _runtime: runtime }
    }

    /// Answers a request, such as `GET /status`, with a document from now on.
    pub(crate) fn on(&self, request: &str, body: Value) -> &Self {
        self.on_status(request, 200, body)
    }

    /// The same, with another status.
    #[expect(clippy::needless_pass_by_value, reason = "tests write documents where they are used")]
    pub(crate) fn on_status(&self, request: &str, status: u16, body: Value) -> &Self {
        let body = match &body {
            Value::String(text) => Bytes::from(text.clone()),
            body => Bytes::from(body.to_string()),
        };
        self.answers.by_request.lock().insert(request.to_owned(), (status, body));
        self
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.address).unwrap()
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.answers.asked.lock().clone()
    }

    /// The bodies of what it was asked in this way.
    pub(crate) fn bodies_of(&self, request: &str) -> Vec<Value> {
        self.asked().into_iter().filter(|asked| asked.what == request).map(|a| a.body).collect()
    }
}

async fn answer(State(answers): State<Arc<Answers>>, request: Request) -> Response {
    let what = format!("{} {}", request.method(), request.uri());
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let shown = parts.headers.get(header::AUTHORIZATION).cloned();
    answers.asked.lock().push(Asked { what: what.clone(), headers: parts.headers, body });
    let wanted = answers.token.as_ref().map(|token| format!("Bearer {token}"));
    if wanted.is_some()
        && wanted.as_deref().map(str::as_bytes) != shown.as_ref().map(|s| s.as_bytes())
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let known = answers.by_request.lock().get(&what).cloned();
    let (status, body) = known.unwrap_or_else(|| {
        let message = json!({ "errorMessage": format!("no such resource: {what}") });
        (404, Bytes::from(message.to_string()))
    });
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
