//! Lookups: named maps of texts that expressions read by `lookup(value, 'name')`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::budget::Budget;
use crate::error::{ExprError, Result};
use crate::node::Callable;
use crate::value::ExprValue;

/// A named map of texts, as it was at some time.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// What it is called.
    pub name: String,
    values: HashMap<Box<str>, Box<str>>,
    fingerprint: u128,
}

/// By name and hash.
impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.fingerprint == other.fingerprint
    }
}

impl Eq for Lookup {}

impl Lookup {
    /// `fingerprint` is a hash of the content: it stands for it in the keys of caches.
    #[must_use]
    pub fn new(name: &str, values: HashMap<Box<str>, Box<str>>, fingerprint: u128) -> Self {
        Self { name: name.to_owned(), values, fingerprint }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// What a key maps to. Null is no key: it maps to nothing, also where a key of no characters is.
    #[must_use]
    pub fn get(&self, key: Option<&str>) -> Option<&str> {
        self.values.get(key?).map(AsRef::as_ref)
    }

    /// Keys and what they map to, in no order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The hash of its content.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }
}

/// Finds lookups by their names.
pub trait Lookups: Send + Sync {
    /// The lookup of a name.
    fn find(&self, name: &str) -> Option<Arc<Lookup>>;

    /// The names of all, for messages.
    fn names(&self) -> Vec<String>;
}

/// There are none.
#[derive(Debug, Clone, Copy)]
pub struct NoLookups;

impl Lookups for NoLookups {
    fn find(&self, _name: &str) -> Option<Arc<Lookup>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// `lookup(value, 'name')` and `lookup(value, 'name', missing)`, found now: an expression has one state
/// of it throughout.
pub(crate) fn prepare(
    literals: &[Option<&ExprValue>],
    lookups: &dyn Lookups,
) -> Result<(Callable, Arc<Lookup>)> {
    let Some(ExprValue::String(name)) = literals.get(1).copied().flatten() else {
        return Err(ExprError::argument("lookup", "the name must be a constant string"));
    };
    let lookup =
        lookups.find(name).ok_or_else(|| ExprError::argument("lookup", missing(name, lookups)))?;
    let read = Arc::clone(&lookup);
    let callable: Callable = Box::new(move |arguments: &[ExprValue], _: &Budget| {
        let key = arguments.first().and_then(ExprValue::as_text);
        Ok(match read.get(key.as_deref()) {
            Some(value) => value.into(),
            None => arguments.get(2).and_then(ExprValue::as_text).as_deref().into(),
        })
    });
    Ok((callable, lookup))
}

/// That there is no such lookup, and which there are.
#[must_use]
pub fn missing(name: &str, lookups: &dyn Lookups) -> String {
    const MOST: usize = 20;
    let mut known = lookups.names();
    known.sort();
    let more = if known.len() > MOST { ", …" } else { "" };
    known.truncate(MOST);
    match known.is_empty() {
        true => format!("there is no lookup '{name}', and none at all"),
        false => format!("there is no lookup '{name}'; there are: {}{more}", known.join(", ")),
    }
}
