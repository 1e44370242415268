//! Extraction functions: what stands for a dimension's values in their place. Each is an expression over
//! them and becomes a virtual column, so that nothing else of a query knows of them.

mod bucket;
mod lookup;
mod reading;
mod text;
mod time;

pub(super) use reading::{Reading, constant, quoted};

use crate::error::Result;
use crate::node::Node;

const SUPPORTED: &[&str] = &[
    "lookup",
    "registeredLookup",
    "regex",
    "partial",
    "searchQuery",
    "substring",
    "strlen",
    "upper",
    "lower",
    "stringFormat",
    "timeFormat",
    "time",
    "bucket",
    "cascade",
    "identity",
];

/// What an `extractionFn` makes of what is read.
pub(super) fn apply(node: &Node<'_>, read: Reading) -> Result<Reading> {
    let applied = match node.type_name(SUPPORTED)? {
        "lookup" => lookup::of_map(node, read)?,
        "registeredLookup" => lookup::of_name(node, read)?,
        "regex" => text::regex(node, read)?,
        "partial" => text::partial(node, read)?,
        "searchQuery" => text::search_query(node, read)?,
        "substring" => text::substring(node, read)?,
        "strlen" => read.within("strlen"),
        "upper" => text::cased(node, read, "upper")?,
        "lower" => text::cased(node, read, "lower")?,
        "stringFormat" => text::string_format(node, read)?,
        "timeFormat" => time::time_format(node, read)?,
        "time" => time::time(node, read)?,
        "bucket" => bucket::bucket(node, read)?,
        "cascade" => {
            let list = node.require("extractionFns", "give a list of extraction functions")?;
            list.items()?.try_fold(read, |read, function| apply(&function, read))?
        }
        "identity" => read,
        "javascript" => {
            return Err(node.unsupported(
                "JavaScript is not run here; use a virtual column of type expression instead",
            ));
        }
        other => return Err(node.bad_type("extraction function", other, SUPPORTED, &[])),
    };
    applied.checked(node)
}

/// `{"type":"lookup"}` as a dimension: by name, or with its map.
pub(super) fn look_up(node: &Node<'_>, read: Reading) -> Result<Reading> {
    lookup::of_dimension(node, read)?.checked(node)
}
