//! Who may call an address that other machines reach: whoever shows the cluster's token.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use henge_types::ErrorClass;

use super::error::{DruidError, closing};
use crate::config::Secret;

/// What a load balancer asks, which knows no token; it tells nothing but that the process lives.
const HEALTH: &str = "/status/health";

/// Middleware that refuses with 401 who does not show the token.
pub async fn require_token(State(token): State<Secret>, request: Request, next: Next) -> Response {
    if request.uri().path() == HEALTH || shows(request.headers(), &token) {
        return next.run(request).await;
    }
    let error = DruidError::new(
        ErrorClass::InvalidInput,
        "this address asks for the token of the cluster: send it as 'Authorization: Bearer …'"
            .to_owned(),
    );
    // Its body is not read, so the connection cannot be used again.
    let mut refused = closing(error.with_status(StatusCode::UNAUTHORIZED)).into_response();
    let bearer = header::HeaderValue::from_static("Bearer");
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    refused
}

fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| is_bearer_of(value.as_bytes(), token))
}

/// Whether the value of an `Authorization` header carries the token.
pub(crate) fn is_bearer_of(value: &[u8], token: &Secret) -> bool {
    const SCHEME: &[u8] = b"bearer ";
    let Some((scheme, shown)) = value.split_at_checked(SCHEME.len()) else { return false };
    scheme.eq_ignore_ascii_case(SCHEME) && token.is_same_as(shown.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_77_only_the_whole_token_opens_the_door() {
        let token = Secret::from("0123456789abcdef");
        for good in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef "] {
            assert!(is_bearer_of(good.as_bytes(), &token), "{good}");
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!is_bearer_of(bad.as_bytes(), &token), "{bad}");
        }
    }
}
