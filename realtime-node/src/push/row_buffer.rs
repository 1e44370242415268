//! Parsed rows on their way to the sinks: kept until their log record is durable, in a few flat
//! buffers instead of many small allocations.

use henge_index::DimensionSchema;
use henge_ingest::{RejectReason, Rejection, RowError, RowSink};
use henge_types::{Granularity, Interval, ValueRef};

/// Parsed rows of one request.
#[derive(Debug)]
pub struct RowBuffer {
    granularity: Granularity,
    max_chunks: usize,
    rows: Vec<Row>,
    values: Vec<StoredValue>,
    elements: Vec<Option<Span>>,
    text: String,
    bytes: Vec<u8>,
    /// The time chunks that the rows fall into.
    pub chunks: Vec<Interval>,
    /// Dimensions discovered on the way.
    pub discovered: Vec<DimensionSchema>,
    /// Refused events.
    pub rejections: Vec<RejectedEvent>,
}

/// A refused event, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEvent {
    /// Index of the event in the request.
    pub position: u64,
    /// Offset of the event in the request.
    pub offset_bytes: u64,
    /// Why.
    pub reason: String,
    /// The event, cut to a bounded length.
    pub raw: String,
}

impl RejectedEvent {
    /// A row that was refused after parsing, when its text is no longer at hand.
    #[must_use]
    pub fn without_text(position: u64, reason: String) -> Self {
        Self { position, offset_bytes: 0, reason, raw: String::new() }
    }
}

#[derive(Debug, Clone, Copy)]
struct Row {
    timestamp_ms: i64,
    position: u64,
    chunk: usize,
    values_end: usize,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum StoredValue {
    Null,
    Long(i64),
    Double(f64),
    Text(Span),
    Multi(Span),
    Complex(Span),
}

impl RowBuffer {
    /// An empty buffer. Rows that would open more than `max_chunks` time chunks are refused.
    #[must_use]
    pub fn new(granularity: Granularity, max_chunks: usize) -> Self {
        Self {
            granularity,
            max_chunks,
            rows: Vec::new(),
            values: Vec::new(),
            elements: Vec::new(),
            text: String::new(),
            bytes: Vec::new(),
            chunks: Vec::new(),
            discovered: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Calls `visit` with each row. Rows from before a dimension was discovered are given nulls, so
    /// that each has `dimensions + metrics` values.
    ///
    /// # Errors
    /// Whatever `visit` fails with; the rest is then not visited.
    pub fn for_each<E>(
        &self,
        dimensions: usize,
        metrics: usize,
        mut visit: impl FnMut(RowRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = |span: &Span| &self.text[span.start..span.end];
        let elements: Vec<Option<&str>> =
            self.elements.iter().map(|element| element.as_ref().map(text)).collect();
        let mut values = Vec::new();
        let mut start = 0;
        for row in &self.rows {
            values.clear();
            values.extend(self.values[start..row.values_end].iter().map(|value| match value {
                StoredValue::Null => ValueRef::Null,
                StoredValue::Long(value) => ValueRef::Long(*value),
                StoredValue::Double(value) => ValueRef::Double(*value),
                StoredValue::Text(span) => ValueRef::String(text(span)),
                StoredValue::Multi(span) => ValueRef::Multi(&elements[span.start..span.end]),
                StoredValue::Complex(span) => ValueRef::Complex(&self.bytes[span.start..span.end]),
            }));
            start = row.values_end;
            let missing = (dimensions + metrics).saturating_sub(values.len());
            if missing > 0 {
                let at = values.len().saturating_sub(metrics);
                values.splice(at..at, std::iter::repeat_n(ValueRef::Null, missing));
            }
            visit(RowRef {
                position: row.position,
                chunk: row.chunk,
                timestamp_ms: row.timestamp_ms,
                values: &values,
            })?;
        }
        Ok(())
    }

    fn store(&mut self, value: ValueRef<'_>) -> StoredValue {
        match value {
            ValueRef::Null => StoredValue::Null,
            ValueRef::Long(value) => StoredValue::Long(value),
            ValueRef::Double(value) => StoredValue::Double(value),
            ValueRef::String(text) => StoredValue::Text(self.store_text(text)),
            ValueRef::Complex(bytes) => StoredValue::Complex(self.store_bytes(bytes)),
            ValueRef::Multi(elements) => {
                let start = self.elements.len();
                for element in elements {
                    let span = element.map(|text| self.store_text(text));
                    self.elements.push(span);
                }
                StoredValue::Multi(Span { start, end: self.elements.len() })
            }
        }
    }

    fn store_bytes(&mut self, bytes: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Span { start, end: self.bytes.len() }
    }

    fn store_text(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        Span { start, end: self.text.len() }
    }

    fn chunk_index(&mut self, timestamp_ms: i64) -> Option<usize> {
        // Events come mostly in order: the newest chunk is the likeliest.
        if let Some(found) = self.chunks.iter().rposition(|chunk| chunk.contains(timestamp_ms)) {
            return Some(found);
        }
        if self.chunks.len() >= self.max_chunks {
            return None;
        }
        self.chunks.push(self.granularity.bucket(timestamp_ms));
        Some(self.chunks.len() - 1)
    }
}

/// A buffered row.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a> {
    /// Index of its event in the request.
    pub position: u64,
    /// Index of its chunk in [`RowBuffer::chunks`].
    pub chunk: usize,
    /// Timestamp, as it came.
    pub timestamp_ms: i64,
    /// One a dimension, then one a metric.
    pub values: &'a [ValueRef<'a>],
}

impl RowSink for RowBuffer {
    fn row(&mut self, timestamp_ms: i64, values: &[ValueRef<'_>]) -> Result<(), RowError> {
        let open = self.chunks.len();
        let position = (self.rows.len() + self.rejections.len()) as u64;
        let chunk = self
            .chunk_index(timestamp_ms)
            .ok_or(RowError::Reject(RejectReason::TooManyChunks { open }))?;
        for value in values {
            let stored = self.store(*value);
            self.values.push(stored);
        }
        self.rows.push(Row { timestamp_ms, position, chunk, values_end: self.values.len() });
        Ok(())
    }

    fn rejected(&mut self, rejection: Rejection<'_>) {
        self.rejections.push(RejectedEvent {
            position: rejection.position,
            offset_bytes: rejection.offset_bytes as u64,
            reason: rejection.reason.to_string(),
            raw: String::from_utf8_lossy(rejection.raw).into_owned(),
        });
    }

    fn new_dimension(&mut self, dimension: &DimensionSchema) {
        self.discovered.push(dimension.clone());
    }
}
