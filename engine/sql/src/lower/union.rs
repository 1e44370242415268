//! UNION ALL of tables taken into one draft.

use std::collections::BTreeSet;

use datafusion::common::DFSchemaRef;
use serde_json::{Value, json};

use super::draft::Draft;

/// One draft over all datasources, when the drafts differ in nothing else and read each datasource once.
pub(super) fn union(drafts: &[Draft], schema: &DFSchemaRef) -> Option<Draft> {
    let (first, others) = drafts.split_first()?;
    let is_rows = |draft: &Draft| {
        draft.groups.is_none()
            && draft.order.is_empty()
            && !draft.is_cut()
            && draft.base.input.is_none()
            && draft.base.virtual_columns.is_empty()
    };
    let is_alike = |draft: &Draft| {
        let types = draft.schema.fields().iter().zip(first.schema.fields());
        draft.outputs == first.outputs
            && draft.base.intervals == first.base.intervals
            && draft.base.filters == first.base.filters
            && types
                .into_iter()
                .all(|(a, b)| a.data_type() == b.data_type() && a.metadata() == b.metadata())
    };
    if !drafts.iter().all(is_rows) || !others.iter().all(is_alike) {
        return None;
    }
    let mut names = BTreeSet::new();
    let mut in_order = Vec::new();
    for draft in drafts {
        for name in tables(&draft.base.data_source)? {
            in_order.push(name);
            if !names.insert(name) {
                return None;
            }
        }
    }
    let data_source = json!({"type": "union", "dataSources": in_order});
    let mut draft = first.clone();
    draft.base.data_source = data_source;
    draft.base.names_taken = drafts.iter().any(|draft| draft.base.names_taken);
    draft.schema = schema.clone();
    Some(draft)
}

/// The tables of a datasource; `None` when it is made of something else.
fn tables(data_source: &Value) -> Option<Vec<&str>> {
    match data_source {
        Value::String(name) => Some(vec![name.as_str()]),
        other => other["dataSources"].as_array()?.iter().map(Value::as_str).collect(),
    }
}
