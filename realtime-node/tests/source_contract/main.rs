//! What every source must do, and what ingestion makes of it: each event is counted once, whatever the
//! source repeats and wherever the process ends. A source passes by giving the suite a [`Stream`]; the
//! scripted one in memory is the first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod cases;
mod script;
mod world;

use std::sync::Arc;

use henge_realtime_node::Source;

/// A stream that a source reads, with what can happen to it.
pub(crate) trait Stream: Send + Sync {
    /// A source as another process would open it, with how it is known to be at its end.
    fn open(&self) -> (Arc<dyn Source>, Reader);

    /// Appends messages to a partition.
    fn append(&self, partition: &str, messages: &[String]);

    /// The next deliveries begin so many messages earlier than what was delivered.
    fn repeat(&self, partition: &str, messages: u64);

    /// The first messages are deleted.
    fn delete_first(&self, partition: &str, messages: u64);

    /// A partition is made anew, without messages.
    fn remake(&self, partition: &str);

    /// The next question fails for a moment.
    fn fail_once(&self);

    /// There will be no more messages.
    fn end(&self);

    /// Counts what happened to the stream.
    fn version(&self) -> u64;
}

/// A source from outside.
pub(crate) struct Reader {
    /// The version of the stream of which all is added.
    pub(crate) idle: tokio::sync::watch::Receiver<u64>,
    /// Asked to commit, it waits while this is true, and tells how often it was asked.
    pub(crate) commits: world::Gate,
}
