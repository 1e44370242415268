//! A cursor over JSON that knows its path, so that every error can name the field at fault.
//!
//! A [`Node`] lives on the stack and points at its parent; the path is spelled out only when
//! something goes wrong.

use std::cell::{Cell, RefCell};
use std::num::IntErrorKind;
use std::sync::Arc;

use henge_expr::{Lookup, Lookups, NoLookups};
use serde_json::{Map, Value};

use crate::error::{QueryError, Result};
use crate::limits::{MAX_FILTER_NODES, MAX_JSON_DEPTH, MAX_REGEXES};
use crate::suggest::closest;
use crate::unread::Reads;
use crate::virtual_column::VirtualColumn;

/// What one document may still use up, and what is known while it is read. Shared by all nodes of the
/// document.
pub(crate) struct Budget {
    filter_nodes: Cell<usize>,
    regexes: Cell<usize>,
    /// Kept for documents whose other fields are ignored.
    reads: Option<Reads>,
    lookups: Option<Arc<dyn Lookups>>,
    /// Virtual columns that stand for what the query being read says in another way.
    derived: RefCell<Vec<VirtualColumn>>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("filter_nodes", &self.filter_nodes).finish_non_exhaustive()
    }
}

impl Budget {
    /// The same for a document that may name these lookups.
    pub(crate) fn with_lookups(self, lookups: Option<Arc<dyn Lookups>>) -> Self {
        Self { lookups, ..self }
    }

    /// The virtual columns that were made; `others` take their place.
    pub(crate) fn swap_derived(&self, others: Vec<VirtualColumn>) -> Vec<VirtualColumn> {
        self.derived.replace(others)
    }

    /// One that keeps the names of fields that are read.
    pub(crate) fn watching() -> Self {
        Self { reads: Some(Reads::default()), ..Self::default() }
    }

    /// The names of fields that were read.
    pub(crate) fn reads(&self) -> Option<&Reads> {
        self.reads.as_ref()
    }
}

impl Default for Budget {
    fn default() -> Self {
        let (filter_nodes, regexes) = (Cell::new(MAX_FILTER_NODES), Cell::new(MAX_REGEXES));
        let derived = RefCell::default();
        Self { filter_nodes, regexes, reads: None, lookups: None, derived }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

/// A place in a JSON document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    step: Step<'a>,
    parent: Option<&'a Node<'a>>,
    budget: &'a Budget,
}

impl<'a> Node<'a> {
    /// The whole document. Fails when it nests too deep to be walked by recursion.
    pub(crate) fn root(value: &'a Value, budget: &'a Budget) -> Result<Self> {
        Self::root_within(value, budget, MAX_JSON_DEPTH)
    }

    /// As [`Node::root`], of at most so many levels.
    pub(crate) fn root_within(
        value: &'a Value,
        budget: &'a Budget,
        max_depth: usize,
    ) -> Result<Self> {
        let node = Self { value, step: Step::Root, parent: None, budget };
        if is_deeper_than(value, max_depth) {
            return Err(node.invalid(format!("nested deeper than {max_depth} levels")));
        }
        Ok(node)
    }

    pub(crate) fn value(&self) -> &'a Value {
        self.value
    }

    /// The path, for example `filter.fields[3].dimension`; `body` stands for the document itself.
    pub(crate) fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut node = Some(self);
        while let Some(current) = node {
            steps.push(current.step);
            node = current.parent;
        }
        let mut path = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Root => {}
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.push_str(&format!(".{name}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        if path.is_empty() { "body".to_owned() } else { path }
    }

    fn child_path(&self, name: &str) -> String {
        match self.step {
            Step::Root => name.to_owned(),
            _ => format!("{}.{name}", self.path()),
        }
    }

    pub(crate) fn invalid(&self, message: impl Into<String>) -> QueryError {
        QueryError::invalid(self.path(), message)
    }

    pub(crate) fn unsupported(&self, message: impl Into<String>) -> QueryError {
        QueryError::Unsupported { path: self.path(), message: message.into() }
    }

    /// "must be X, not Y".
    fn wrong_type(&self, wanted: &str) -> QueryError {
        self.invalid(format!("must be {wanted}, not {}", kind(self.value)))
    }

    /// The field is missing; `hint` completes "missing; …". One that is there under a name a letter or
    /// two away is named.
    pub(crate) fn missing(&self, name: &str, hint: &str) -> QueryError {
        let keys = self.value.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
        let misspelt = closest(name, keys.filter(|key| *key != name));
        let misspelt = misspelt
            .map(|near| format!("; there is '{}', did you mean '{name}' by it?", excerpt(near)))
            .unwrap_or_default();
        QueryError::invalid(self.child_path(name), format!("missing; {hint}{misspelt}"))
    }

    pub(crate) fn object(&self) -> Result<&'a Map<String, Value>> {
        self.value.as_object().ok_or_else(|| self.wrong_type("an object"))
    }

