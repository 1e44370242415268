//! What is written down by hand, and where.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The words of a place.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) place: String,
    pub(super) title: String,
    pub(super) about: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    /// A query without what stands at the place.
    pub(super) document: Value,
    /// Where it stands.
    pub(super) pointer: String,
    #[serde(default)]
    pub(super) without_effect: Vec<String>,
    /// By name, of all types.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldWords>,
    /// By types, with commas between those that have the same fields; in the order in which they are shown.
    pub(super) types: Map<String, Value>,
}

/// Kind and meaning.
pub(super) type FieldWords = (String, String);

/// The words of types that have the same fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeWords {
    pub(super) about: String,
    pub(super) example: Value,
    /// Others, which show fields that exclude those of the first.
    #[serde(default)]
    pub(super) also: Vec<Value>,
    /// The fields, where what reads them does not say which it wants.
    #[serde(default)]
    pub(super) only: Option<Vec<String>>,
    /// Fields that mean something else than elsewhere.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldWords>,
}

const FILES: [&str; 15] = [
    include_str!("words/query.json"),
    include_str!("words/data_source.json"),
    include_str!("words/granularity.json"),
    include_str!("words/filter.json"),
    include_str!("words/virtual_column.json"),
    include_str!("words/dimension.json"),
    include_str!("words/extraction_fn.json"),
    include_str!("words/aggregator.json"),
    include_str!("words/post_aggregator.json"),
    include_str!("words/having.json"),
    include_str!("words/limit_spec.json"),
    include_str!("words/order_by.json"),
    include_str!("words/top_n_metric.json"),
    include_str!("words/scan_order.json"),
    include_str!("words/search_match.json"),
];
/// Shown after these.
const LAST: [&str; 2] = [include_str!("words/to_include.json"), include_str!("words/context.json")];

/// The words of all places. A file that cannot be read is left out, which a test would tell.
pub(super) fn all() -> &'static [Words] {
    static WORDS: LazyLock<Vec<Words>> = LazyLock::new(|| {
        FILES.iter().chain(&LAST).filter_map(|file| serde_json::from_str(file).ok()).collect()
    });
    &WORDS
}

/// How many there are to be.
#[cfg(test)]
pub(super) const COUNT: usize = FILES.len() + LAST.len();
