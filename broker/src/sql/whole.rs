//! Answers for those who can tell nothing beside the rows: drivers, whose protocols have no place for it. A partial
//! answer, which `allowPartial` in a statement's context allows, ends in an error there: none is partial in silence.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use henge_sql::SqlError;
use henge_types::ErrorClass;
use serde_json::{Map, Value};

use super::run::Answered;

impl Answered {
    /// The same, with an error after the last row when segments are missing from the rows.
    pub(crate) fn whole(self) -> Self {
        let statement = Arc::clone(&self.statement);
        let end = stream::once(async move { lacking(&statement.response_context()) });
        let end = end.filter_map(|lacks| async move { lacks.map(Err) });
        let batches = self.batches.chain(end).fuse().boxed();
        Self { batches, ..self }
    }
}

/// The error of an answer that lacks segments.
fn lacking(response_context: &Map<String, Value>) -> Option<SqlError> {
    let missing =
        response_context.get("missingSegmentCount")?.as_u64().filter(|count| *count > 0)?;
    let message = format!(
        "the answer lacks {missing} segment(s), which can only be told over HTTP; leave allowPartial out of the \
         context, or send the statement to /druid/v2/sql"
    );
    Some(SqlError::new(ErrorClass::Unavailable, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_that_lack_segments_end_in_an_error() {
        let error = |context: Value| lacking(context.as_object().unwrap());
        assert!(error(json!({})).is_none());
        assert!(error(json!({"missingSegmentCount": 0, "uncoveredIntervals": []})).is_none());
        let error = error(json!({"missingSegmentCount": 3})).unwrap();
        assert_eq!(error.class, ErrorClass::Unavailable);
        assert!(error.message.starts_with("the answer lacks 3 segment(s)"), "{}", error.message);
    }
}
