//! Errors of the configuration.

use std::path::PathBuf;

use henge_types::ErrorClass;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file '{}': {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// Malformed, an unknown name or a value of the wrong type.
    #[error("configuration: {0}")]
    Parse(String),
    /// A variable names no setting.
    #[error("environment variable '{name}': {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A value that cannot work.
    #[error("configuration: {field} {reason}")]
    Invalid {
        /// The setting.
        field: &'static str,
        /// What is wrong, and the fix.
        reason: String,
    },
}

impl ConfigError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Read { .. } => ErrorClass::NotFound,
            _ => ErrorClass::InvalidInput,
        }
    }
}
