//! What requests of a datasource pass through one after the other: the parser and what it knows.

use std::sync::Arc;

use henge_ingest::{DiscoveredColumn, ParseLimits, RowParser};

use crate::error::Result;
use crate::push::known::KnownColumns;
use crate::push::schema::PushSchema;

/// The parser of a datasource.
pub(crate) struct Intake {
    pub(crate) schema: Arc<PushSchema>,
    pub(crate) parser: RowParser,
    /// What the parser knew after the last request.
    pub(crate) known: Arc<KnownColumns>,
    /// The parser's lessons by then.
    lessons: u64,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Intake {
    /// A parser that knows nothing but the schema.
    pub(crate) fn new(schema: Arc<PushSchema>, limits: &ParseLimits) -> Result<Self> {
        let parser = RowParser::new(Arc::clone(&schema.data_schema), limits.clone())?;
        let lessons = parser.lessons();
        Ok(Self { schema, parser, known: Arc::default(), lessons })
    }

    /// As [`Intake::new`], but knowing columns from before.
    pub(crate) fn knowing(
        schema: Arc<PushSchema>,
        limits: &ParseLimits,
        columns: &[DiscoveredColumn],
    ) -> Result<Self> {
        let mut intake = Self::new(schema, limits)?;
        intake.parser.add_known(columns);
        intake.keep_lessons();
        Ok(intake)
    }

    /// Takes note of what the last request taught the parser.
    pub(crate) fn keep_lessons(&mut self) {
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
    use crate::push::accept::parse_body;
    use crate::push::row_buffer::RowLimits;

    fn intake() -> Intake {
        let schema = r#"{"dataSource":"d","timestampSpec":{"column":"t","format":"auto"},
            "dimensionsSpec":{"useSchemaDiscovery":true},
            "granularitySpec":{"segmentGranularity":"day"}}"#;
        let schema = Arc::new(PushSchema::parse(1, schema).unwrap());
        Intake::new(schema, &ParseLimits::default()).unwrap()
    }

    fn parse(intake: &mut Intake, body: &str) {
        let account = MemoryAccount::unbounded();
        let limits = RowLimits { max_chunks: 10, max_values: u64::MAX, account };
        parse_body(intake, body.as_bytes(), 0, limits).unwrap();
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
