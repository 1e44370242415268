//! `quantilesDoublesSketch` and `KllDoublesSketch`, which are kept alike.

use henge_types::MetricKind;
use serde_json::json;

use super::{MetricForm, Shown};
use crate::aggregate::{DEFAULT_KLL_K, DEFAULT_QUANTILES_K, quantiles_k};
use crate::error::Result;
use crate::node::Node;

const DOUBLES: &str = "quantilesDoublesSketch";
const KLL: &str = "KllDoublesSketch";

pub(super) const FORM: MetricForm = MetricForm { names: &[DOUBLES, KLL], reads_field: true, parse };

fn parse(node: &Node<'_>, type_name: &str) -> Result<MetricKind> {
    node.only_fields(&["type", "name", "fieldName", "k", "maxStreamLength", "shouldFinalize"])?;
    let default_k = if type_name == KLL { DEFAULT_KLL_K } else { DEFAULT_QUANTILES_K };
    Ok(MetricKind::Quantiles { k: quantiles_k(node, default_k)? })
}

pub(super) fn shown(k: u16) -> [Shown; 2] {
    let shown = |type_name| Shown::new(type_name, json!({"k": k}));
    [shown(DOUBLES), shown("quantilesDoublesSketchMerge")]
}
