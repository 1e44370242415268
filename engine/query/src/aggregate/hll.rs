//! `HLLSketchBuild` and `HLLSketchMerge`.

use henge_types::{HllType, MetricKind, ValueType};
use serde_json::{Value, json};

use super::{Aggregate, field_name};
use crate::error::Result;
use crate::ingest::hll_type_name;
use crate::node::{Node, excerpt};

const BUILD: &str = "HLLSketchBuild";
const MERGE: &str = "HLLSketchMerge";
const DEFAULT_LG_K: u8 = 12;

/// `HLLSketchBuild` over raw values, or `HLLSketchMerge` over a stored sketch column. Either
/// accepts either input: the column's type decides.
#[derive(Debug, Clone)]
pub struct Hll {
    /// Column.
    pub field: String,
    /// log2 of the number of buckets.
    pub lg_k: u8,
    /// Layout.
    pub hll_type: HllType,
    /// Round the finalised estimate to a whole number.
    pub round: bool,
    /// False keeps the sketch (base64) in the result.
    pub should_finalize: bool,
    /// The Druid type name to echo (`HLLSketchBuild` or `HLLSketchMerge`).
    pub merge: bool,
}

impl Aggregate for Hll {
    fn types() -> &'static [&'static str] {
        &[BUILD, MERGE]
    }

    fn parse(node: &Node<'_>, type_name: &str) -> Result<Self> {
        Ok(Self {
            field: field_name(node)?,
            lg_k: hll_lg_k(node)?,
            hll_type: hll_type(node)?,
            round: node.boolean_or("round", false)?,
            should_finalize: node.boolean_or("shouldFinalize", true)?,
            merge: type_name == MERGE,
        })
    }

    fn to_value(&self) -> Value {
        json!({
            "type": if self.merge { MERGE } else { BUILD },
            "fieldName": self.field,
            "lgK": self.lg_k,
            "tgtHllType": hll_type_name(self.hll_type),
            "round": self.round,
            "shouldFinalize": self.should_finalize,
        })
    }

    /// Building and merging differ in nothing but the name.
    fn state_value(&self) -> Value {
        json!({
            "type": "HLLSketch",
            "fieldName": self.field,
            "lgK": self.lg_k,
            "tgtHllType": hll_type_name(self.hll_type),
        })
    }

    fn for_each_input(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.field);
    }

    fn output_type(&self) -> ValueType {
        super::estimate_type(self.round)
    }

    fn stored_states(&self) -> Option<MetricKind> {
        Some(MetricKind::HllMerge { lg_k: self.lg_k, hll_type: self.hll_type })
    }

    fn rounds(&self) -> bool {
        self.round
    }
}

/// `lgK` of HLL sketches.
pub(crate) fn hll_lg_k(node: &Node<'_>) -> Result<u8> {
    node.get("lgK").map_or(Ok(DEFAULT_LG_K), |k| k.within(4, 21))
}

/// `tgtHllType` of HLL sketches.
pub(crate) fn hll_type(node: &Node<'_>) -> Result<HllType> {
    let Some(node) = node.get("tgtHllType") else { return Ok(HllType::default()) };
    let name = node.text()?;
    match name.to_ascii_uppercase().as_str() {
        "HLL_4" => Ok(HllType::Hll4),
        "HLL_6" => Ok(HllType::Hll6),
        "HLL_8" => Ok(HllType::Hll8),
        _ => Err(node.invalid(format!(
            "unknown HLL type \"{}\"; known: HLL_4, HLL_6, HLL_8",
            excerpt(name)
        ))),
    }
}
