//! What is logged on the simulated thread: a hash of all lines, and how often each place was reached.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use xxhash_rust::xxh3::Xxh3;

/// Reads the log of one run.
#[derive(Clone)]
pub(crate) struct Trace {
    state: Arc<Mutex<State>>,
    prints: bool,
    folder: Arc<str>,
    start: Instant,
}

struct State {
    hash: Xxh3,
    lines: u64,
    reached: BTreeMap<String, u64>,
}

impl Trace {
    /// `folder` is the one thing that differs between runs of one seed; call it in the runtime.
    pub(crate) fn new(folder: &str, prints: bool) -> Self {
        let state = State { hash: Xxh3::new(), lines: 0, reached: BTreeMap::new() };
        let state = Arc::new(Mutex::new(state));
        Self { state, prints, folder: folder.into(), start: Instant::now() }
    }

    /// A hash of all lines, and how many they were.
    pub(crate) fn digest(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.hash.digest(), state.lines)
    }

    /// How often each warning and note was written.
    pub(crate) fn reached(&self) -> BTreeMap<String, u64> {
        self.state.lock().reached.clone()
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

impl<S: Subscriber> Layer<S> for Trace {
    #[expect(clippy::print_stderr, reason = "the log was asked for")]
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let at = self.start.elapsed();
        let level = *event.metadata().level();
        let text = format!("{at:?} {level} {}{}", line.message, line.fields);
        let text = text.replace(&*self.folder, "<disks>");
        let mut state = self.state.lock();
        state.hash.update(text.as_bytes());
        state.lines += 1;
        if level <= Level::INFO {
            let place = format!("{}: {}", event.metadata().target(), without_names(&line.message));
            *state.reached.entry(place).or_default() += 1;
        }
        drop(state);
        if self.prints {
            eprintln!("{text}");
        }
    }
}

/// The words of a message that are the same wherever it is written: up to the first name, and without
/// numbers.
fn without_names(message: &str) -> String {
    let words = message.split(['\'', '"', '/']).next().unwrap_or_default();
    let kept = words.chars().filter(|c| !c.is_ascii_digit());
    kept.collect::<String>().trim_end().to_owned()
}
