//! [`Failure`]: errors as clients of Avatica read them.

use henge_sql::SqlError;
use henge_types::ErrorClass;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The client opens it anew, if it was told to by `transparent_reconnection`.
    #[error(
        "connection '{0}' is not known: it was closed, was idle for too long, or is of another broker"
    )]
    NoConnection(String),
    /// Whatever else.
    #[error("{message}")]
    Other {
        /// Who is at fault.
        class: ErrorClass,
        /// What is wrong and what to do.
        message: String,
    },
}

pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What Avatica says when there is no number for it.
pub(super) const NO_CODE: i32 = -1;
/// A connection that is not known.
const NO_CONNECTION_CODE: i32 = 1;

impl Failure {
    /// Something that the client does wrongly.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Other { class: ErrorClass::InvalidInput, message: message.into() }
    }

    /// Something that is not built.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::Other { class: ErrorClass::Unsupported, message: message.into() }
    }

    /// Avatica's number of it.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::NoConnection(_) => NO_CONNECTION_CODE,
            Self::Other { .. } => NO_CODE,
        }
    }

    /// The state of standard SQL, which Druid leaves at zero.
    pub(super) fn sql_state(&self) -> &'static str {
        "00000"
    }

    /// True when the client can be told that it is no more than an error of one request.
    pub(super) fn is_error(&self) -> bool {
        matches!(self, Self::NoConnection(_))
    }

    /// The lines that Java shows as the trace of the server: the class and the words.
    pub(super) fn exceptions(&self) -> Vec<String> {
        let class = match self {
            Self::NoConnection(_) => "org.apache.calcite.avatica.NoSuchConnectionException",
            Self::Other { class: ErrorClass::Unsupported, .. } => {
                "java.lang.UnsupportedOperationException"
            }
            Self::Other { .. } => "java.lang.RuntimeException",
        };
        vec![format!("{class}: {self}")]
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Other { class: error.class, message: error.to_string() }
    }
}
