//! `HLLSketchBuild` and `HLLSketchMerge`.

use henge_types::{HllType, MetricKind};
use serde_json::json;

use super::{MetricForm, Shown};
use crate::aggregate::{hll_lg_k, hll_type};
use crate::error::Result;
use crate::node::Node;

pub(super) const BUILD: &str = "HLLSketchBuild";
pub(super) const MERGE: &str = "HLLSketchMerge";

pub(super) const FORM: MetricForm = MetricForm { names: &[BUILD, MERGE], reads_field: true, parse };

fn parse(node: &Node<'_>, type_name: &str) -> Result<MetricKind> {
    node.only_fields(&[
        "type",
        "name",
        "fieldName",
        "lgK",
        "tgtHllType",
        "round",
        "shouldFinalize",
        "stringEncoding",
    ])?;
    let (lg_k, hll_type) = (hll_lg_k(node)?, hll_type(node)?);
    Ok(match type_name {
        BUILD => MetricKind::HllBuild { lg_k, hll_type },
        _ => MetricKind::HllMerge { lg_k, hll_type },
    })
}

/// Stored sketches are merged, whatever they were built of.
pub(super) fn shown(given: &str, lg_k: u8, hll_type: HllType) -> [Shown; 2] {
    [given, MERGE].map(|type_name| {
        let layout = hll_type_name(hll_type);
        Shown::new(type_name, json!({"lgK": lg_k, "tgtHllType": layout, "round": false}))
    })
}

pub(crate) fn hll_type_name(hll_type: HllType) -> &'static str {
    match hll_type {
        HllType::Hll4 => "HLL_4",
        HllType::Hll6 => "HLL_6",
        HllType::Hll8 => "HLL_8",
    }
}
