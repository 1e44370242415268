//! `hyperUnique`.

use henge_types::MetricKind;
use serde_json::json;

use super::{MetricForm, Shown};
use crate::error::Result;
use crate::node::Node;

pub(super) const FORM: MetricForm =
    MetricForm { names: &["hyperUnique"], reads_field: true, parse };

fn parse(node: &Node<'_>, _type_name: &str) -> Result<MetricKind> {
    node.only_fields(&["type", "name", "fieldName", "isInputHyperUnique", "round"])?;
    if node.boolean_or("isInputHyperUnique", false)? {
        let message = "Druid's hyperUnique sketches cannot be read; ingest the raw values";
        node.refuse("isInputHyperUnique", message)?;
    }
    Ok(MetricKind::HyperUnique)
}

pub(super) fn shown() -> [Shown; 2] {
    let shown = || Shown::new("hyperUnique", json!({"isInputHyperUnique": false, "round": false}));
    [shown(), shown()]
}
