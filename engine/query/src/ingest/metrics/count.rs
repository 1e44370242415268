//! `count`.

use henge_types::MetricKind;
use serde_json::json;

use super::{MetricForm, Shown};

pub(super) const FORM: MetricForm = MetricForm {
    names: &["count"],
    reads_field: false,
    parse: |node, _| {
        node.only_fields(&["type", "name", "fieldName"])?;
        Ok(MetricKind::Count)
    },
};

/// Stored counts are summed.
pub(super) fn shown() -> [Shown; 2] {
    [Shown::new("count", json!({})), Shown::new("longSum", json!({}))]
}
