//! `cardinality`.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::Aggregate;
use crate::dimension::DimensionSpec;
use crate::encode::dimension_value;
use crate::error::Result;
use crate::node::Node;
use crate::parse::dimension;

/// Distinct values (or rows of values when `by_row`) of several dimensions.
#[derive(Debug, Clone)]
pub struct Cardinality {
    /// Dimensions.
    pub fields: Vec<DimensionSpec>,
    /// Count combinations instead of values.
    pub by_row: bool,
    /// Round the finalised estimate to a whole number.
    pub round: bool,
}

impl Aggregate for Cardinality {
    fn types() -> &'static [&'static str] {
        &["cardinality"]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        // `fieldNames` is the older spelling.
        let name = if node.get("fields").is_some() { "fields" } else { "fieldNames" };
        let fields = node.list(name, dimension)?;
        if fields.is_empty() {
            return Err(node.missing("fields", "give the columns whose values are counted"));
        }
        let by_row = node.boolean_or("byRow", false)?;
        Ok(Self { fields, by_row, round: node.boolean_or("round", false)? })
    }

    fn to_value(&self) -> Value {
        let mut value = self.state_value();
        value["round"] = self.round.into();
        value
    }

    fn state_value(&self) -> Value {
        json!({
            "type": "cardinality",
            "fields": self.fields.iter().map(dimension_value).collect::<Vec<_>>(),
            "byRow": self.by_row,
        })
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        self.fields.iter().for_each(|field| visit(&field.dimension));
    }

    fn output_type(&self) -> ValueType {
        super::estimate_type(self.round)
    }

    fn stored_states(&self) -> Option<MetricKind> {
        Some(MetricKind::HyperUnique)
    }

    fn rounds(&self) -> bool {
        self.round
    }
}
