//! What the parser does with examples.

use std::sync::{Arc, LazyLock};

use henge_expr::Lookups;
use serde_json::{Map, Value, json};

use super::words::{FieldWords, TypeWords, Words};
use super::{Field, Place, Shape};
use crate::error::{QueryError, Result};
use crate::lookups::{LookupSet, lookup_of};
use crate::parse::observed;
use crate::query::Query;

/// No type of anything.
const NO_TYPE: &str = "?";

/// The kind of fields that are looked for to be refused, whatever is in them.
const REFUSED: &str = "refused";

/// The place of some words, with what the parser says of it. `gaps` gets what the words lack.
pub(super) fn place(words: &Words, gaps: &mut Vec<String>) -> Place {
    let known = known_types(words);
    let mut shapes = Vec::new();
    let mut described = Vec::new();
    for (names, value) in &words.types {
        let of_names: Vec<String> = names.split(", ").map(str::to_owned).collect();
        described.extend(of_names.clone());
        let types: Vec<String> = match &known {
            Some(known) => of_names.into_iter().filter(|name| known.contains(name)).collect(),
            None => of_names.into_iter().filter(|name| !name.is_empty()).collect(),
        };
        // Words of what this version does not know are not shown.
        if types.is_empty() && !names.is_empty() {
            continue;
        }
        match TypeWords::of(value) {
            Some(of_type) => shapes.push(shape(words, &of_type, types, gaps)),
            None => gaps.push(format!("{} '{names}': its words cannot be read", words.place)),
        }
    }
    let silent = known.iter().flatten().filter(|name| !described.contains(name));
    gaps.extend(silent.map(|name| format!("{} '{name}' has no words", words.place)));
    Place {
        name: words.place.clone(),
        title: words.title.clone(),
        about: words.about.clone(),
        text: words.text.clone(),
        shapes,
        without_effect: words.without_effect.clone(),
    }
}

impl TypeWords {
    fn of(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }
}

/// The types that the parser knows at a place, as it tells clients that give another one; `None` where it names none.
pub(super) fn known_types(words: &Words) -> Option<Vec<String>> {
    let unknown = json!({ type_field(words): NO_TYPE, "name": "n" });
    let told = read(words, &unknown).err()?.to_string();
    let (_, list) = told.split_once("; known: ")?;
    let list = list.split(';').next().unwrap_or_default();
    words.types.keys().all(|names| !names.is_empty()).then_some(())?;
    Some(list.split(", ").map(str::to_owned).collect())
}

/// The field that holds the type.
pub(super) fn type_field(words: &Words) -> &'static str {
    if words.pointer.is_empty() { "queryType" } else { "type" }
}

fn shape(words: &Words, of_type: &TypeWords, types: Vec<String>, gaps: &mut Vec<String>) -> Shape {
    let examples: Vec<&Value> = [&of_type.example].into_iter().chain(&of_type.also).collect();
    let label = format!("{} '{}'", words.place, types.first().map_or("", String::as_str));
    let mut names: Vec<String> = Vec::new();
    for example in &examples {
        match read(words, example) {
            Ok((_, read)) => {
                for name in read {
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            Err(error) => gaps.push(format!("{label}: its example is refused: {error}")),
        }
    }
    let type_field = type_field(words);
    names.retain(|name| name != type_field && !words.without_effect.contains(name));
    if let Some(only) = &of_type.only {
        names.retain(|name| only.contains(name));
    }
    let mut fields = Vec::new();
    for name in names {
        if is_refused(words, &of_type.example, &name) {
            continue;
        }
        match of_type.fields.get(&name).or_else(|| words.fields.get(&name)) {
            Some((kind, _)) if kind == REFUSED => {}
            Some(said) => fields.push(field(words, &examples, name, said)),
            None => gaps.push(format!("{label}: the field '{name}' has no words")),
        }
    }
    Shape {
        types,
        about: of_type.about.clone(),
        example: of_type.example.clone(),
        query: document(words, &of_type.example),
        fields,
    }
}

fn field(words: &Words, examples: &[&Value], name: String, (kind, about): &FieldWords) -> Field {
    let is_required = examples.iter().all(|example| example.get(&name).is_some())
        && examples.first().is_some_and(|first| read(words, &without(first, &name)).is_err());
    let default = match is_required {
        true => None,
        false => examples.first().and_then(|first| default(words, &without(first, &name), &name)),
    };
    Field { name, kind: kind.clone(), about: about.clone(), is_required, default }
}

/// What a field is taken for that is not there, when that is a value that says something.
fn default(words: &Words, example: &Value, name: &str) -> Option<Value> {
    let (query, _) = read(words, example).ok()?;
    let written = query.to_value();
    let value = written.pointer(&words.pointer)?.get(name)?.clone();
    let says_something = match &value {
        Value::Null | Value::Object(_) => false,
        // What follows from other fields is no default.
        Value::String(text) => !text.is_empty() && !example.to_string().contains(text.as_str()),
        Value::Array(items) => {
            items.iter().all(|item| !example.to_string().contains(&item.to_string()))
        }
        Value::Bool(_) | Value::Number(_) => true,
    };
    (says_something && value != json!([])).then_some(value)
}

/// True when the parser looks for a field only to refuse it.
fn is_refused(words: &Words, example: &Value, name: &str) -> bool {
    let refused = |value: Value| {
        let mut given = example.clone();
        given[name] = value;
        matches!(read(words, &given), Err(QueryError::Unsupported { path, .. }) if path.ends_with(name))
    };
    refused(json!({})) && refused(json!(1))
}

fn without(example: &Value, name: &str) -> Value {
    let mut left = example.as_object().cloned().unwrap_or_default();
    left.shift_remove(name);
    Value::Object(left)
}

/// The query, and the names that the parser looked for in the example.
fn read(words: &Words, example: &Value) -> Result<(Query, Vec<String>)> {
    let document = document(words, example);
    observed(&document, &words.pointer, Some(LOOKUPS.clone()))
}

/// The lookup that examples name.
static LOOKUPS: LazyLock<Arc<dyn Lookups>> = LazyLock::new(|| {
    let mut set = LookupSet::default();
    let content = Map::from_iter([("DE".to_owned(), json!("Germany"))]);
    set.insert(Arc::new(lookup_of("countries", &content)));
    Arc::new(set)
});

/// The whole query around an example.
fn document(words: &Words, example: &Value) -> Value {
    let mut document = words.document.clone();
    let Some((parent, name)) = words.pointer.rsplit_once('/') else { return example.clone() };
    if name == "0" {
        // A list with the example as its one item; lists of the document are there, or are made.
        put(&mut document, parent, json!([example]));
    } else {
        put(&mut document, &words.pointer, example.clone());
    }
    document
}

fn put(document: &mut Value, pointer: &str, value: Value) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(fields) = document.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.insert(name.to_owned(), value);
    }
}
