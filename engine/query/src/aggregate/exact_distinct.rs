//! `exactDistinctCount`: Druid has no such native aggregator; its SQL plans groups of groups instead.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::node::Node;

/// The type name.
pub(crate) const EXACT_DISTINCT_COUNT: &str = "exactDistinctCount";

/// Exactly how many distinct values that are not null a column has; of several values of a row each
/// counts. LONG.
#[derive(Debug, Clone)]
pub struct ExactDistinctCount {
    /// Column.
    pub field: String,
}

impl Aggregate for ExactDistinctCount {
    fn types() -> &'static [&'static str] {
        &[EXACT_DISTINCT_COUNT]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        for name in ["fields", "fieldNames"] {
            node.refuse(
                name,
                "exactDistinctCount counts the values of one column: give it as fieldName; to count \
                 combinations, name a virtual column that puts them together, as concat does",
            )?;
        }
        let hint = "expressions are not supported here; name a virtual column as fieldName";
        node.refuse("expression", hint)?;
        Ok(Self { field: field_name(node)? })
    }

    fn to_value(&self) -> Value {
        json!({"type": EXACT_DISTINCT_COUNT, "fieldName": self.field})
    }

    fn state_value(&self) -> Value {
        self.to_value()
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
    }

    fn output_type(&self) -> ValueType {
        ValueType::Long
    }

    fn stored_states(&self) -> Option<MetricKind> {
        None
    }
}
