//! `count`.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::Aggregate;
use crate::error::Result;
use crate::node::Node;

/// Number of stored rows; LONG.
#[derive(Debug, Clone, Copy)]
pub struct Count;

impl Aggregate for Count {
    fn types() -> &'static [&'static str] {
        &["count"]
    }

    fn parse(_: &Node<'_>, _: &str) -> Result<Self> {
        Ok(Self)
    }

    fn to_value(&self) -> Value {
        json!({"type": "count"})
    }

    fn state_value(&self) -> Value {
        self.to_value()
    }

    fn for_each_input(&self, _: &mut dyn FnMut(&str)) {}

    fn output_type(&self) -> ValueType {
        ValueType::Long
    }

    fn stored_states(&self) -> Option<MetricKind> {
        Some(MetricKind::Count)
    }
}
