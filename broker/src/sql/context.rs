//! What the context of a statement says of its life: its name, its time, and whether it is strict. Each key is
//! checked here, before anything is planned, so that errors name it.

use henge_query::QueryContext;
use henge_query::limits::MAX_QUERY_ID_BYTES;
use henge_sql::{Result, SqlError};
use serde_json::{Map, Value};

/// The keys by which a statement is named, the first that is there.
const ID_KEYS: [&str; 2] = ["sqlQueryId", "queryId"];

/// What a context says.
#[derive(Debug)]
pub(super) struct Checked {
    /// The statement's name, when the client gave one.
    pub(super) id: Option<String>,
    /// The keys that native queries have as well.
    pub(super) native: QueryContext,
}

/// Checks a context.
///
/// # Errors
/// When a key has a value of the wrong type or is not supported; its path is in the error.
pub(super) fn check(context: &Map<String, Value>) -> Result<Checked> {
    let native = QueryContext::parse(context)
        .map_err(|error| SqlError::new(error.class(), error.to_string()))?;
    Ok(Checked { id: id(context)?, native })
}

fn id(context: &Map<String, Value>) -> Result<Option<String>> {
    for key in ID_KEYS {
        let id = match context.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(id)) => id.clone(),
            Some(number @ Value::Number(_)) => number.to_string(),
            Some(other) => {
                return Err(SqlError::invalid(format!("context.{key}: {other} is no text")));
            }
        };
        if id.is_empty() {
            continue;
        }
        // Ids go into headers and paths.
        if id.len() > MAX_QUERY_ID_BYTES || id.chars().any(char::is_control) {
            return Err(SqlError::invalid(format!(
                "context.{key}: must have at most {MAX_QUERY_ID_BYTES} bytes and no control \
                 characters"
            )));
        }
        return Ok(Some(id));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
    fn checked(context: Value) -> Result<Checked, String> {
        check(context.as_object().unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn a_statement_is_named_by_its_id_of_sql_or_else_of_the_query() {
        let id = |context| checked(context).unwrap().id;
        assert_eq!(id(json!({})), None);
        assert_eq!(id(json!({"queryId": "n"})).as_deref(), Some("n"));
        assert_eq!(id(json!({"queryId": "n", "sqlQueryId": "s"})).as_deref(), Some("s"));
        assert_eq!(id(json!({"queryId": null, "sqlQueryId": ""})), None);
        assert_eq!(id(json!({"sqlQueryId": 7})).as_deref(), Some("7"));
    }

    #[test]
    fn what_a_context_says_wrongly_is_named() {
        for (context, word) in [
            (json!({"timeout": "soon"}), "context.timeout"),
            (json!({"priority": {}}), "context.priority"),
            (json!({"useCache": 3}), "context.useCache"),
            (json!({"bySegment": true}), "bySegment"),
            (json!({"sqlQueryId": []}), "context.sqlQueryId"),
            (json!({"sqlQueryId": "a\nb"}), "context.sqlQueryId"),
            (json!({"sqlQueryId": "x".repeat(10_000)}), "context.sqlQueryId"),
        ] {
            let error = checked(context.clone()).unwrap_err();
            assert!(error.contains(word), "{context}: {error}");
        }
        let context = json!({"timeout": "1000", "lane": "low", "sqlTimeZone": "Etc/UTC"});
        let native = checked(context).unwrap().native;
        assert_eq!((native.timeout_ms, native.lane.as_deref()), (Some(1_000), Some("low")));
    }
}
