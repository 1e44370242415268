//! What a client sends: a statement with its context, parameters and the form of its answer, as JSON; or the bare
//! statement.

use axum::http::{HeaderMap, header};
use henge_answer::Form;
use henge_query::{closest_name, parse_json};
use henge_sql::result::{Layout, ResultFormat};
use henge_sql::{Parameter, Result, SqlError, SqlRequest};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::api::accept::form_of;

/// The fields of a request.
const FIELDS: [&str; 7] =
    ["query", "resultFormat", "header", "typesHeader", "sqlTypesHeader", "context", "parameters"];

/// What was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: SqlRequest,
    pub(super) layout: Layout,
    /// What is to be told beside the answer, each after the path of a field and a colon.
    pub(super) warnings: Vec<String>,
}

/// Reads a request. `strict` is the server's: fields that nothing reads are errors then.
///
/// # Errors
/// When it is no JSON that describes a statement, or no text; the field is named.
pub(super) fn read(headers: &HeaderMap, body: &[u8], strict: bool) -> Result<Asked> {
    let default = match form_of(headers, false) {
        Form::Arrow => ResultFormat::Arrow,
        Form::Json | Form::IndentedJson => ResultFormat::Object,
    };
    match media_type(headers).as_str() {
        "text/plain" => bare(body, default),
        // What `curl` calls everything that it is not told the type of: JSON as often as not.
        "application/x-www-form-urlencoded" if !is_object(body) => {
            let decoded: Vec<u8> = percent_decode(&plus_as_space(body)).collect();
            match is_object(&decoded) {
                true => of_json(&decoded, default, strict),
                false => bare(&decoded, default),
            }
        }
        _ => of_json(body, default, strict),
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = value.unwrap_or_default().split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn plus_as_space(body: &[u8]) -> Vec<u8> {
    body.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
}

/// A statement without anything around it.
fn bare(body: &[u8], format: ResultFormat) -> Result<Asked> {
    let text = std::str::from_utf8(body)
        .map_err(|_| SqlError::invalid("the statement is no text in UTF-8"))?;
    let request = SqlRequest { text: not_empty(text)?, ..SqlRequest::default() };
    Ok(Asked { request, layout: Layout { format, ..Layout::default() }, warnings: Vec::new() })
}

fn of_json(body: &[u8], default: ResultFormat, strict: bool) -> Result<Asked> {
    let document =
        parse_json(body).map_err(|error| SqlError::new(error.class(), error.to_string()))?;
    let Value::Object(mut fields) = document else {
        return Err(SqlError::invalid(
            "the body: an object such as {\"query\": \"SELECT 1\"} was expected",
        ));
    };
    let text = match fields.get("query") {
        Some(Value::String(text)) => not_empty(text)?,
        Some(other) => return Err(wrong("query", "a text", other)),
        None => return Err(SqlError::invalid("query: missing; give the statement")),
    };
    let layout = Layout::of_request(&fields, default)?;
    let context = match fields.remove("context") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(context)) => context,
        Some(other) => return Err(wrong("context", "an object", &other)),
    };
    let parameters = parameters(fields.remove("parameters"))?;
    let warnings = unread(&fields);
    let is_strict = strict || context.get("strict").is_some_and(is_true);
    if let (true, Some(first)) = (is_strict, warnings.first()) {
        return Err(SqlError::invalid(first.clone()));
    }
    let request = SqlRequest { text, context, parameters, now_ms: 0 };
    Ok(Asked { request, layout, warnings })
}

fn not_empty(text: &str) -> Result<String> {
    match text.trim().is_empty() {
        true => Err(SqlError::invalid("query: empty; give a statement, for example SELECT 1")),
        false => Ok(text.to_owned()),
    }
}

/// `[{"type": "VARCHAR", "value": "x"}]`
fn parameters(parameters: Option<Value>) -> Result<Vec<Parameter>> {
    let items = match parameters {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(wrong("parameters", "a list", &other)),
    };
    items.into_iter().enumerate().map(|(at, item)| parameter(at, item)).collect()
}

fn parameter(at: usize, item: Value) -> Result<Parameter> {
    let expected = "an object such as {\"type\": \"VARCHAR\", \"value\": \"x\"}";
    let mut fields = match item {
        Value::Object(fields) => fields,
        other => return Err(wrong(&format!("parameters[{at}]"), expected, &other)),
    };
    let sql_type = match fields.get("type") {
        Some(Value::String(name)) => name.trim().to_ascii_uppercase(),
        Some(other) => {
            return Err(wrong(&format!("parameters[{at}].type"), "the name of a type", other));
        }
        None => {
            let message =
                format!("parameters[{at}].type: missing; give a type, for example VARCHAR");
            return Err(SqlError::invalid(message));
        }
    };
    Ok(Parameter { sql_type, value: fields.remove("value").unwrap_or_default() })
}

