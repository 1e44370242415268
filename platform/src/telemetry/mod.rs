//! Logs and numbers for operators.

mod metrics;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogConfig, LogFormat};

pub use metrics::{Counter, Histogram, Metrics};

/// Sends log lines to standard error.
///
/// # Errors
/// When the filter is malformed or a logger is already installed.
pub fn init_logging(config: &LogConfig) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| LoggingError::Filter(config.filter.clone(), error.to_string()))?;
    let lines = lines(config.format, std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(())
}

/// Writes each event as a line. The fields of a JSON line stand beside `timestamp`, `level`, `target`
/// and `message`.
fn lines<S>(
    format: LogFormat,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
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
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_malformed_filter_is_named() {
        let config = LogConfig { filter: "henge=verbose-ish".to_owned(), ..LogConfig::default() };
        let error = init_logging(&config).unwrap_err();
        assert!(error.to_string().contains("henge=verbose-ish"));
    }

    /// What was written, for all who hold it.
    #[derive(Debug, Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::registry().with(lines(format, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(datasource = "clicks", attempts = 3, "the hand-off \"failed\"");
        });
        let bytes = written.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_an_object_with_the_fields_of_the_event() {
        let line: Value = serde_json::from_str(logged(LogFormat::Json).trim_end()).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "the hand-off \"failed\"");
        assert_eq!((&line["datasource"], &line["attempts"]), (&"clicks".into(), &3.into()));
        assert!(line["timestamp"].is_string() && line["target"].is_string(), "{line}");
    }

    #[test]
    fn a_line_for_people_is_one_without_colours() {
        let text = logged(LogFormat::Text);
        assert!(text.contains("WARN") && text.contains("datasource=\"clicks\""), "{text}");
        assert_eq!((text.lines().count(), text.contains('\u{1b}')), (1, false));
    }
}
