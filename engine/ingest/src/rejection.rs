//! Why an event was not taken, and who is told.

use henge_index::DimensionSchema;
use henge_types::{ValueRef, format_timestamp};

/// Why one event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// Not JSON.
    #[error("byte {offset}: {message}")]
    Syntax {
        /// Where, counted from the start of the body.
        offset: usize,
        /// What is wrong.
        message: String,
    },
    /// JSON, but no object.
    #[error("an event must be a JSON object, but this is {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A limit on the size or shape of an event.
    #[error("the event is over the limit of {limit} {what}")]
    OverLimit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A limit on the value of a column.
    #[error("column '{column}' is over the limit of {limit} {what}")]
    ColumnOverLimit {
        /// The column.
        column: String,
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A field name that no column may have.
    #[error("a field name {message}")]
    FieldName {
        /// What is wrong.
        message: &'static str,
    },
    /// There is no timestamp.
    #[error("the timestamp column '{column}' is missing or null: send it, or set missingValue")]
    MissingTimestamp {
        /// The column of the timestampSpec.
        column: String,
    },
    /// The timestamp cannot be read.
    #[error(
        "the timestamp column '{column}' is not of the format {format}: '{text}'; timestampSpec.format says another"
    )]
    BadTimestamp {
        /// The column of the timestampSpec.
        column: String,
        /// The format of the timestampSpec.
        format: String,
        /// The value, shortened.
        text: String,
    },
    /// The timestamp lies outside of what is taken.
    #[error("the timestamp {} is outside of the window {} to {}", format_timestamp(*.timestamp_ms), format_timestamp(*.from_ms), format_timestamp(*.to_ms))]
    OutsideWindow {
        /// The timestamp.
        timestamp_ms: i64,
        /// The earliest one taken.
        from_ms: i64,
        /// The end of what is taken.
        to_ms: i64,
    },
    /// A value does not fit the type of its column.
    #[error("column '{column}' must be {expected}, but is {found}")]
    WrongType {
        /// The column.
        column: String,
        /// What the column takes.
        expected: &'static str,
        /// The value, shortened.
        found: String,
    },
    /// A transform failed.
    #[error("transform '{name}': {message}")]
    Transform {
        /// Its name.
        name: String,
        /// Why.
        message: String,
    },
    /// Discovery met more names than may become dimensions.
    #[error("field '{name}' would be a new dimension, but the limit of {limit} is reached")]
    TooManyDimensions {
        /// The field.
        name: String,
        /// The limit.
        limit: usize,
    },
    /// The event's time chunk would be one too many.
    #[error("{open} time chunks are open already: the limit is reached")]
    TooManyChunks {
        /// How many are open.
        open: usize,
    },
    /// The index refused the row.
    #[error("{message}")]
    Index {
        /// Why.
        message: String,
    },
}

impl RejectReason {
    /// A stable word for counting by reason.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "syntax",
            Self::NotAnObject { .. } => "not_an_object",
            Self::OverLimit { .. } | Self::ColumnOverLimit { .. } => "over_limit",
            Self::FieldName { .. } => "field_name",
            Self::MissingTimestamp { .. } => "missing_timestamp",
            Self::BadTimestamp { .. } => "bad_timestamp",
            Self::OutsideWindow { .. } => "outside_window",
            Self::WrongType { .. } => "wrong_type",
            Self::Transform { .. } => "transform",
            Self::TooManyDimensions { .. } => "too_many_dimensions",
            Self::TooManyChunks { .. } => "too_many_chunks",
            Self::Index { .. } => "index",
        }
    }
}

/// A refused event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection<'a> {
    /// The event's index in the batch, from 0, refused and filtered ones counted.
    pub position: u64,
    /// Where it starts in the body.
    pub offset_bytes: usize,
    /// Why.
    pub reason: RejectReason,
    /// Its text, as far as the limit goes.
    pub raw: &'a [u8],
}

/// Why a sink did not take a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowError {
    /// This row is at fault: it is rejected and the batch goes on.
    Reject(RejectReason),
    /// The sink cannot take any row now: the batch stops here.
    Stop(String),
}

/// Takes what becomes of a batch, in the order of its events.
pub trait RowSink {
    /// A row: one value per dimension, then one per metric (null for `count`). The timestamp is
    /// not truncated.
    ///
    /// # Errors
    /// When the row is refused, or nothing can be taken any more.
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError>;

    /// An event that was refused.
    fn rejected(&mut self, rejection: Rejection<'_>);

    /// Discovery found a dimension: rows from now on have one more value, after those of the
    /// dimensions known so far.
    fn new_dimension(&mut self, dimension: &DimensionSchema);

    /// An event that the filter or the intervals left out.
    fn filtered(&mut self) {}

    /// The type of a discovered column grew within the batch: all rows, rejections and dimensions
    /// of the batch so far are void, `dimensions` are those of the rows from now on, and every
    /// event of the batch comes again.
    ///
    /// # Errors
    /// When the sink cannot forget rows: the types have to be known before, see
    /// [`crate::RowParser::begin_survey`].
    fn restart(&mut self, dimensions: &[DimensionSchema]) -> Result<(), RowError> {
        let _ = dimensions;
        Err(RowError::Stop("the type of a discovered column changed within the input".to_owned()))
    }
}

/// What became of the events of a batch: `received = accepted + rejected + filtered`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// Events met.
    pub received: u64,
    /// Rows handed to the sink.
    pub accepted: u64,
    /// Events refused, each with a reason.
    pub rejected: u64,
    /// Events left out by the transform filter or by the intervals of the granularitySpec.
    pub filtered: u64,
}
