//! What a source gives the suite.

use std::sync::Arc;

use henge_realtime_node::Source;

use crate::world::Gate;

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
    pub(crate) commits: Gate,
}
