//! What requests of a datasource pass through one after the other: the parser and what it knows.

use std::sync::Arc;

use henge_ingest::{ParseLimits, RowParser};

use crate::error::Result;
use crate::push::known::KnownColumns;
use crate::push::schema::PushSchema;

/// The parser of a datasource.
pub struct Intake {
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
    pub(crate) fn new(schema: Arc<PushSchema>) -> Result<Self> {
        let parser = RowParser::new(Arc::clone(&schema.data_schema), ParseLimits::default())?;
        let lessons = parser.lessons();
        Ok(Self { schema, parser, known: Arc::default(), lessons })
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
        let mut fresh = Self::new(Arc::clone(&self.schema))?;
        fresh.parser.add_known(&before.discovered);
        fresh.keep_lessons();
        *self = fresh;
        Ok(())
    }
}
