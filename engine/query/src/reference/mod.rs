//! What native queries are made of, for people and for programs: types, fields, defaults, and an example each.
//!
//! Which types there are, which fields they read, which of these have to be given and what the others are then is seen
//! from the parser itself, by handing it examples and noting what it looks for: nothing of it is said twice. Only what
//! cannot be seen from code is written down, in `words/`, a file a place.

mod json_schema;
mod markdown;
mod observe;
mod words;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::Value;

pub use json_schema::json_schema;
pub use markdown::markdown;

/// A place of a query where one of several things can stand.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its name, as kinds of fields name it.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What is to be said of all of it, in Markdown.
    pub about: String,
    /// What a bare text stands for, where there may be one.
    pub text: Option<String>,
    /// What can stand there.
    pub shapes: Vec<Shape>,
    /// Fields that are taken and do nothing.
    pub without_effect: Vec<String>,
}

/// What can stand at a place: types with the same fields.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The types; none where no type is given.
    pub types: Vec<String>,
    /// What it does, in Markdown.
    pub about: String,
    /// One that can stand there, of the first type.
    pub example: Value,
    /// The whole query around the example.
    pub query: Value,
    /// Its fields but the type, in the order in which they are read.
    pub fields: Vec<Field>,
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds: the name of a place, or `text`, `integer`, `number`, `boolean`, `expression`, `ordering`,
    /// `intervals`, `any`; within brackets a list of them.
    pub kind: String,
    /// What it says, in Markdown.
    pub about: String,
    /// Whether nothing works without it.
    pub is_required: bool,
    /// What it is when it is left out, where that is a value.
    pub default: Option<Value>,
}

/// All places, that of the whole query first.
#[must_use]
pub fn places() -> &'static [Place] {
    &ALL.0
}

/// What the words lack: types that the parser knows and fields that it reads, without a word about them. Empty, as a
/// test holds.
#[must_use]
pub fn gaps() -> &'static [String] {
    &ALL.1
}

static ALL: LazyLock<(Vec<Place>, Vec<String>)> = LazyLock::new(|| {
    let mut gaps = Vec::new();
    let places = words::all().iter().map(|words| observe::place(words, &mut gaps)).collect();
    (places, gaps)
});
