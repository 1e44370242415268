//! What can be wrong with a statement.

use henge_types::ErrorClass;

/// The result of everything here.
pub type Result<T, E = SqlError> = std::result::Result<T, E>;

/// An error with its place in the text where there is one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}{}", place(*.at))]
pub struct SqlError {
    /// Who is at fault.
    pub class: ErrorClass,
    /// What is wrong and what to write instead.
    pub message: String,
    /// Line and column in the statement, from 1.
    pub at: Option<(u64, u64)>,
}

impl SqlError {
    /// An error without a place.
    #[must_use]
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), at: None }
    }

    /// Something that the statement says wrongly.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::InvalidInput, message)
    }

    /// Something that is right and not built.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Unsupported, message)
    }

    /// The same at a place of the text.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        self.at = Some((line, column));
        self
    }
}

fn place(at: Option<(u64, u64)>) -> String {
    at.map_or_else(String::new, |(line, column)| format!(" (line {line}, column {column})"))
}
