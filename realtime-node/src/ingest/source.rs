//! Where events come from: a stream of one or more partitions that can be read again from a position.
//!
//! Ingestion asks a source for the [`next`](Source::next) events, adds them, and publishes their rows
//! together with the positions behind them, in one transaction. Only then does it
//! [`commit`](Source::commit) the positions, so that the source may forget what lies before them. After
//! a restart it reads on from what is published. So every event is counted once whatever the source
//! repeats, and `commit` may be lost.
//!
//! Positions are JSON in the words of their source; ingestion stores them and compares them with the
//! source's own [`Order`]. Every source passes the suite in `tests/source_contract`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use henge_platform::metadata::{IdempotencyRecord, LetterRecord, Position};

use super::known::KnownColumns;
use super::refusals::Refusals;
use super::row_buffer::RowBuffer;
use super::schema::DatasourceSchema;
use crate::error::Result;

/// A partition of a source, by its name. A source with only one may leave the name empty.
pub type Partition = Arc<str>;

/// A position in each of some partitions: all that lies up to it, and nothing behind it.
pub type Positions = BTreeMap<Partition, Position>;

/// Which of two positions of one partition comes first.
pub type Order = fn(&Position, &Position) -> Ordering;

/// A stream of events.
///
/// `next` is dropped while it waits when something else is to be done, and called again: events that
/// were not given yet must not be lost by that.
#[async_trait]
pub trait Source: Send + Sync + Debug {
    /// Under what its positions are published. No two sources share it, and it outlives restarts.
    fn id(&self) -> &str;

    /// The position before all events, in every partition.
    fn beginning(&self) -> Position;

    /// How positions compare.
    fn order(&self) -> Order;

    /// Reads on behind what is published from now on; partitions that are not named begin at the
    /// beginning.
    ///
    /// # Errors
    /// `SourceRewound` when a partition ends before its position: it is not the one that was read.
    async fn seek(&self, published: &Positions) -> Result<()>;

    /// The next events; `None` once there will be none.
    ///
    /// # Errors
    /// `Unavailable` when the same call may succeed later; all others end the reading.
    async fn next(&self) -> Result<Option<Delivery>>;

    /// Whether rows of events up to these positions may be published. What is published goes nowhere any
    /// more, so a part of a delivery must not be, before the rest is where it cannot be lost.
    ///
    /// # Errors
    /// When they may not yet: it is tried again.
    fn may_publish(&self, _up_to: &Positions) -> Result<()> {
        Ok(())
    }

    /// All up to these positions is published, durably: nobody asks for it again. Called again at the
    /// next publication when it fails.
    ///
    /// # Errors
    /// When the source could not take note.
    async fn commit(&self, published: &Positions) -> Result<()>;

    /// Some events of a delivery were refused when their rows were added. A source that does not give
    /// the same events to every reader writes it down, so that they stay refused when they come again.
    ///
    /// # Errors
    /// When it could not.
    async fn note_refused(&self, _refused: &RefusedRows<'_>) -> Result<()> {
        Ok(())
    }

    /// True when its events are answered for as soon as they are durable at this node: they are taken
    /// at once, whatever waits for its hand-off, and nobody else publishes from it.
    fn is_answered_here(&self) -> bool {
        false
    }
}

/// Events of one partition, in its order.
#[derive(Debug)]
pub struct Delivery {
    /// The partition.
    pub partition: Partition,
    /// The position that they follow. Behind the last one delivered it is a gap, before it a
    /// repetition; `None` where the source itself stops at gaps and never repeats.
    pub after: Option<Position>,
    /// The events.
    pub events: Events,
}

/// How events come.
#[derive(Debug)]
pub enum Events {
    /// As they were sent. They are read under the newest schema of the datasource.
    Messages(Vec<Message>),
    /// As rows, read at the door of the source, which wrote down what reading them depended on.
    Rows(Box<ReadRows>),
}

/// One message: an event as JSON, or several, one a line or as a list.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its position; ascending within a delivery.
    pub position: Position,
    /// Its bytes.
    pub body: Bytes,
}

/// Rows of one position that are ready to be added.
#[derive(Debug)]
pub struct ReadRows {
    /// Where they come from.
    pub(crate) position: Position,
    /// How events became rows.
    pub(crate) schema: Arc<DatasourceSchema>,
    /// The columns that the rows may have beyond those of the schema.
    pub(crate) known: Arc<KnownColumns>,
    /// When the events came.
    pub(crate) received_at_ms: i64,
    /// Bytes of the events as they were sent.
    pub(crate) request_bytes: u64,
    /// The rows.
    pub(crate) buffer: RowBuffer,
    /// Where refused events are said to come from, and as what they are kept; `None` when they are
    /// already.
    pub(crate) letters: Option<Origin>,
    /// Whoever waits until they are stored.
    pub(crate) receipt: Option<Box<dyn Receipt>>,
}

/// What refused events come from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// In words.
    pub(crate) text: String,
    /// The log record, when they are kept once a record.
    pub(crate) record: Option<LetterRecord>,
}

/// Somebody who waits until events are stored, or has to remember that they were.
#[async_trait]
pub(crate) trait Receipt: Send + Debug {
    /// Returns once it is certain whether the events become durable, as far as that is decided elsewhere
    /// than here. May be dropped while it waits, and called again.
    async fn certain(&mut self);

    /// Returns once the events are durable where they came from: they are added after that.
    async fn durable(&mut self) -> Result<()>;

    /// The rows were added but for these. Gives what is to be published with them.
    fn added(&mut self, refused: &Refusals) -> Option<Remembered>;

    /// The events are stored, or could not be.
    fn settle(self: Box<Self>, outcome: Result<()>);
}

/// What is published with rows.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// The request that brought them.
    pub(crate) record: IdempotencyRecord,
    /// Dropped once the record is published.
    pub(crate) _until_published: Box<dyn Debug + Send + Sync>,
}

/// Events that were refused when their rows were added.
#[derive(Debug)]
pub struct RefusedRows<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// The position that their delivery is up to.
    pub position: &'a Position,
    /// The version of the schema they were read under.
    pub schema_version: u64,
    /// The events, by their index in the delivery, ascending.
    pub events: &'a [u64],
}
