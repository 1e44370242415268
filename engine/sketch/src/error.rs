//! Errors of this package.

use henge_types::ErrorClass;

/// What can go wrong with a sketch.
#[derive(Debug, thiserror::Error)]
pub enum SketchError {
    /// The bytes are not a consistent image of the sketch.
    #[error("corrupt {sketch} sketch: {reason}")]
    Corrupt {
        /// The kind of sketch.
        sketch: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The text is not base64.
    #[error("sketch is not valid base64: {0}")]
    Base64(String),
    /// A parameter is out of range.
    #[error("{name} {value} is out of range: use {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What was asked for.
        value: u64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// More values than a sketch can count.
    #[error("sketch is full: it counts at most 2^53 values")]
    Overflow,
}

impl SketchError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Corrupt { .. } => ErrorClass::Corrupt,
            Self::Base64(_) | Self::Parameter { .. } => ErrorClass::InvalidInput,
            Self::Overflow => ErrorClass::ResourceLimit,
        }
    }

    pub(crate) fn corrupt(sketch: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { sketch, reason: reason.to_string() }
    }
}

/// The package's result.
pub type Result<T, E = SketchError> = std::result::Result<T, E>;
