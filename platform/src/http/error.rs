//! The one place where an error becomes an HTTP answer.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use henge_types::ErrorClass;
use serde::Serialize;
use serde::ser::SerializeStruct;

/// How a class of error is shown to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ErrorMapping {
    /// HTTP status.
    status: StatusCode,
    /// Druid's `error` text; some clients compare it literally.
    error: &'static str,
    /// `errorCode`.
    code: &'static str,
    /// `category`.
    category: &'static str,
    /// `persona`: who can do something about it.
    persona: &'static str,
    /// `errorClass`, as older clients know it.
    class_name: &'static str,
}

/// On an answer of a node that did nothing with the request and never will: another one may be asked.
pub const NOT_TAKEN: HeaderName = HeaderName::from_static("x-henge-not-taken");

const EXCEPTION: &str = "druidException";

/// The mapping of a class.
#[must_use]
fn mapping(class: ErrorClass) -> ErrorMapping {
    match class {
        ErrorClass::InvalidInput => INVALID_INPUT,
        ErrorClass::NotFound => NOT_FOUND,
        ErrorClass::Unsupported => UNSUPPORTED,
        ErrorClass::ResourceLimit => RESOURCE_LIMIT,
        ErrorClass::Capacity => CAPACITY,
        ErrorClass::Timeout => TIMEOUT,
        ErrorClass::Cancelled => CANCELLED,
        ErrorClass::Unavailable => UNAVAILABLE,
        ErrorClass::Conflict => CONFLICT,
        ErrorClass::Contradiction => CONTRADICTION,
        ErrorClass::Corrupt => CORRUPT,
        ErrorClass::Internal => INTERNAL,
    }
}

const fn row(
    status: StatusCode,
    error: &'static str,
    code: &'static str,
    [category, persona]: [&'static str; 2],
    class_name: &'static str,
) -> ErrorMapping {
    ErrorMapping { status, error, code, category, persona, class_name }
}

const INVALID_INPUT: ErrorMapping = row(
    StatusCode::BAD_REQUEST,
    EXCEPTION,
    "invalidInput",
    ["INVALID_INPUT", "USER"],
    "java.lang.IllegalArgumentException",
);

const NOT_FOUND: ErrorMapping =
    row(StatusCode::NOT_FOUND, EXCEPTION, "notFound", ["NOT_FOUND", "USER"], "NotFound");

const UNSUPPORTED: ErrorMapping = row(
    StatusCode::NOT_IMPLEMENTED,
    "Unsupported operation",
    "unsupported",
    ["UNSUPPORTED", "USER"],
    "org.apache.druid.query.QueryUnsupportedException",
);

const RESOURCE_LIMIT: ErrorMapping = row(
    StatusCode::BAD_REQUEST,
    "Resource limit exceeded",
    "resourceLimitExceeded",
    ["INVALID_INPUT", "USER"],
    "org.apache.druid.query.ResourceLimitExceededException",
);

const CAPACITY: ErrorMapping = row(
    StatusCode::TOO_MANY_REQUESTS,
    "Query capacity exceeded",
    "capacityExceeded",
    ["CAPACITY_EXCEEDED", "OPERATOR"],
    "org.apache.druid.query.QueryCapacityExceededException",
);

const TIMEOUT: ErrorMapping = row(
    StatusCode::GATEWAY_TIMEOUT,
    "Query timeout",
    "timeout",
    ["TIMEOUT", "USER"],
    "org.apache.druid.query.QueryTimeoutException",
);

const CANCELLED: ErrorMapping = row(
    StatusCode::INTERNAL_SERVER_ERROR,
    "Query cancelled",
    "canceled",
    ["CANCELED", "USER"],
    "org.apache.druid.query.QueryInterruptedException",
);

const UNAVAILABLE: ErrorMapping = row(
    StatusCode::SERVICE_UNAVAILABLE,
    EXCEPTION,
    "unavailable",
    ["RUNTIME_FAILURE", "OPERATOR"],
    "Unavailable",
);

const CONFLICT: ErrorMapping =
    row(StatusCode::CONFLICT, EXCEPTION, "conflict", ["INVALID_INPUT", "USER"], "Conflict");

const CONTRADICTION: ErrorMapping = row(
    StatusCode::UNPROCESSABLE_ENTITY,
    EXCEPTION,
    "contradiction",
    ["INVALID_INPUT", "USER"],
    "Contradiction",
);

const CORRUPT: ErrorMapping = row(
    StatusCode::INTERNAL_SERVER_ERROR,
    "Unknown exception",
    "corrupt",
    ["RUNTIME_FAILURE", "OPERATOR"],
    "Corrupt",
);

const INTERNAL: ErrorMapping = row(
    StatusCode::INTERNAL_SERVER_ERROR,
    "Unknown exception",
    "general",
    ["DEFENSIVE", "DEVELOPER"],
    "java.lang.RuntimeException",
);

/// An error as clients read it: its JSON has every field that any known client looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DruidError {
    /// HTTP status.
    pub status: StatusCode,
    /// Who is at fault.
    pub class: ErrorClass,
    /// Classic code, for example `Query timeout`.
    pub error: &'static str,
    /// What happened, and how to put it right.
    pub error_message: String,
    /// Details by name.
    pub context: BTreeMap<String, String>,
    /// Nothing was done, and another node may be asked.
    pub is_not_taken: bool,
}

