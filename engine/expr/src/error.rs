//! Errors of parsing and evaluating expressions.

use henge_types::ErrorClass;

/// Shorthand.
pub type Result<T> = std::result::Result<T, ExprError>;

/// Why an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// The text is not an expression.
    #[error("expression: {message} at byte {position}")]
    Syntax {
        /// Byte offset into the text.
        position: usize,
        /// What is wrong.
        message: String,
    },
    /// The text is too long or nested too deeply.
    #[error("expression: {what} is over the limit of {limit}")]
    TooComplex {
        /// What was measured.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No such function.
    #[error("expression: unknown function '{name}'")]
    UnknownFunction {
        /// The name as written.
        name: String,
    },
    /// A function was given arguments it cannot work with.
    #[error("expression: {function}: {message}")]
    Argument {
        /// The function.
        function: &'static str,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A result is over the cap of [`crate::MAX_RESULT_BYTES`].
    #[error("expression: the result of {function} is over the limit of {limit} bytes")]
    ResultTooLarge {
        /// The function or operator.
        function: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl ExprError {
    /// Who is at fault.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::TooComplex { .. } | Self::ResultTooLarge { .. } => ErrorClass::ResourceLimit,
            Self::Syntax { .. } | Self::UnknownFunction { .. } | Self::Argument { .. } => {
                ErrorClass::InvalidInput
            }
        }
    }

    pub(crate) fn argument(function: &'static str, message: impl Into<String>) -> Self {
        Self::Argument { function, message: message.into() }
    }
}
