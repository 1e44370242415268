//! `SET name = value`: what a shell remembers for all statements that follow.

use serde_json::Value;

/// What a statement sets, when it is one that sets something.
///
/// # Errors
/// When it is and says it wrongly.
pub(super) fn setting(statement: &str) -> Result<Option<(String, Value)>, String> {
    let Some((word, rest)) = statement.trim().split_once(char::is_whitespace) else {
        return Ok(None);
    };
    if !word.eq_ignore_ascii_case("set") {
        return Ok(None);
    }
    let wrong = || format!("a setting is written SET name = value, not: {statement}");
    let (name, value) = rest.split_once('=').ok_or_else(wrong)?;
    let name = name.trim().trim_matches('"');
    let is_name = |letter: char| letter.is_alphanumeric() || "_.$".contains(letter);
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(wrong());
    }
    Ok(Some((name.to_owned(), literal(value.trim()).ok_or_else(wrong)?)))
}

/// A value as SQL writes it: a text in quotes, a number, TRUE, FALSE or NULL.
fn literal(text: &str) -> Option<Value> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'')?;
        let is_whole = !inner.replace("''", "").contains('\'');
        return is_whole.then(|| inner.replace("''", "'").into());
    }
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        "null" => Some(Value::Null),
        number => number_of(number),
    }
}

/// A number; nothing else is read as one.
pub(super) fn number_of(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let looks_so =
        text.starts_with(|letter: char| letter.is_ascii_digit() || "+-.".contains(letter));
    let double = text.parse::<f64>().ok().filter(|value| looks_so && value.is_finite());
    double.map(Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_told_from_statements() {
        let set = |text| setting(text).unwrap().unwrap();
        assert_eq!(
            set("SET sqlTimeZone = 'Asia/Tokyo'"),
            ("sqlTimeZone".into(), json!("Asia/Tokyo"))
        );
        assert_eq!(set("set \"timeout\"=3000"), ("timeout".into(), json!(3000)));
        assert_eq!(set("SET useCache = FALSE").1, json!(false));
        assert_eq!(set("SET x = 'it''s'").1, json!("it's"));
        assert_eq!(set("SET x = -0.5").1, json!(-0.5));
        for none in ["SELECT 1", "SETTLE x = 1", "set", ""] {
            assert_eq!(setting(none), Ok(None), "{none}");
        }
        for wrong in ["SET x", "SET x = ", "SET x = 'a' 'b'", "SET = 1", "SET x = infinity"] {
            assert!(setting(wrong).is_err(), "{wrong}");
        }
    }
}
