//! Values are looked up: in a map that comes with the query, or in a lookup that has a name.

use std::sync::Arc;

use henge_expr::Lookup;

use super::{Reading, quoted};
use crate::error::Result;
use crate::lookups::lookup_of;
use crate::node::Node;

/// `{"type":"lookup","lookup":{"type":"map",…}}`.
pub(super) fn of_map(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let hint = "give the lookup, for example {\"type\":\"map\",\"map\":{}}";
    let map = map_lookup(&node.require("lookup", hint)?)?;
    with(node, map, read)
}

/// `{"type":"registeredLookup","lookup":"name"}`.
pub(super) fn of_name(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let name = node.require("lookup", "name the lookup")?;
    with(node, name.lookup(&name.name()?)?, read)
}

/// A dimension of type `lookup`: by name, or with its map.
pub(super) fn of_dimension(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let lookup = match (node.get("lookup"), node.get("name")) {
        (Some(map), None) => map_lookup(&map)?,
        (None, Some(name)) => name.lookup(&name.name()?)?,
        (Some(map), Some(_)) => return Err(map.invalid("give either lookup or name, not both")),
        (None, None) => return Err(node.missing("name", "name the lookup, or give one as lookup")),
    };
    with(node, lookup, read)
}

/// The looked up values; what the lookup does not know is null, stays, or becomes one value.
fn with(node: &Node<'_>, lookup: Arc<Lookup>, read: Reading) -> Result<Reading> {
    // Rows are grouped by what they are looked up as in any case.
    for hint in ["optimize", "injective"] {
        node.boolean_or(hint, false)?;
    }
    let (value, name) = (read.text(), quoted(&lookup.name, '\''));
    let keeps = node.boolean_or("retainMissingValue", false)?;
    let text = match (keeps, node.get("replaceMissingValueWith")) {
        (true, Some(replacement)) if replacement.value() != "" => {
            return Err(replacement.invalid("leave it out, or retainMissingValue"));
        }
        (true, _) => format!("nvl(lookup({value}, {name}), {value})"),
        (false, Some(replacement)) => {
            format!("lookup({value}, {name}, {})", quoted(&replacement.scalar_text()?, '\''))
        }
        (false, None) => format!("lookup({value}, {name})"),
    };
    Ok(read.looked_up(lookup, text))
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
