//! `quantilesDoublesSketch` and `KllDoublesSketch`.

use henge_types::{MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::node::Node;

const QUANTILES: &str = "quantilesDoublesSketch";
const KLL: &str = "KllDoublesSketch";
pub(crate) const DEFAULT_QUANTILES_K: u16 = 128;
pub(crate) const DEFAULT_KLL_K: u16 = 200;

/// How values are distributed; finalises to the number of values seen. Both types are kept as KLL
/// sketches.
#[derive(Debug, Clone)]
pub struct Quantiles {
    /// Column.
    pub field: String,
    /// Accuracy parameter.
    pub k: u16,
    /// False keeps the sketch (base64) in the result.
    pub should_finalize: bool,
}

impl Aggregate for Quantiles {
    fn types() -> &'static [&'static str] {
        &[QUANTILES, KLL]
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        let default = if type_name == KLL { DEFAULT_KLL_K } else { DEFAULT_QUANTILES_K };
        Ok(Self {
            field: field_name(node)?,
            k: quantiles_k(node, default)?,
            should_finalize: node.boolean_or("shouldFinalize", true)?,
        })
    }

    fn to_value(&self) -> Value {
        let mut value = self.state_value();
        value["shouldFinalize"] = self.should_finalize.into();
        value
    }

    fn state_value(&self) -> Value {
        json!({"type": QUANTILES, "fieldName": self.field, "k": self.k})
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
    }

    fn output_type(&self) -> ValueType {
        ValueType::Long
    }

    fn stored_states(&self) -> Option<MetricKind> {
        Some(MetricKind::Quantiles { k: self.k })
    }
}

/// `k` of quantiles sketches. Both kinds are kept as KLL sketches, hence the one range.
pub(crate) fn quantiles_k(node: &Node<'_>, default: u16) -> Result<u16> {
    node.get("k").map_or(Ok(default), |k| k.within(8, 32_768))
}
