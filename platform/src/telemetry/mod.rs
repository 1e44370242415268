//! Logs and numbers for operators.

mod metrics;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

pub use metrics::{Counter, Histogram, Metrics};

/// Sends log lines to standard error. `filter` is as in `RUST_LOG`, for example `info,henge=debug`.
///
/// # Errors
/// When the filter is malformed or a logger is already installed.
pub fn init_logging(filter: &str, color: bool) -> Result<(), LoggingError> {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| LoggingError::Filter(filter.to_owned(), error.to_string()))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(())
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error("log.filter '{0}' is malformed: {1}")]
    Filter(String, String),
    /// Somebody was first.
    #[error(transparent)]
    Installed(#[from] TryInitError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_filter_is_named() {
        let error = init_logging("henge=verbose-ish", false).unwrap_err();
        assert!(error.to_string().contains("henge=verbose-ish"));
    }
}
