//! The reference as a page: `docs/queries.md`.

use std::fmt::Write as _;

use henge_expr::reference::{Signature, signatures};
use serde_json::Value;

use super::{Field, Place, Shape, places};

const HEAD: &str = "# Native queries

Written by `cargo xtask docs-queries` from what the parser does; CI compares. Each example is run by a test. `GET \
/v1/schema/query` of a broker has the same as JSON Schema. What things mean beyond a line is in `docs/http-api.md`, what \
Druid has and Henge does not in `docs/migrating-from-druid.md`.

Fields in **bold** have to be given. Fields that nothing reads are told of in `X-Henge-Warnings`. A number or a boolean \
may be a text. An ordering is `lexicographic`, `alphanumeric`, `numeric`, `strlen` or `version`; intervals are a list \
of texts such as `2026-01-01/2026-02-01`, or one text with commas.
";

/// All of it.
#[must_use]
pub fn markdown() -> String {
    let mut page = HEAD.to_owned();
    page.push('\n');
    // Writing to a string cannot fail.
    for place in places() {
        let _ = writeln!(page, "- [{}](#{})", place.title, anchor(&place.title));
    }
    page.push_str("- [Functions of expressions](#functions-of-expressions)\n");
    for place in places() {
        section(&mut page, place);
    }
    functions(&mut page);
    page
}

fn anchor(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

fn section(page: &mut String, place: &Place) {
    let _ = writeln!(page, "\n## {}", place.title);
    if !place.about.is_empty() {
        let _ = writeln!(page, "\n{}", place.about);
    }
    if let Some(text) = &place.text {
        let _ = writeln!(page, "\nA bare text: {text}.");
    }
    for shape in &place.shapes {
        described(page, shape);
    }
    if !place.without_effect.is_empty() {
        let names: Vec<String> =
            place.without_effect.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            page,
            "\nTaken without effect, where Druid's answer would be the same, and refused otherwise: {}.",
            names.join(", ")
        );
    }
}

fn described(page: &mut String, shape: &Shape) {
    if !shape.types.is_empty() {
        let names: Vec<String> = shape.types.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "\n### {}", names.join(", "));
    }
    if !shape.about.is_empty() {
        let _ = writeln!(page, "\n{}", shape.about);
    }
    if !shape.fields.is_empty() {
        page.push_str("\n| field | is | default | |\n| --- | --- | --- | --- |\n");
    }
    for Field { name, kind, about, is_required, default } in &shape.fields {
        let name = if *is_required { format!("**`{name}`**") } else { format!("`{name}`") };
        let default = default.as_ref().map_or_else(String::new, |value| format!("`{value}`"));
        let _ = writeln!(page, "| {name} | {} | {default} | {about} |", shown(kind));
    }
    let _ = writeln!(page, "\n```json\n{}\n```", one_line(&shape.example));
}

/// A kind for people, with a way to its place.
fn shown(kind: &str) -> String {
    let inner = kind.trim_matches(['[', ']']);
    let place = places().iter().find(|place| place.name == inner);
    let shown = match place {
        Some(place) => format!("[{inner}](#{})", anchor(&place.title)),
        None => inner.to_owned(),
    };
    if kind.starts_with('[') { format!("list of {shown}") } else { shown }
}

/// JSON with a space behind commas and colons, outside of texts.
fn one_line(value: &Value) -> String {
    let (mut shown, mut in_text, mut is_escaped) = (String::new(), false, false);
    for letter in value.to_string().chars() {
        shown.push(letter);
        if in_text {
            in_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else {
            in_text = letter == '"';
            if matches!(letter, ',' | ':') {
                shown.push(' ');
            }
        }
    }
    shown
}

fn functions(page: &mut String) {
    page.push_str(
        "\n## Functions of expressions\n\nBy subject, with what they are given and what comes out. Names have no case. \
         Operators are those of Java, and `^` is a power; columns whose name is no word stand in double quotes.\n",
    );
    let mut subject = "";
    for Signature { subject: of, name, fewest, most, result } in signatures() {
        if of != subject {
            subject = of;
            let _ = write!(
                page,
                "\n### {of}\n\n| function | arguments | result |\n| --- | --- | --- |\n"
            );
        }
        let count = match most {
            usize::MAX => format!("{fewest} or more"),
            most if most == fewest => fewest.to_string(),
            most => format!("{fewest} to {most}"),
        };
        let _ = writeln!(page, "| `{name}` | {count} | {result} |");
    }
}
