//! Post-aggregators.

use serde_json::{Value, json};

use crate::post_aggregator::{ArithmeticFn, PostAggregator, QuantilesQuestion};

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
        PostAggregator::OfQuantiles { name, field, question } => {
            let mut value = of_quantiles(question);
            value["name"] = json!(name);
            value["field"] = post_aggregator(field);
            value
        }
        // What the root is taken of says how it was estimated.
        PostAggregator::Root { name, field } => {
            json!({"type": "stddev", "name": name, "fieldName": field})
        }
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

fn of_quantiles(question: &QuantilesQuestion) -> Value {
    let type_name = |what| format!("quantilesDoublesSketchTo{what}");
    match question {
        QuantilesQuestion::Quantile(fraction) => {
            json!({"type": type_name("Quantile"), "fraction": fraction})
        }
        QuantilesQuestion::Quantiles(fractions) => {
            json!({"type": type_name("Quantiles"), "fractions": fractions})
        }
        QuantilesQuestion::Rank(value) => json!({"type": type_name("Rank"), "value": value}),
        QuantilesQuestion::Cdf(points) => json!({"type": type_name("CDF"), "splitPoints": points}),
        QuantilesQuestion::Counts(points) => {
            json!({"type": type_name("Histogram"), "splitPoints": points})
        }
        QuantilesQuestion::Histogram(parts) => {
            json!({"type": type_name("Histogram"), "numBins": parts})
        }
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
