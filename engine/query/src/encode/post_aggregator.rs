//! Post-aggregators.

use serde_json::{Value, json};

use crate::post_aggregator::{ArithmeticFn, PostAggregator};

pub(super) fn all(specs: &[PostAggregator]) -> Vec<Value> {
    specs.iter().map(post_aggregator).collect()
}

fn post_aggregator(spec: &PostAggregator) -> Value {
    match spec {
        PostAggregator::Arithmetic { name, function, fields } => json!({
            "type": "arithmetic",
            "name": name,
            "fn": match function {
                ArithmeticFn::Plus => "+",
                ArithmeticFn::Minus => "-",
                ArithmeticFn::Multiply => "*",
                ArithmeticFn::Divide => "/",
                ArithmeticFn::Quotient => "quotient",
                ArithmeticFn::Pow => "pow",
            },
            "fields": all(fields),
        }),
        PostAggregator::FieldAccess { name, field } => {
            json!({"type": "fieldAccess", "name": name, "fieldName": field})
        }
        PostAggregator::FinalizingFieldAccess { name, field } => {
            json!({"type": "finalizingFieldAccess", "name": name, "fieldName": field})
        }
        PostAggregator::Constant { name, value } => {
            json!({"type": "constant", "name": name, "value": constant(value)})
        }
        PostAggregator::SketchEstimate { name, field, round } => json!({
            "type": "HLLSketchEstimate",
            "name": name,
            "field": post_aggregator(field),
            "round": round,
        }),
        PostAggregator::Expression { name, expression } => {
            json!({"type": "expression", "name": name, "expression": expression.text()})
        }
        PostAggregator::Extreme { name, greatest, long, fields } => json!({
            "type": match (long, greatest) {
                (true, true) => "longGreatest",
                (true, false) => "longLeast",
                (false, true) => "doubleGreatest",
                (false, false) => "doubleLeast",
            },
            "name": name,
            "fields": all(fields),
        }),
    }
}

fn constant(value: &henge_types::Value) -> Value {
    match value {
        henge_types::Value::Long(long) => json!(long),
        henge_types::Value::Float(float) => json!(float),
        henge_types::Value::Double(double) => json!(double),
        henge_types::Value::String(text) => json!(text),
        _ => Value::Null,
    }
}
