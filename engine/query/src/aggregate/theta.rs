//! `thetaSketch`.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::node::Node;

const DEFAULT_THETA_SIZE: u32 = 16_384;

/// Distinct values of a column, or of the sketches in it.
#[derive(Debug, Clone)]
pub struct Theta {
    /// Column.
    pub field: String,
    /// Nominal entries.
    pub size: u32,
    /// False keeps the sketch (base64) in the result.
    pub should_finalize: bool,
}

impl Aggregate for Theta {
    fn types() -> &'static [&'static str] {
        &["thetaSketch"]
    }

    fn parse(node: &Node<'_>, _: &str) -> Result<Self> {
        node.refuse("errorBoundsStdDev", "error bounds are not supported; leave the field out")?;
        Ok(Self {
            field: field_name(node)?,
            size: theta_size(node)?,
            should_finalize: node.boolean_or("shouldFinalize", true)?,
        })
    }

    fn to_value(&self) -> Value {
        let mut value = self.state_value();
        value["shouldFinalize"] = self.should_finalize.into();
        value
    }

    fn state_value(&self) -> Value {
        json!({"type": "thetaSketch", "fieldName": self.field, "size": self.size})
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
    }

    fn output_type(&self) -> ValueType {
        ValueType::Double
    }

    fn stored_states(&self) -> Option<MetricKind> {
        Some(MetricKind::Theta { size: self.size, input_is_sketch: true })
    }
}

/// `size` of theta sketches.
pub(crate) fn theta_size(node: &Node<'_>) -> Result<u32> {
    let Some(size) = node.get("size") else { return Ok(DEFAULT_THETA_SIZE) };
    let entries: u32 = size.within(32, 1 << 26)?;
    if !entries.is_power_of_two() {
        return Err(size.invalid(format!("must be a power of two, but is {entries}")));
    }
    Ok(entries)
}
