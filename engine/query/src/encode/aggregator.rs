//! Aggregators.

use serde_json::{Map, Value, json};

use super::parts;
use crate::aggregator::{AggregatorInput, AggregatorKind, AggregatorSpec};
use crate::ingest::{hll_type_name, numeric_type_name};

pub(super) fn all(aggregations: &[AggregatorSpec]) -> Vec<Value> {
    aggregations.iter().map(AggregatorSpec::to_value).collect()
}

impl AggregatorSpec {
    /// The aggregator as Druid's JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        aggregator(self)
    }

    /// What decides the states: the aggregator without its name, its filter and how it is finalised.
    pub(crate) fn state_value(&self) -> Value {
        let mut value = kind(&self.kind);
        if let Value::Object(fields) = &mut value {
            for finalising in ["round", "shouldFinalize"] {
                fields.remove(finalising);
            }
            if matches!(self.kind, AggregatorKind::Hll { .. }) {
                // Building and merging differ in nothing but the name.
                fields.insert("type".to_owned(), "HLLSketch".into());
            }
        }
        value
    }
}

fn aggregator(spec: &AggregatorSpec) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), spec.name.as_str().into());
    if let Value::Object(own) = kind(&spec.kind) {
        fields.extend(own);
    }
    let plain = Value::Object(fields);
    match &spec.filter {
        None => plain,
        Some(filter) => json!({
            "type": "filtered",
            "name": spec.name,
            "filter": filter.to_value(),
            "aggregator": plain,
        }),
    }
}

fn kind(kind: &AggregatorKind) -> Value {
    match kind {
        AggregatorKind::Count => json!({"type": "count"}),
        AggregatorKind::Numeric { op, column_type, input } => {
            let (key, text) = match input {
                AggregatorInput::Field(name) => ("fieldName", name.as_str()),
                AggregatorInput::Expression(expression) => ("expression", expression.text()),
            };
            json!({"type": numeric_type_name(*op, column_type), key: text})
        }
        AggregatorKind::Hll { field, lg_k, hll_type, round, should_finalize, merge } => json!({
            "type": if *merge { "HLLSketchMerge" } else { "HLLSketchBuild" },
            "fieldName": field,
            "lgK": lg_k,
            "tgtHllType": hll_type_name(*hll_type),
            "round": round,
            "shouldFinalize": should_finalize,
        }),
        AggregatorKind::HyperUnique { field, round } => {
            json!({"type": "hyperUnique", "fieldName": field, "round": round})
        }
        AggregatorKind::Cardinality { fields, by_row, round } => json!({
            "type": "cardinality",
            "fields": fields.iter().map(parts::dimension).collect::<Vec<_>>(),
            "byRow": by_row,
            "round": round,
        }),
        AggregatorKind::Theta { field, size, should_finalize } => json!({
            "type": "thetaSketch",
            "fieldName": field,
            "size": size,
            "shouldFinalize": should_finalize,
        }),
        AggregatorKind::Quantiles { field, k } => {
            json!({"type": "quantilesDoublesSketch", "fieldName": field, "k": k})
        }
    }
}
