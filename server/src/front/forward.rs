//! A request as another process of the cluster is asked it.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::uri::{Authority, Scheme, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use henge_platform::config::Secret;
use henge_platform::http::{BodyLimits, DruidError, NOT_TAKEN};
use henge_platform::membership::Member;
use henge_types::ErrorClass;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Time for a connection to come about: the next node is tried then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Headers of one connection, which are not those of the next.
const OF_A_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Names the node that answered.
const NODE: HeaderName = HeaderName::from_static("x-henge-node");

/// Asks other processes.
#[derive(Debug)]
pub(super) struct Forwarder {
    client: Client<HttpConnector, Body>,
    limits: BodyLimits,
    token: Option<Secret>,
}

impl Forwarder {
    /// Requests have the same limits as at the nodes that answer them, and `token` is shown to those.
    pub(super) fn new(limits: BodyLimits, token: Option<Secret>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, limits, token }
    }

    /// The answer of the first node that takes the request: from then on it may have done something, and is
    /// not sent again. A node that did nothing says so ([`NOT_TAKEN`]).
    ///
    /// # Errors
    /// When the request is too large, or with what each node failed of.
    pub(super) async fn send(
        &self,
        nodes: &[Member],
        request: Request,
    ) -> Result<Response, DruidError> {
        let (mut parts, body) = request.into_parts();
        let most = self.limits.max_body_bytes;
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(most);
        let _charge = self.limits.account.charge(length.min(most))?;
        // Kept whole, so that it can be sent to the next node.
        let body = to_bytes(body, most).await.map_err(|_| too_large(most))?;
        self.prepare(&mut parts.headers);
        let mut failures = Vec::new();
        let mut refused = None;
        for node in nodes {
            let mut sent = Request::new(Body::from(body.clone()));
            *sent.method_mut() = parts.method.clone();
            *sent.uri_mut() = match addressed(&parts.uri, &node.http_address) {
                Ok(uri) => uri,
                Err(error) => {
                    failures.push(reason(&error, node));
                    continue;
                }
            };
            *sent.headers_mut() = parts.headers.clone();
            match self.client.request(sent).await {
                Ok(answer) if answer.headers().contains_key(NOT_TAKEN) => {
                    refused = Some(answered(answer.map(Body::new), node));
                }
                Ok(answer) => return Ok(answered(answer.map(Body::new), node)),
                Err(error) => {
                    failures.push(reason(&error, node));
                    if !error.is_connect() {
                        break;
                    }
                }
            }
        }
        if let Some(refused) = refused.filter(|_| failures.is_empty()) {
            return Ok(refused);
        }
        let failures = failures.join("; ");
        Err(unavailable(format!("no node answered: {failures}; try again shortly")))
    }

    fn prepare(&self, headers: &mut HeaderMap) {
        for name in OF_A_CONNECTION {
            headers.remove(name);
        }
        // Checked at this door, and the host is another one now.
        headers.remove(header::HOST);
        headers.remove(header::ORIGIN);
        headers.remove(header::CONTENT_LENGTH);
        if let Some(token) = &self.token
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }
}

fn too_large(most: usize) -> DruidError {
    let message = format!("the body is above {most} bytes, or ended before its end was there");
    DruidError::new(ErrorClass::ResourceLimit, message).with_status(StatusCode::PAYLOAD_TOO_LARGE)
}

fn unavailable(message: String) -> DruidError {
    DruidError::new(ErrorClass::Unavailable, message)
}

fn addressed(uri: &Uri, address: &str) -> Result<Uri, axum::http::Error> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(address.parse::<Authority>()?);
    Ok(Uri::from_parts(parts)?)
}

fn answered(mut answer: Response, node: &Member) -> Response {
    for name in OF_A_CONNECTION {
        answer.headers_mut().remove(name);
    }
    if let Ok(name) = HeaderValue::from_str(&node.node_id) {
        answer.headers_mut().insert(NODE, name);
    }
    answer
}

fn reason(error: &dyn Error, node: &Member) -> String {
    let mut text = format!("{} at {}: {error}", node.node_id, node.http_address);
    let mut below = error.source();
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    text
}
