//! Values of the wrong type, said with an example: what the parser says of them names types of the program.

use toml::{Table, Value};

use super::{ConfigError, ServerConfig};

/// Holds every value against the default of its setting, which has the right type.
pub(super) fn check_kinds(table: &Table) -> Result<(), ConfigError> {
    let known = Table::try_from(ServerConfig::default())
        .map_err(|error| ConfigError::Parse(error.to_string()))?;
    match wrong_kind(table, &known, "") {
        Some(reason) => Err(ConfigError::Parse(reason)),
        None => Ok(()),
    }
}

fn wrong_kind(table: &Table, known: &Table, section: &str) -> Option<String> {
    // Names that nobody knows are said elsewhere.
    let known = |name: &String| known.get(name);
    table.iter().find_map(|(name, value)| {
        let default = known(name)?;
        let path = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match (value, default) {
            (Value::Table(inner), Value::Table(known)) => wrong_kind(inner, known, &path),
            (_, Value::Table(_)) => {
                Some(format!("{path} is a section: write [{path}] and its settings below it"))
            }
            (Value::Array(items), Value::Array(_)) if items.iter().all(Value::is_str) => None,
            (value, default) if !default.is_array() && value.same_type(default) => None,
            (value, default) => {
                let (is, wants) = (kind_of(value), wanted(default));
                let place = if section.is_empty() {
                    "before all sections".to_owned()
                } else {
                    format!("in [{section}]")
                };
                let example = example(&path, default);
                let reason =
                    format!("{path} is {is}, and wants {wants}: write {name} = {example}, {place}");
                Some(reason)
            }
        }
    })
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let shown: String = text.chars().take(40).collect();
            format!("the text {shown:?}")
        }
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(is_set) => is_set.to_string(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}

fn wanted(default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts",
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => "a text",
    }
}

/// The default, or what such a value looks like.
fn example(path: &str, default: &Value) -> String {
    match default {
        Value::Array(_) if path == "cluster.seeds" => "[\"10.0.0.1:8890\"]".to_owned(),
        Value::Array(items) if items.is_empty() => "[\"…\"]".to_owned(),
        Value::String(text) if text.is_empty() => "\"…\"".to_owned(),
        default => default.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        check_kinds(&text.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn h_107_a_value_of_the_wrong_type_is_said_with_an_example() {
        for (text, expected) in [
            (
                "port = '9000'",
                "configuration: port is the text \"9000\", and wants a whole number: write port = 8888, before \
                 all sections",
            ),
            (
                "[query]\ntimeout_ms = '5s'",
                "configuration: query.timeout_ms is the text \"5s\", and wants a whole number: write timeout_ms \
                 = 300000, in [query]",
            ),
            (
                "[cluster]\nseeds = '10.0.0.1:8890'",
                "configuration: cluster.seeds is the text \"10.0.0.1:8890\", and wants a list of texts: write \
                 seeds = [\"10.0.0.1:8890\"], in [cluster]",
            ),
            (
                "[query]\nstrict = 1",
                "configuration: query.strict is the number 1, and wants true or false: write strict = false, in \
                 [query]",
            ),
            (
                "query = 5",
                "configuration: query is a section: write [query] and its settings below it",
            ),
        ] {
            assert_eq!(told(text), expected);
        }
        let wrong = "[limits]\nallowed_hosts = [1]";
        assert!(told(wrong).contains("limits.allowed_hosts is a list, and wants a list of texts"));
    }

    #[test]
    fn what_fits_or_is_not_known_is_left_to_the_parser() {
        for text in
            ["", "port = 1", "[query.lanes]\nlow = 1\nmine = 2", "prot = 'x'", "data_dir = 'x'"]
        {
            check_kinds(&text.parse().unwrap()).unwrap();
        }
    }
}