impl Serialize for DruidError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = mapping(self.class);
        let mut body = serializer.serialize_struct("DruidError", 8)?;
        body.serialize_field("error", self.error)?;
        body.serialize_field("errorCode", shown.code)?;
        body.serialize_field("persona", shown.persona)?;
        body.serialize_field("category", shown.category)?;
        body.serialize_field("errorMessage", &self.error_message)?;
        body.serialize_field("context", &self.context)?;
        body.serialize_field("errorClass", shown.class_name)?;
        // Which server failed is in the message.
        body.serialize_field("host", &None::<&str>)?;
        body.end()
    }
}

impl DruidError {
    /// An error of a class.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        let shown = mapping(class);
        Self {
            status: shown.status,
            class,
            error: shown.error,
            error_message: message.into(),
            context: BTreeMap::new(),
            is_not_taken: false,
        }
    }

    /// The same error of a node that did nothing, and that another node may do better.
    #[must_use]
    pub fn not_taken(mut self) -> Self {
        self.is_not_taken = true;
        self
    }

    /// The caller sent something wrong.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::InvalidInput, message)
    }

    /// Nothing there under this name.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::NotFound, message)
    }

    /// The same error with another status, for example 413 or 415.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same error with a detail.
    #[must_use]
    pub fn with_context(mut self, name: &str, value: impl Into<String>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }
}

/// An answer without the request's body having been read to its end: the connection cannot be used
/// again, which a client that keeps connections has to know.
pub(super) type Closing = ([(HeaderName, &'static str); 1], DruidError);

/// The error as such an answer.
#[must_use]
pub(super) fn closing(error: DruidError) -> Closing {
    ([(header::CONNECTION, "close")], error)
}

impl IntoResponse for DruidError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(
                status = self.status.as_u16(),
                class = ?self.class,
                "{}",
                self.error_message
            );
        }
        let is_not_taken = self.is_not_taken;
        let mut answer = (self.status, Json(self)).into_response();
        if is_not_taken {
            answer.headers_mut().insert(NOT_TAKEN, HeaderValue::from_static("true"));
        }
        answer
    }
}

/// Lets a handler use `?` on any error of the workspace that answers `class()`.
macro_rules! druid_error_from {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for DruidError {
            fn from(error: $error) -> Self {
                Self::new(error.class(), error.to_string())
            }
        }
    )*};
}

druid_error_from!(
    crate::discovery::DiscoveryError,
    crate::metadata::MetadataError,
    crate::runtime::PoolError,
    crate::storage::StorageError,
    crate::wal::WalError,
    henge_types::TypeError,
);

impl From<crate::compression::InflateError> for DruidError {
    fn from(error: crate::compression::InflateError) -> Self {
        use crate::compression::InflateError;
        let status = match &error {
            InflateError::UnknownEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            InflateError::TooLarge(_) | InflateError::Ratio(_) => StatusCode::PAYLOAD_TOO_LARGE,
            InflateError::Undeclared(_) | InflateError::Malformed { .. } => StatusCode::BAD_REQUEST,
            InflateError::Memory(full) => mapping(full.class()).status,
        };
        Self::new(error.class(), error.to_string()).with_status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_clients_compare_literally() {
        let timeout = mapping(ErrorClass::Timeout);
        assert_eq!((timeout.status.as_u16(), timeout.error), (504, "Query timeout"));
        let capacity = mapping(ErrorClass::Capacity);
        assert_eq!((capacity.status.as_u16(), capacity.error), (429, "Query capacity exceeded"));
        let limit = mapping(ErrorClass::ResourceLimit);
        assert_eq!((limit.status.as_u16(), limit.error), (400, "Resource limit exceeded"));
        let unsupported = mapping(ErrorClass::Unsupported);
        assert_eq!(
            (unsupported.status.as_u16(), unsupported.error),
            (501, "Unsupported operation")
        );
        let cancelled = mapping(ErrorClass::Cancelled);
        assert_eq!((cancelled.status.as_u16(), cancelled.error), (500, "Query cancelled"));
    }

    #[test]
    fn the_body_has_every_field_that_clients_read() {
        let error = DruidError::invalid("field 'x' is wrong").with_context("field", "x");
        let body = serde_json::to_value(&error).unwrap();
        for field in ["error", "errorCode", "persona", "category", "errorMessage", "errorClass"] {
            assert!(body[field].is_string(), "{field}");
        }
        assert_eq!(body.get("host"), Some(&serde_json::Value::Null));
        assert_eq!(body["category"], "INVALID_INPUT");
        assert_eq!(body["context"]["field"], "x");
        assert_eq!(error.into_response().status(), 400);
    }
}
