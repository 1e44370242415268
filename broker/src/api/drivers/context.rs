//! Properties of drivers as values of a statement's context.

use serde_json::Value;

/// The value of a context key that a driver gave as text: `true` and `false` are booleans and whole numbers are
/// numbers, but for ids, which are texts whatever they look like.
pub(crate) fn context_value(key: &str, text: &str) -> Value {
    if key.ends_with("Id") {
        return text.into();
    }
    match (text, text.parse::<i64>()) {
        ("true", _) => true.into(),
        ("false", _) => false.into(),
        (_, Ok(number)) => number.into(),
        (text, Err(_)) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_become_what_they_look_like_but_for_ids() {
        assert_eq!(context_value("useCache", "false"), json!(false));
        assert_eq!(context_value("timeout", "3000"), json!(3000));
        assert_eq!(context_value("sqlTimeZone", "Etc/UTC"), json!("Etc/UTC"));
        assert_eq!(context_value("sqlQueryId", "17"), json!("17"));
    }
}
