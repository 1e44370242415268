//! JSON answers for routes and methods that do not exist, and for those that Druid has.

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use henge_types::ErrorClass;

use super::error::{Closing, DruidError, closing};
use super::unbuilt;

/// Adds JSON answers for unknown routes (404), unknown methods (405) and either where Druid has what
/// is not built (501). Call it after all routes.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

async fn not_found(method: Method, uri: Uri) -> Closing {
    let error = unbuilt_error(&uri).unwrap_or_else(|| {
        DruidError::not_found(format!("no such resource: {method} {}", shown_path(&uri)))
    });
    closing(error)
}

async fn method_not_allowed(method: Method, uri: Uri) -> Closing {
    // `/druid/v2/candidates` would otherwise be a query's id with the wrong method.
    let error = unbuilt_error(&uri).unwrap_or_else(|| {
        let message = format!("method {method} is not allowed on {}", shown_path(&uri));
        DruidError::new(ErrorClass::Unsupported, message)
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
    });
    closing(error)
}

fn unbuilt_error(uri: &Uri) -> Option<DruidError> {
    let purpose = unbuilt::purpose(uri.path())?;
    let message =
        format!("{} is not built yet: {purpose}; docs/http-api.md lists what is", shown_path(uri));
    Some(DruidError::new(ErrorClass::Unsupported, message))
}

fn shown_path(uri: &Uri) -> String {
    uri.path().chars().take(256).collect()
}
