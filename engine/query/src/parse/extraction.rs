//! Extraction functions: what stands for a dimension's values in their place. Each becomes a virtual
//! column, so that nothing else of a query knows of them.

use std::sync::Arc;

use henge_expr::{Expr, Lookup, Lookups};
use henge_types::ValueType;

use crate::error::Result;
use crate::lookups::lookup_of;
use crate::node::Node;
use crate::virtual_column::VirtualColumn;

const SUPPORTED: &[&str] = &["lookup", "registeredLookup"];
const PLANNED: &[&str] = &[
    "regex",
    "partial",
    "searchQuery",
    "substring",
    "strlen",
    "timeFormat",
    "time",
    "javascript",
    "cascade",
    "stringFormat",
    "upper",
    "lower",
    "bucket",
    "identity",
];

/// Values are looked up.
pub(super) struct Extraction {
    lookup: Arc<Lookup>,
    missing: Missing,
}

/// What becomes of values that a lookup does not know.
enum Missing {
    /// They are null.
    Null,
    /// They stay.
    Kept,
    /// All are this.
    Value(String),
}

/// `{"type":"lookup"}` and `{"type":"registeredLookup"}` as an `extractionFn`.
pub(super) fn of_function(node: &Node<'_>) -> Result<Extraction> {
    match node.type_name(SUPPORTED)? {
        "lookup" => {
            let map = node
                .require("lookup", "give the lookup, for example {\"type\":\"map\",\"map\":{}}")?;
            with(node, map_lookup(&map)?)
        }
        "registeredLookup" => {
            let name = node.require("lookup", "name the lookup")?;
            with(node, name.lookup(&name.name()?)?)
        }
        other => {
            let error = node.bad_type("extraction function", other, SUPPORTED, PLANNED);
            Err(match error {
                crate::error::QueryError::Unsupported { path, message } => {
                    let message = format!("{message}; or use a virtual column of type expression");
                    crate::error::QueryError::Unsupported { path, message }
                }
                error => error,
            })
        }
    }
}

/// `{"type":"lookup"}` as a dimension: by name, or with its map.
pub(super) fn of_lookup(node: &Node<'_>) -> Result<Extraction> {
    let lookup = match (node.get("lookup"), node.get("name")) {
        (Some(map), None) => map_lookup(&map)?,
        (None, Some(name)) => name.lookup(&name.name()?)?,
        (Some(map), Some(_)) => return Err(map.invalid("give either lookup or name, not both")),
        (None, None) => return Err(node.missing("name", "name the lookup, or give one as lookup")),
    };
    with(node, lookup)
}

fn with(node: &Node<'_>, lookup: Arc<Lookup>) -> Result<Extraction> {
    // Rows are grouped by what they are looked up as in any case.
    for hint in ["optimize", "injective"] {
        node.boolean_or(hint, false)?;
    }
    let keeps = node.boolean_or("retainMissingValue", false)?;
    let missing = match (keeps, node.get("replaceMissingValueWith")) {
        (true, Some(value)) if value.value() != "" => {
            return Err(value.invalid("leave it out, or retainMissingValue"));
        }
        (true, _) => Missing::Kept,
        (false, Some(value)) => Missing::Value(value.scalar_text()?),
        (false, None) => Missing::Null,
    };
    Ok(Extraction { lookup, missing })
}

/// A lookup that comes with the query. Its name is its content's.
fn map_lookup(node: &Node<'_>) -> Result<Arc<Lookup>> {
    match node.type_name(&["map"])? {
        "map" => {}
        other => return Err(node.bad_type("lookup", other, &["map"], &[])),
    }
    node.boolean_or("isOneToOne", false)?;
    let map = node.require("map", "give an object of keys and values")?;
    let lookup = lookup_of("", map.object()?);
    let name = format!("map:{:032x}", lookup.fingerprint());
    Ok(Arc::new(lookup.named(name)))
}

impl Extraction {
    /// The virtual column of what a column's values become.
    pub(super) fn over(self, node: &Node<'_>, column: &str) -> Result<VirtualColumn> {
        let column = quoted(column, '"');
        let name = quoted(&self.lookup.name, '\'');
        let text = match &self.missing {
            Missing::Null => format!("lookup({column}, {name})"),
            Missing::Kept => format!("nvl(lookup({column}, {name}), {column})"),
            Missing::Value(value) => format!("lookup({column}, {name}, {})", quoted(value, '\'')),
        };
        let expression = Expr::parse_with(&text, &One(self.lookup));
        let expression = expression.map_err(|error| node.invalid(error.to_string()))?;
        Ok(VirtualColumn { name: text, expression, output_type: Some(ValueType::String) })
    }
}

fn quoted(text: &str, quote: char) -> String {
    let mut quoted = String::from(quote);
    for character in text.chars() {
        if character == quote || character == '\\' {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push(quote);
    quoted
}

struct One(Arc<Lookup>);

impl Lookups for One {
    fn find(&self, name: &str) -> Option<Arc<Lookup>> {
        (self.0.name == name).then(|| Arc::clone(&self.0))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.name.clone()]
    }
}
