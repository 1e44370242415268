//! `hyperUnique`.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::node::Node;

/// Distinct values of a column, or of the sketches in it.
#[derive(Debug, Clone)]
pub struct HyperUnique {
    /// Column.
    pub field: String,
    /// Round the finalised estimate to a whole number.
    pub round: bool,
}

impl Aggregate for HyperUnique {
    fn types() -> &'static [&'static str] {
        &["hyperUnique"]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        Ok(Self { field: field_name(node)?, round: node.boolean_or("round", false)? })
    }

    fn to_value(&self) -> Value {
        json!({"type": "hyperUnique", "fieldName": self.field, "round": self.round})
    }

    fn state_value(&self) -> Value {
        json!({"type": "hyperUnique", "fieldName": self.field})
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
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
