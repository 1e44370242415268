//! What events of a datasource pass through one after the other: the parser and what it knows.

use std::sync::Arc;

use henge_ingest::{BatchCounts, BecameText, DiscoveredColumn, ParseLimits, RowParser};
use henge_types::{ChangeReport, IgnoredFields};

use super::known::KnownColumns;
use super::row_buffer::{RowBuffer, RowLimits};
use super::schema::DatasourceSchema;
use crate::error::Result;

/// The parser of a datasource.
pub(crate) struct Intake {
    pub(crate) schema: Arc<DatasourceSchema>,
    pub(crate) parser: RowParser,
    /// What the parser knew after the last request.
    pub(crate) known: Arc<KnownColumns>,
    /// The parser's lessons by then.
    lessons: u64,
    /// Bytes of an event of the last body, to make room by; 0 before the first.
    event_bytes: usize,
}

/// Smaller events are made no room for.
const MIN_EVENT_BYTES: usize = 32;

/// What became of some events.
pub(crate) struct Read {
    /// Those that became rows, and those that were refused.
    pub(crate) buffer: RowBuffer,
    pub(crate) counts: BatchCounts,
    /// Values that are stored otherwise than they came.
    pub(crate) changed: ChangeReport,
    /// Fields that the schema has nowhere.
    pub(crate) ignored: IgnoredFields,
    /// Columns of numbers that are text from now on.
    pub(crate) became_text: Vec<BecameText>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Intake {
    /// A parser that knows nothing but the schema.
    pub(crate) fn new(schema: Arc<DatasourceSchema>, limits: &ParseLimits) -> Result<Self> {
        let parser = RowParser::new(Arc::clone(&schema.data_schema), limits.clone())?;
        let lessons = parser.lessons();
        Ok(Self { schema, parser, known: Arc::default(), lessons, event_bytes: 0 })
    }

    /// As [`Intake::new`], but knowing columns from before.
    pub(crate) fn knowing(
        schema: Arc<DatasourceSchema>,
        limits: &ParseLimits,
        columns: &[DiscoveredColumn],
    ) -> Result<Self> {
        let mut intake = Self::new(schema, limits)?;
        intake.parser.add_known(columns);
        intake.keep_lessons();
        Ok(intake)
    }

    /// Reads a body. Depends on nothing but its arguments, the schema and what is known, so that reading
    /// it again gives the same rows.
    ///
    /// # Errors
    /// When the body is not JSON at all, or its rows are beyond the limits.
    pub(crate) fn read(&mut self, body: &[u8], now_ms: i64, limits: RowLimits) -> Result<Read> {
        let spec = &self.schema.data_schema.granularity_spec;
        let metrics = self.schema.index_schema.metrics.len();
        let mut buffer = RowBuffer::new(spec.segment_granularity.clone(), metrics, limits);
        let expected_rows = body.len().checked_div(self.event_bytes).unwrap_or_default();
        buffer.reserve(expected_rows);
        self.parser.set_now_ms(now_ms);
        let outcome = self.parser.parse_batch(body, &mut buffer);
        let (changed, ignored) = (self.parser.take_changes(), self.parser.take_ignored());
        let became_text = self.parser.take_became_text();
        if let Some(full) = buffer.take_full() {
            return Err(full);
        }
        let counts = outcome?;
        let event_bytes = body.len().checked_div(buffer.row_count()).unwrap_or_default();
        self.event_bytes = event_bytes.max(MIN_EVENT_BYTES);
        self.keep_lessons();
        Ok(Read { buffer, counts, changed, ignored, became_text })
    }

    /// Takes note of what the last request taught the parser.
    fn keep_lessons(&mut self) {
        if self.parser.lessons() != self.lessons {
            let declared = self.schema.index_schema.dimensions.len();
            self.known = Arc::new(KnownColumns::of(&self.parser, declared));
            self.lessons = self.parser.lessons();
        }
    }

    /// Forgets what a request taught the parser that is not stored after all: the state is as it
    /// was when `before` was known.
    pub(crate) fn roll_back(&mut self, before: &Arc<KnownColumns>) -> Result<()> {
        if self.parser.lessons() == self.lessons && Arc::ptr_eq(&self.known, before) {
            return Ok(());
        }
        let schema = Arc::clone(&self.schema);
        *self = Self::knowing(schema, self.parser.limits(), &before.discovered)?;
        // The same columns, under the name by which the log's state is known.
        self.known = Arc::clone(before);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use henge_platform::runtime::MemoryAccount;

    use super::*;

    fn intake() -> Intake {
        let schema = r#"{"dataSource":"d","timestampSpec":{"column":"t","format":"auto"},
            "dimensionsSpec":{"useSchemaDiscovery":true},
            "granularitySpec":{"segmentGranularity":"day"}}"#;
        let schema = Arc::new(DatasourceSchema::parse(1, schema).unwrap());
        Intake::new(schema, &ParseLimits::default()).unwrap()
    }

    fn parse(intake: &mut Intake, body: &str) {
        let account = MemoryAccount::unbounded();
        let limits = RowLimits { max_chunks: 10, max_values: u64::MAX, account };
        intake.read(body.as_bytes(), 0, limits).unwrap();
    }

    #[test]
    fn f_20_what_is_not_logged_teaches_nothing() {
        let mut intake = intake();
        parse(&mut intake, r#"{"t":1,"v":1}"#);
        let before = Arc::clone(&intake.known);
        assert!(Arc::ptr_eq(&before, &intake.known));
        for body in [r#"{"t":1,"v":"x"}"#, r#"{"t":1,"new":1}"#, r#"{"t":1,"v":9007199254740993}"#]
        {
            parse(&mut intake, body);
            assert_ne!(intake.parser.discovered(), before.discovered, "{body}");
            intake.roll_back(&before).unwrap();
            assert_eq!(intake.parser.discovered(), before.discovered, "{body}");
            assert!(Arc::ptr_eq(&before, &intake.known));
        }
        // What teaches nothing costs nothing.
        parse(&mut intake, r#"{"t":1,"v":2}"#);
        assert!(Arc::ptr_eq(&before, &intake.known));
    }
}
