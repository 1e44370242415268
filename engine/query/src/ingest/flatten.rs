//! `flattenSpec`: values from within nested events, as fields of their own.

use crate::error::Result;
use crate::node::{Node, excerpt};

/// Which values of an event are its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlattenSpec {
    /// The event's own fields are fields as well.
    pub use_field_discovery: bool,
    /// Fields from within; one that is called as one of the event's own goes before it.
    pub fields: Vec<FlattenField>,
}

/// A field whose value lies within an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlattenField {
    /// What it is called.
    pub name: String,
    /// The way to it, from the event.
    pub steps: Vec<FlattenStep>,
}

/// A step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlattenStep {
    /// To the field of an object.
    Field(String),
    /// To an element of a list: from 0, or from the end when it is negative.
    Element(i64),
    /// To all elements of a list, or all values of an object: the field has several values.
    All,
}

impl FlattenField {
    /// The event's own field that the way begins at; `None` when it may begin at any.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        match self.steps.first() {
            Some(FlattenStep::Field(root)) => Some(root),
            _ => None,
        }
    }

    /// True for a field that the event has under the same name.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.steps.len() == 1 && self.root() == Some(self.name.as_str())
    }
}

impl Default for FlattenSpec {
    fn default() -> Self {
        Self { use_field_discovery: true, fields: Vec::new() }
    }
}

impl FlattenSpec {
    /// True when events are taken as they are.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.use_field_discovery && self.fields.iter().all(FlattenField::is_own)
    }

    /// The fields of an event that lead to those of the spec, without an order; `None` when all may.
    #[must_use]
    pub fn roots(&self) -> Option<Vec<&str>> {
        self.fields.iter().map(FlattenField::root).collect()
    }

    pub(super) fn read(format: &Node<'_>) -> Result<Self> {
        let Some(node) = format.get("flattenSpec") else { return Ok(Self::default()) };
        node.only_fields(&["useFieldDiscovery", "fields"])?;
        Ok(Self {
            use_field_discovery: node.boolean_or("useFieldDiscovery", true)?,
            fields: node.list("fields", field)?,
        })
    }
}

const TYPES: &[&str] = &["root", "path", "jq", "tree"];

fn field(node: &Node<'_>) -> Result<FlattenField> {
    if node.value().is_string() {
        let name = node.name()?;
        return Ok(FlattenField { steps: vec![FlattenStep::Field(name.clone())], name });
    }
    let kind = node.type_name(TYPES)?;
    node.only_fields(&["type", "name", "expr", "nodes"])?;
    let name = node.require("name", "name the field")?.name()?;
    let expression = |example: &str| node.require("expr", &format!("say where it is: {example}"));
    let steps = match kind {
        "root" => {
            let field = node.get("expr").map(|expr| expr.text().map(str::to_owned)).transpose()?;
            vec![FlattenStep::Field(field.unwrap_or_else(|| name.clone()))]
        }
        "path" => {
            let expr = expression("$.a.b[0]")?;
            let text = expr.text()?;
            path(text).ok_or_else(|| {
                expr.invalid(format!(
                    "'{}' is not read: a path is $ and then .name, ['name'], [0], [-1] or [*]; deep scans, \
                     filters, slices and functions are not supported",
                    excerpt(text)
                ))
            })?
        }
        "jq" => {
            let expr = expression(".a.b[0]")?;
            let text = expr.text()?;
            jq(text).ok_or_else(|| {
                expr.invalid(format!(
                    "'{}' is not read: of jq there are .name, .\"name\", .[\"name\"], .[0], .[-1], .[], ? and | \
                     between them",
                    excerpt(text)
                ))
            })?
        }
        "tree" => node.list("nodes", |one| one.name().map(FlattenStep::Field))?,
        other => return Err(node.bad_type("flattenSpec field", other, TYPES, &[])),
    };
    if steps.is_empty() {
        return Err(node.invalid("it leads to the event itself: name a field of it"));
    }
    Ok(FlattenField { name, steps })
}

/// The steps of a JSONPath; `None` for what is not read.
fn path(text: &str) -> Option<Vec<FlattenStep>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(behind) = rest.strip_prefix("[*]") {
            (FlattenStep::All, behind)
        } else if rest.starts_with('[') {
            bracket(rest)?
        } else {
            let behind = rest.strip_prefix('.')?;
            match behind.strip_prefix('*') {
                Some(behind) => (FlattenStep::All, behind),
                None => plain_name(behind)?,
            }
        };
        steps.push(step);
    }
    Some(steps)
}

