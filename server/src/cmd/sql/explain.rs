//! What EXPLAIN says, for people.

use serde_json::Value;

use super::ask::Column;

/// What makes a statement one that is explained; in a line of its own, so that places in the statement stay in
/// their columns.
pub(super) const PREFIX: &str = "EXPLAIN PLAN FOR\n";

/// The columns of an explanation below each other, their JSON with a field a line.
pub(super) fn shown(columns: &[Column], rows: &[Vec<Value>]) -> String {
    let mut out = String::new();
    for row in rows {
        for (column, value) in columns.iter().zip(row) {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let pretty = serde_json::from_str::<Value>(&text)
                .and_then(|json| serde_json::to_string_pretty(&json));
            out.push_str(&format!("{}\n{}\n", column.name, pretty.unwrap_or(text)));
        }
    }
    out.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plans_are_json_that_people_can_read() {
        let column = |name: &str| Column { name: name.to_owned(), sql_type: "VARCHAR".to_owned() };
        let row = vec![json!("[{\"query\":{\"queryType\":\"scan\"}}]"), json!("no JSON")];
        let text = shown(&[column("PLAN"), column("NOTE")], &[row]);
        let plan = "PLAN\n[\n  {\n    \"query\": {\n      \"queryType\": \"scan\"\n    }\n  }\n]";
        assert_eq!(text, format!("{plan}\nNOTE\nno JSON"));
    }
}