    /// A field of an object; `None` when absent or null (or when this is no object).
    pub(crate) fn get<'s>(&'s self, name: &'s str) -> Option<Node<'s>> {
        self.note(name);
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Node { value, step: Step::Field(name), parent: Some(self), budget: self.budget })
    }

    fn note(&self, name: &str) {
        if let Some(reads) = self.budget.reads().filter(|_| self.value.is_object()) {
            reads.note(self.value, name);
        }
    }

    /// A field that must be there; `hint` completes "missing; …".
    pub(crate) fn require<'s>(&'s self, name: &'s str, hint: &str) -> Result<Node<'s>> {
        self.object()?;
        self.get(name).ok_or_else(|| self.missing(name, hint))
    }

    /// The elements of a list.
    pub(crate) fn items(&self) -> Result<impl ExactSizeIterator<Item = Node<'_>>> {
        let list = self.value.as_array().ok_or_else(|| self.wrong_type("a list"))?;
        Ok(list.iter().enumerate().map(move |(index, value)| Node {
            value,
            step: Step::Index(index),
            parent: Some(self),
            budget: self.budget,
        }))
    }

    /// Reads each element of an optional list; absent is empty.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&Node<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(list) => list.items()?.map(|item| read(&item)).collect(),
        }
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<&'a str> {
        self.value.as_str().ok_or_else(|| self.wrong_type("a string"))
    }

    /// A string that is not empty.
    pub(crate) fn name(&self) -> Result<String> {
        match self.text()? {
            "" => Err(self.invalid("must not be empty")),
            text => Ok(text.to_owned()),
        }
    }

    /// A string, number or boolean, as text: clients send either for string values.
    pub(crate) fn scalar_text(&self) -> Result<String> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// A boolean, or one of the strings `true` and `false` in any case.
    pub(crate) fn boolean(&self) -> Result<bool> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Value::String(text) => {
                Err(self.invalid(format!("must be true or false, not \"{}\"", excerpt(text))))
            }
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number, or a string that spells one. Numbers beyond 64 bits end at its limits.
    pub(crate) fn integer(&self) -> Result<i64> {
        if let Some(number) = self.value.as_i64() {
            return Ok(number);
        }
        if self.value.is_u64() {
            return Ok(i64::MAX);
        }
        match self.value {
            Value::Number(number) => match number.as_f64() {
                Some(float) if float.is_finite() && float.fract() == 0.0 => Ok(float as i64),
                _ => Err(self.invalid(format!("must be a whole number, not {number}"))),
            },
            Value::String(text) => match text.trim().parse::<i64>() {
                Ok(number) => Ok(number),
                Err(error) => match error.kind() {
                    IntErrorKind::PosOverflow => Ok(i64::MAX),
                    IntErrorKind::NegOverflow => Ok(i64::MIN),
                    _ => {
                        let text = excerpt(text);
                        Err(self.invalid(format!("must be a whole number, not \"{text}\"")))
                    }
                },
            },
            _ => Err(self.wrong_type("a whole number")),
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn unsigned(&self) -> Result<u64> {
        let number = self.integer()?;
        u64::try_from(number)
            .map_err(|_| self.invalid(format!("must not be negative, but is {number}")))
    }

    /// A whole number within limits.
    pub(crate) fn within<T: TryFrom<i64>>(&self, low: i64, high: i64) -> Result<T> {
        let number = self.integer()?;
        let refusal = || self.invalid(format!("must be from {low} to {high}, but is {number}"));
        if number < low || number > high {
            return Err(refusal());
        }
        T::try_from(number).map_err(|_| refusal())
    }

    /// A number, or a string that spells one.
    pub(crate) fn number(&self) -> Result<f64> {
        match self.value {
            Value::Number(number) => {
                number.as_f64().ok_or_else(|| self.invalid("must be a finite number"))
            }
            Value::String(text) => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(self.invalid(format!("must be a number, not \"{}\"", excerpt(text)))),
            },
            _ => Err(self.wrong_type("a number")),
        }
    }

    pub(crate) fn optional_name(&self, name: &str) -> Result<Option<String>> {
        self.get(name).map(|node| node.name()).transpose()
    }

    pub(crate) fn optional_scalar_text(&self, name: &str) -> Result<Option<String>> {
        self.get(name).map(|node| node.scalar_text()).transpose()
    }

    pub(crate) fn optional_unsigned(&self, name: &str) -> Result<Option<u64>> {
        self.get(name).map(|node| node.unsigned()).transpose()
    }

    pub(crate) fn boolean_or(&self, name: &str, default: bool) -> Result<bool> {
        self.get(name).map_or(Ok(default), |node| node.boolean())
    }

    /// The `type` of an object.
    pub(crate) fn type_name(&self, known: &[&str]) -> Result<&'a str> {
        let hint = format!("give one of {}", known.join(", "));
        self.object()?;
        self.note("type");
        match self.value.get("type") {
            Some(Value::String(name)) => Ok(name),
            Some(Value::Null) | None => Err(self.missing("type", &hint)),
            Some(_) => Err(QueryError::invalid(
                self.child_path("type"),
                format!("must be a string; {hint}"),
            )),
        }
    }

    /// The `type` is not one that is supported: `planned` are types of Druid's that are missing
    /// here, anything else is a mistake.
    pub(crate) fn bad_type(
        &self,
        what: &str,
        name: &str,
        supported: &[&str],
        planned: &[&str],
    ) -> QueryError {
        let path = self.child_path("type");
        let list = supported.join(", ");
        let name = excerpt(name);
        if planned.contains(&name) {
            let message = format!("{what} type \"{name}\" is not supported; supported: {list}");
            QueryError::Unsupported { path, message }
        } else {
            let meant = closest(name, supported.iter().copied());
            let meant = meant.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            let message = format!("unknown {what} type \"{name}\"; known: {list}{meant}");
            QueryError::invalid(path, message)
        }
    }

    /// Refuses a feature of Druid's that would change the answer if it were ignored.
    pub(crate) fn refuse(&self, name: &str, message: &str) -> Result<()> {
        match self.get(name) {
            Some(node) => Err(node.unsupported(message)),
            None => Ok(()),
        }
    }

    /// Refuses fields that are not in the list, with the one that was meant where one is near.
    pub(crate) fn only_fields(&self, known: &[&str]) -> Result<()> {
        for name in self.object()?.keys() {
            if !known.contains(&name.as_str()) {
                let meant = closest(name, known.iter().copied());
                let meant =
                    meant.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
                let message = format!("unknown field; known fields: {}{meant}", known.join(", "));
                return Err(QueryError::invalid(self.child_path(excerpt(name)), message));
            }
        }
        Ok(())
    }

    /// The lookups that the document may name.
    pub(crate) fn lookups(&self) -> &'a dyn Lookups {
        self.budget.lookups.as_deref().unwrap_or(&NoLookups)
    }

    /// A lookup by its name, which this is.
    pub(crate) fn lookup(&self, name: &str) -> Result<Arc<Lookup>> {
        let lookups = self.lookups();
        lookups
            .find(name)
            .ok_or_else(|| self.invalid(henge_expr::lookup::missing(excerpt(name), lookups)))
    }

    /// Adds a virtual column to the query that is being read; gives its name. The same one is not
    /// added twice.
    pub(crate) fn derive(&self, column: VirtualColumn) -> String {
        let name = column.name.clone();
        let mut derived = self.budget.derived.borrow_mut();
        if !derived.iter().any(|known| known.name == name) {
            derived.push(column);
        }
        name
    }

    /// The budget that all nodes of the document share.
    pub(crate) fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// Counts one filter of the document.
    pub(crate) fn spend_filter(&self) -> Result<()> {
        self.spend(&self.budget.filter_nodes, MAX_FILTER_NODES, "filters")
    }

    /// Counts one regular expression of the document.
    pub(crate) fn spend_regex(&self) -> Result<()> {
        self.spend(&self.budget.regexes, MAX_REGEXES, "regular expressions")
    }

    fn spend(&self, left: &Cell<usize>, limit: usize, what: &str) -> Result<()> {
        match left.get().checked_sub(1) {
            Some(rest) => {
                left.set(rest);
                Ok(())
            }
            None => Err(self.invalid(format!("more than {limit} {what} in one query"))),
        }
    }
}

/// The head of a text that a caller sent, short enough for a message.
pub(crate) fn excerpt(text: &str) -> &str {
    const MOST_CHARS: usize = 80;
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Without recursion: the document may be deeper than the stack allows.
fn is_deeper_than(value: &Value, limit: usize) -> bool {
    let mut pending = vec![(value, 0)];
    while let Some((value, depth)) = pending.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if depth >= limit => return true,
            Value::Array(items) => pending.extend(
                items
                    .iter()
                    .filter(|item| item.is_array() || item.is_object())
                    .map(|item| (item, depth + 1)),
            ),
            Value::Object(fields) => pending.extend(fields.values().map(|item| (item, depth + 1))),
            _ => {}
        }
    }
    false
}
