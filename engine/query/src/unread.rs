//! Fields that nothing reads: misspelt ones are refused, others are told of.
//!
//! While a query is parsed, each object notes the names it is asked for. Those are the names that the
//! place knows, so that no list of them has to be kept beside the parser.

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;

use crate::error::{QueryError, Result};
use crate::node::excerpt;
use crate::parse::CONTEXT_OF_DRUID;
use crate::suggest::{closest, closest_among_others};

/// Objects beyond are not watched: lists of filters may be long.
const MAX_OBJECTS: usize = 10_000;
/// Fields that are told of at most.
const MAX_WARNINGS: usize = 20;
/// Fields that Druid's own servers and clients write without effect on the answer.
const WRITTEN_BY_ROTE: &[&str] = &[
    "legacy",
    "columnTypes",
    "orderBy",
    "order",
    "virtualColumns",
    "outputType",
    "vectorize",
    "vectorizeVirtualColumns",
    "vectorSize",
    "extractionFn",
    "finalize",
    "tgtHllType",
    "stringEncoding",
    "filterTuning",
    "expressionTuningConfig",
    "generation",
    "granularity",
    "descending",
    "ordering",
    "maxStreamLength",
    "isInputHyperUnique",
    "usingDefaultInterval",
];

/// The names that each object was asked for.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// By the object's address: the document stays where it is while it is read.
    names: RefCell<HashMap<usize, Vec<String>>>,
}

impl Reads {
    /// Notes that a field of an object was looked for.
    pub(crate) fn note(&self, object: &Value, name: &str) {
        let mut names = self.names.borrow_mut();
        let count = names.len();
        match names.get_mut(&address(object)) {
            Some(known) if known.iter().any(|known| known == name) => {}
            Some(known) => known.push(name.to_owned()),
            None if count < MAX_OBJECTS => {
                names.insert(address(object), vec![name.to_owned()]);
            }
            None => {}
        }
    }

    /// The names that an object was asked for, in their order.
    pub(crate) fn names_of(&self, object: &Value) -> Vec<String> {
        self.names.borrow().get(&address(object)).cloned().unwrap_or_default()
    }

    /// What is to be said of fields that nothing read.
    ///
    /// # Errors
    /// The first one that is a letter or two away from a field that its place knows, whether or not
    /// that one is there too.
    pub(crate) fn unread(&self, document: &Value) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        self.walk(document, "", &mut warnings)?;
        Ok(warnings)
    }

    fn walk(&self, value: &Value, path: &str, warnings: &mut Vec<String>) -> Result<()> {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if item.is_object() || item.is_array() {
                        self.walk(item, &format!("{path}[{index}]"), warnings)?;
                    }
                }
            }
            Value::Object(fields) => {
                let names = self.names.borrow();
                let known = names.get(&address(value)).map(Vec::as_slice).unwrap_or_default();
                for (name, field) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    let here = || format!("{path}{dot}{}", excerpt(name));
                    if known.contains(name) {
                        if field.is_object() || field.is_array() {
                            self.walk(field, &here(), warnings)?;
                        }
                        continue;
                    }
                    // Of an object that nobody looked into nothing is known.
                    if known.is_empty() || field.is_null() || by_rote(name, field) {
                        continue;
                    }
                    // Clients keep what they like in the context, beside all that Druid knows.
                    let is_context = path == "context" || path.ends_with(".query.context");
                    if is_context && CONTEXT_OF_DRUID.contains(&name.as_str()) {
                        continue;
                    }
                    let names = known.iter().map(String::as_str);
                    let meant = match is_context {
                        true => closest_among_others(
                            name,
                            names.chain(CONTEXT_OF_DRUID.iter().copied()),
                        ),
                        false => closest(name, names),
                    };
                    if let Some(meant) = meant {
                        let message = format!("unknown field; did you mean '{meant}'?");
                        return Err(QueryError::invalid(here(), message));
                    }
                    if !is_context && warnings.len() < MAX_WARNINGS {
                        warnings.push(format!("{}: unknown field, ignored", here()));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn by_rote(name: &str, field: &Value) -> bool {
    // The older way to ask for numeric order; `false` asks for nothing.
    let is_no_order = name == "alphaNumeric" && *field == Value::Bool(false);
    is_no_order || WRITTEN_BY_ROTE.contains(&name)
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}
