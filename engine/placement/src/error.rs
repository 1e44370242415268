//! Errors of this package.

use henge_types::ErrorClass;

/// Why rules, or the snapshot of a cluster, are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// A list of rules that cannot be kept; what was kept before stays.
    #[error("rule {position}: {reason}")]
    Rule {
        /// Its place in the list, from 1.
        position: usize,
        /// What is wrong and how to write it instead.
        reason: String,
    },
    /// The list itself, or what names tiers.
    #[error("rules: {0}")]
    Rules(String),
    /// A snapshot, or a scenario, that describes no cluster.
    #[error("cluster: {0}")]
    Cluster(String),
}

impl PlacementError {
    /// The class of the error.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Rule { .. } | Self::Rules(_) | Self::Cluster(_) => ErrorClass::InvalidInput,
        }
    }
}

/// The package's result.
pub type Result<T, E = PlacementError> = std::result::Result<T, E>;
