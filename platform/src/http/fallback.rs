//! JSON answers for routes and methods that do not exist.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use henge_types::ErrorClass;

use super::error::DruidError;

/// Adds JSON answers for unknown routes (404) and methods (405). Call it after all routes.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

async fn not_found(method: Method, uri: Uri) -> DruidError {
    DruidError::not_found(format!("no such resource: {method} {}", shown_path(&uri)))
}

async fn method_not_allowed(method: Method, uri: Uri) -> DruidError {
    let path = shown_path(&uri);
    DruidError::new(ErrorClass::Unsupported, format!("method {method} is not allowed on {path}"))
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
}

fn shown_path(uri: &Uri) -> String {
    uri.path().chars().take(256).collect()
}
