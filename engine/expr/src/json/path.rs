//! Paths into JSON documents.

use serde_json::Value;

/// A path: where in a document something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    /// From the end when negative.
    Index(i64),
}

/// Steps at most: deeper than any document that is read.
const MAX_STEPS: usize = 128;

impl JsonPath {
    /// Reads `$`, `$.name`, `$['name']`, `$[1]` and what follows of these.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no path: write it like $.name[0]['other']");
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        // As Druid writes the whole document now and then.
        if rest == "." {
            rest = "";
        }
        let mut steps = Vec::new();
        while !rest.is_empty() && steps.len() <= MAX_STEPS {
            let (step, after) = step(rest).ok_or_else(wrong)?;
            steps.push(step);
            rest = after;
        }
        if rest.is_empty() {
            Ok(Self { steps })
        } else {
            Err(format!("the path is longer than {MAX_STEPS} steps"))
        }
    }

    /// What lies there.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(document, |document, step| match (step, document) {
            (Step::Name(name), Value::Object(fields)) => fields.get(name),
            (Step::Index(index), Value::Array(items)) => {
                let index = if *index < 0 {
                    index.checked_add_unsigned(items.len() as u64)?
                } else {
                    *index
                };
                items.get(usize::try_from(index).ok()?)
            }
            _ => None,
        })
    }
}

/// The first step of a text and what follows it.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(name) = text.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, rest) = name.split_at(end);
        return (!name.is_empty()).then(|| (Step::Name(name.to_owned()), rest));
    }
    let inner = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let end = quoted.find(&format!("{quote}]"))?;
            return Some((Step::Name(quoted[..end].to_owned()), &quoted[end + 2..]));
        }
    }
    let (index, rest) = inner.split_once(']')?;
    Some((Step::Index(index.trim().parse().ok()?), rest))
}

/// Adds a name to a path, quoted where its characters mean something.
pub(super) fn write_name(path: &mut String, name: &str) {
    if name.is_empty() || name.contains(['.', '[', ']', '\'', '"']) {
        path.push_str("['");
        path.push_str(name);
        path.push_str("']");
    } else {
        path.push('.');
        path.push_str(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_what_lies_there() {
        let document = serde_json::json!({"a": {"b.c": [1, {"d": "x"}]}, "e": null});
        for (path, expected) in [
            ("$", Some(document.clone())),
            ("$.", Some(document.clone())),
            ("$.a['b.c'][0]", Some(1.into())),
            ("$.a[\"b.c\"][1].d", Some("x".into())),
            ("$.a['b.c'][-2]", Some(1.into())),
            ("$.a['b.c'][2]", None),
            ("$.a.d", None),
            ("$.e", Some(Value::Null)),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().find(&document).cloned(), expected, "{path}");
        }
        for path in ["", "a", "$a", "$.a.", "$[", "$[x]", "$['a", "$..a"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