/// The steps of a filter of jq; `None` for what is not read.
fn jq(text: &str) -> Option<Vec<FlattenStep>> {
    let mut steps = Vec::new();
    for part in text.split('|') {
        let mut rest = part.trim();
        if !rest.starts_with('.') {
            return None;
        }
        if rest == "." {
            continue;
        }
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('?') {
                rest = behind;
                continue;
            }
            // `.[0]` and `[0]` are the same behind something.
            let dotless = rest.strip_prefix('.').filter(|behind| behind.starts_with('['));
            let here = dotless.unwrap_or(rest);
            let step;
            (step, rest) = if let Some(behind) = here.strip_prefix("[]") {
                (FlattenStep::All, behind)
            } else if here.starts_with('[') {
                bracket(here)?
            } else {
                let behind = here.strip_prefix('.')?;
                if behind.starts_with('"') { quoted(behind)? } else { plain_name(behind)? }
            };
            steps.push(step);
        }
    }
    Some(steps)
}

/// `[0]`, `["name"]` or `['name']`, and what is behind.
fn bracket(text: &str) -> Option<(FlattenStep, &str)> {
    let inner = text.strip_prefix('[')?;
    if inner.starts_with(['"', '\'']) {
        let (step, behind) = quoted(inner)?;
        return Some((step, behind.strip_prefix(']')?));
    }
    let (number, behind) = inner.split_once(']')?;
    Some((FlattenStep::Element(number.trim().parse().ok()?), behind))
}

/// A name in quotes, which holds none itself, and what is behind.
fn quoted(text: &str) -> Option<(FlattenStep, &str)> {
    let quote = text.chars().next()?;
    let (name, behind) = text[1..].split_once(quote)?;
    (!name.contains('\\')).then(|| (FlattenStep::Field(name.to_owned()), behind))
}

fn plain_name(text: &str) -> Option<(FlattenStep, &str)> {
    let is_end =
        |c: char| matches!(c, '.' | '[' | '?' | '(' | ')' | '*' | ',' | ' ' | '"' | '\'' | '|');
    let (name, behind) = text.split_at(text.find(is_end).unwrap_or(text.len()));
    let is_read = !name.is_empty() && (behind.is_empty() || behind.starts_with(['.', '[', '?']));
    is_read.then(|| (FlattenStep::Field(name.to_owned()), behind))
}

#[cfg(test)]
mod tests {
    use super::FlattenStep::{All, Element, Field};
    use super::*;

    fn to(name: &str) -> FlattenStep {
        Field(name.to_owned())
    }

    #[test]
    fn ways_are_read_in_both_languages() {
        for (text, steps) in [
            ("$.a.b", vec![to("a"), to("b")]),
            ("$['a b'][\"c\"]", vec![to("a b"), to("c")]),
            ("$.a[0][-1]", vec![to("a"), Element(0), Element(-1)]),
            ("$.a[*].b", vec![to("a"), All, to("b")]),
            ("$.*", vec![All]),
            ("$", vec![]),
        ] {
            assert_eq!(path(text), Some(steps), "{text}");
        }
        for (text, steps) in [
            (".a.b", vec![to("a"), to("b")]),
            (".a[0]", vec![to("a"), Element(0)]),
            (".[\"a b\"].\"c\"?", vec![to("a b"), to("c")]),
            (".a | .[] | .b", vec![to("a"), All, to("b")]),
            (".a[].b", vec![to("a"), All, to("b")]),
            (". | .a", vec![to("a")]),
        ] {
            assert_eq!(jq(text), Some(steps), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused() {
        for text in
            ["a.b", "$..a", "$.a[?(@.b)]", "$.a[0:2]", "$.a[0,1]", "$.a.length()", "$.a b", "$["]
        {
            assert_eq!(path(text), None, "{text}");
        }
        for text in ["a", "..", ".a + .b", ".a | length", "map(.a)", ".a // 1", ".[1:2]"] {
            assert_eq!(jq(text), None, "{text}");
        }
    }
}
