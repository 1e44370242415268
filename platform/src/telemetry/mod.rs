//! Logs and counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

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

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of a process, by name (`ingest/events/accepted`). Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Mutex<BTreeMap<String, Counter>>>);

impl Counters {
    /// The counter of a name; keep it rather than asking each time.
    #[must_use]
    pub fn counter(&self, name: &str) -> Counter {
        self.0.lock().entry(name.to_owned()).or_default().clone()
    }

    /// All counters and their sums.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.lock().iter().map(|(name, counter)| (name.clone(), counter.get())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_one_name_are_one() {
        let counters = Counters::default();
        counters.counter("a").add(2);
        counters.clone().counter("a").add(3);
        counters.counter("b").add(1);
        let expected = [("a".to_owned(), 5), ("b".to_owned(), 1)].into();
        assert_eq!(counters.snapshot(), expected);
    }

    #[test]
    fn a_malformed_filter_is_named() {
        let error = init_logging("henge=verbose-ish", false).unwrap_err();
        assert!(error.to_string().contains("henge=verbose-ish"));
    }
}
