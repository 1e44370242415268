//! `thetaSketch`.

use henge_types::MetricKind;
use serde_json::json;

use super::{MetricForm, Shown};
use crate::aggregate::theta_size;
use crate::error::Result;
use crate::node::Node;

pub(super) const FORM: MetricForm =
    MetricForm { names: &["thetaSketch"], reads_field: true, parse };

fn parse(node: &Node<'_>, _type_name: &str) -> Result<MetricKind> {
    node.only_fields(&[
        "type",
        "name",
        "fieldName",
        "size",
        "isInputThetaSketch",
        "shouldFinalize",
        "errorBoundsStdDev",
    ])?;
    Ok(MetricKind::Theta {
        size: theta_size(node)?,
        input_is_sketch: node.boolean_or("isInputThetaSketch", false)?,
    })
}

pub(super) fn shown(size: u32, input_is_sketch: bool) -> [Shown; 2] {
    let given = json!({"size": size, "isInputThetaSketch": input_is_sketch});
    let combining = json!({
        "size": size,
        "shouldFinalize": true,
        "isInputThetaSketch": false,
        "errorBoundsStdDev": null,
    });
    [given, combining].map(|options| Shown::new("thetaSketch", options))
}
