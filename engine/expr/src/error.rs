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
    /// One evaluation, or all of a batch, did more than it may.
    #[error("{expression}: one evaluation takes more than {limit} {what}; write it with less work")]
    OverBudget {
        /// The expression's text, or the beginning of it.
        expression: String,
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Whoever asked for the evaluation has stopped it.
    #[error("expression: stopped")]
    Stopped,
    /// A column stands for a list in one place and for a single value in another.
    #[error(
        "expression: column '{column}' is used both as an array and as a scalar; write \
         array_offset({column}, 0) for one value, or map(x -> .., {column}) for each"
    )]
    MixedUse {
        /// The column.
        column: String,
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
            Self::TooComplex { .. } | Self::ResultTooLarge { .. } | Self::OverBudget { .. } => {
                ErrorClass::ResourceLimit
            }
            Self::Stopped => ErrorClass::Cancelled,
            Self::Syntax { .. }
            | Self::UnknownFunction { .. }
            | Self::Argument { .. }
            | Self::MixedUse { .. } => ErrorClass::InvalidInput,
        }
    }

    /// Names the expression in errors that are about all of it.
    pub(crate) fn of(mut self, text: &str) -> Self {
        const SHOWN_CHARS: usize = 60;
        if let Self::OverBudget { expression, .. } = &mut self {
            let cut = text.chars().count() > SHOWN_CHARS;
            let shown: String = text.chars().take(SHOWN_CHARS).collect();
            *expression = format!("expression '{shown}{}'", if cut { "..." } else { "" });
        }
        self
    }

    pub(crate) fn over(what: &'static str, limit: u64) -> Self {
        Self::OverBudget { expression: "expression".to_owned(), what, limit }
    }

    pub(crate) fn argument(function: &'static str, message: impl Into<String>) -> Self {
        Self::Argument { function, message: message.into() }
    }
}