/// Fields that nothing reads.
fn unread(fields: &Map<String, Value>) -> Vec<String> {
    let unknown = fields.keys().filter(|name| !FIELDS.contains(&name.as_str()));
    let told = unknown.map(|name| {
        let meant = closest_name(name, FIELDS);
        let meant = meant.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
        format!("{name}: nothing reads this field{meant}")
    });
    told.collect()
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(set) => *set,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn wrong(path: &str, expected: &str, found: &Value) -> SqlError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SqlError::invalid(format!("{path}: {expected} was expected and {found} found"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(content_type: &str, body: &[u8], strict: bool) -> Result<Asked, String> {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        read(&headers, body, strict).map_err(|error| error.message)
    }

    #[expect(clippy::needless_pass_by_value, reason = "made in place by `json!`")]
    fn json(body: Value) -> Result<Asked, String> {
        with("application/json", body.to_string().as_bytes(), false)
    }

    #[test]
    fn requests_come_as_json_as_bare_statements_and_as_forms() {
        let asked = json(json!({
            "query": "SELECT ?", "resultFormat": "arrayLines", "header": true,
            "context": {"sqlQueryId": "q"}, "parameters": [{"type": "varchar", "value": "x"}],
        }));
        let Asked { request, layout, warnings } = asked.unwrap();
        assert_eq!((request.text.as_str(), warnings.len()), ("SELECT ?", 0));
        assert_eq!(request.context["sqlQueryId"], "q");
        let expected = Parameter { sql_type: "VARCHAR".into(), value: "x".into() };
        assert_eq!(request.parameters, [expected]);
        assert!(layout.header && layout.format == ResultFormat::ArrayLines);
        let form = "application/x-www-form-urlencoded";
        for (content_type, body) in [
            ("text/plain; charset=utf-8", "SELECT 1 + 1"),
            (form, "SELECT+1+%2B+1"),
            (form, "{\"query\": \"SELECT 1 + 1\"}"),
            (form, "%7B%22query%22%3A%22SELECT+1+%2B+1%22%7D"),
            ("", "{\"query\": \"SELECT 1 + 1\", \"context\": null, \"parameters\": null}"),
        ] {
            let asked = with(content_type, body.as_bytes(), true).unwrap();
            assert_eq!(asked.request.text, "SELECT 1 + 1", "{body}");
            assert_eq!(asked.layout, Layout::default());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, word) in [
            (json!([]), "the body"),
            (json!({}), "query: missing"),
            (json!({"query": 1}), "query: a text was expected and a number found"),
            (json!({"query": " \n"}), "query: empty"),
            (json!({"query": "x", "context": []}), "context: an object"),
            (json!({"query": "x", "parameters": {}}), "parameters: a list"),
            (json!({"query": "x", "parameters": [1]}), "parameters[0]: an object"),
            (json!({"query": "x", "parameters": [{"value": 1}]}), "parameters[0].type: missing"),
            (json!({"query": "x", "parameters": [{"type": 1}]}), "parameters[0].type"),
            (json!({"query": "x", "resultFormat": "xml"}), "resultFormat"),
        ] {
            let error = json(body.clone()).unwrap_err();
            assert!(error.contains(word), "{body}: {error}");
        }
        assert!(with("", b"{", false).is_err());
        assert!(with("text/plain", b"\xff", false).unwrap_err().contains("UTF-8"));
        assert!(with("text/plain", b"", false).unwrap_err().contains("empty"));
    }

    #[test]
    fn fields_that_nothing_reads_are_told_of_or_refused() {
        let body = json!({"query": "SELECT 1", "resultsFormat": "csv"});
        let asked = json(body.clone()).unwrap();
        assert!(asked.warnings[0].contains("did you mean 'resultFormat'"), "{:?}", asked.warnings);
        let text = body.to_string();
        assert!(with("", text.as_bytes(), true).unwrap_err().contains("resultsFormat"));
        let mut strict = body;
        strict["context"] = json!({"strict": "true"});
        assert!(json(strict).unwrap_err().contains("resultsFormat"));
    }
}
