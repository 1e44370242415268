//! `{long,float,double,string}{First,Last}` and `{long,float,double}Any`.

use henge_types::{MetricKind, OneOf, TIME_COLUMN, ValueType};
use serde_json::{Value, json};

use super::{MetricForm, Shown};
use crate::aggregate::{METRIC_NAMES, max_string_bytes, meaning, type_name};
use crate::error::Result;
use crate::node::Node;

pub(super) const FORM: MetricForm = MetricForm { names: METRIC_NAMES, reads_field: true, parse };

fn parse(node: &Node<'_>, type_name: &str) -> Result<MetricKind> {
    node.only_fields(&["type", "name", "fieldName", "timeColumn", "maxStringBytes"])?;
    if let Some(time) = node.get("timeColumn")
        && time.text()? != TIME_COLUMN
    {
        let message = "a stored metric goes by the time of the event: leave timeColumn out";
        return Err(time.unsupported(message));
    }
    let Some((which, value_type)) = meaning(type_name) else {
        return Err(node.bad_type("metric", type_name, FORM.names, &[]));
    };
    Ok(MetricKind::OneValue { which, value_type, max_string_bytes: max_string_bytes(node)? })
}

pub(super) fn shown(which: OneOf, value_type: ValueType, max_string_bytes: u32) -> [Shown; 2] {
    let options = || -> Value {
        match (which, value_type) {
            (OneOf::Any, _) => json!({}),
            (OneOf::First | OneOf::Last, ValueType::String) => {
                json!({"timeColumn": TIME_COLUMN, "maxStringBytes": max_string_bytes})
            }
            (
                OneOf::First | OneOf::Last,
                ValueType::Long | ValueType::Float | ValueType::Double,
            ) => json!({"timeColumn": TIME_COLUMN}),
        }
    };
    let shown = || Shown::new(type_name(which, value_type), options());
    [shown(), shown()]
}
