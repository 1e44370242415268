//! [`Handle`]: a statement as clients carry it. It is all that is known of it: nothing is kept here.

use bytes::Bytes;
use henge_sql::{Parameter, SqlRequest};
use henge_types::Interval;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tonic::Status;

use super::{internal, invalid};
use crate::execute::made_id;

const QUERY_ID: &str = "sqlQueryId";
const CURRENT_TIMESTAMP: &str = "sqlCurrentTimestamp";

/// A statement with its context and the values of its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Handle {
    pub(super) sql: String,
    #[serde(default)]
    pub(super) context: Map<String, Value>,
    #[serde(default)]
    parameters: Vec<Given>,
    /// The times whose rows are wanted; `None` for all of them.
    #[serde(skip)]
    pub(super) part: Option<Interval>,
}

/// A handle of a part as it is written. It has another form, so that a server that does not know of parts refuses it
/// and never takes it for the whole.
#[derive(Debug, Serialize, Deserialize)]
struct OfPart<H> {
    part: Interval,
    whole: H,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Given {
    #[serde(rename = "type")]
    sql_type: String,
    value: Value,
}

impl Handle {
    /// A statement whose parameters have no values.
    pub(super) fn new(sql: String, context: Map<String, Value>) -> Self {
        Self { sql, context, parameters: Vec::new(), part: None }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it was not made here.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Status> {
        if let Ok(OfPart { part, whole }) = serde_json::from_slice::<OfPart<Self>>(bytes) {
            return Ok(Self { part: Some(part), ..whole });
        }
        serde_json::from_slice(bytes)
            .map_err(|_| invalid("the handle of the statement is none of this server's"))
    }

    /// Writes it.
    ///
    /// # Errors
    /// Never for what is in it.
    pub(super) fn write(&self) -> Result<Bytes, Status> {
        let written = match self.part {
            None => serde_json::to_vec(self),
            Some(part) => serde_json::to_vec(&OfPart { part, whole: self }),
        };
        written.map(Bytes::from).map_err(internal)
    }

    /// The same with these values.
    pub(super) fn with_parameters(self, parameters: Vec<Parameter>) -> Self {
        let given =
            parameters.into_iter().map(|Parameter { sql_type, value }| Given { sql_type, value });
        Self { parameters: given.collect(), ..self }
    }

    /// The same with a name by which it can be cancelled.
    pub(super) fn named(mut self) -> Self {
        if !self.context.contains_key(QUERY_ID) {
            self.context.insert(QUERY_ID.to_owned(), made_id().into());
        }
        self
    }

    /// The same at a moment: what parts of it take for now, whenever they are run.
    pub(super) fn dated(mut self, now_ms: i64) -> Self {
        self.context.entry(CURRENT_TIMESTAMP).or_insert_with(|| now_ms.into());
        self
    }

    /// That part of it whose rows lie in an interval.
    pub(super) fn part(&self, part: Interval) -> Self {
        Self { part: Some(part), ..self.clone() }
    }

    /// That name.
    pub(super) fn query_id(&self) -> Option<&str> {
        self.context.get(QUERY_ID).and_then(Value::as_str)
    }

    /// What is run.
    pub(super) fn request(self, now_ms: i64) -> SqlRequest {
        let parameters = self.parameters.into_iter();
        let parameters = parameters.map(|Given { sql_type, value }| Parameter { sql_type, value });
        SqlRequest {
            text: self.sql,
            context: self.context,
            parameters: parameters.collect(),
            now_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_handle_carries_everything() {
        let handle = Handle::new("SELECT ?".to_owned(), Map::new())
            .with_parameters(vec![Parameter { sql_type: "DOUBLE".to_owned(), value: json!(0.1) }]);
        let named = handle.clone().named();
        assert!(named.query_id().is_some() && handle.query_id().is_none());
        assert_eq!(Handle::read(&named.write().unwrap()).unwrap(), named);
        assert!(Handle::read(b"made elsewhere").is_err());
    }

    #[test]
    fn a_part_is_never_taken_for_the_whole() {
        let whole = Handle::new("SELECT 1".to_owned(), Map::new()).dated(7);
        for part in [Interval::ETERNITY, Interval { start_ms: -5, end_ms: 7 }] {
            let part = whole.part(part);
            let written = part.write().unwrap();
            assert_eq!(Handle::read(&written).unwrap(), part);
            // As a server reads it that does not know of parts.
            assert!(serde_json::from_slice::<Handle>(&written).is_err());
        }
        let older = br#"{"sql": "SELECT 1", "context": {"sqlCurrentTimestamp": 7}}"#;
        assert_eq!(Handle::read(older).unwrap(), whole);
        let wrong = br#"{"part": "soon", "whole": {"sql": "SELECT 1"}}"#;
        assert!(Handle::read(wrong).is_err());
    }
}
