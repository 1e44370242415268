//! A named aggregator of a query, with its filters.

use serde_json::{Map, Value, json};

use super::AggregatorKind;
use crate::error::Result;
use crate::filter::Filter;
use crate::node::Node;
use crate::parse::filter;

/// The type that wraps another aggregator in a filter.
pub(super) const FILTERED: &str = "filtered";

const PLANNED: &[&str] = &[
    "histogram",
    "javascript",
    "singleValue",
    "quantilesDoublesSketchMerge",
    "KllFloatsSketch",
    "KllDoublesSketchMerge",
    "KllFloatsSketchMerge",
    "arrayOfDoublesSketch",
    "approxHistogram",
    "approxHistogramFold",
    "fixedBucketsHistogram",
    "varianceFold",
    "bloom",
];

/// A named aggregator, with the filters of any `filtered` wrappers around it.
#[derive(Debug, Clone)]
pub struct AggregatorSpec {
    /// Name in the result.
    pub name: String,
    /// What is computed.
    pub kind: AggregatorKind,
    /// Rows must also pass this filter (`filtered`, nested ones joined by and).
    pub filter: Option<Filter>,
}

/// Reads an aggregator.
pub(crate) fn aggregator(node: &Node<'_>) -> Result<AggregatorSpec> {
    named_aggregator(node, None)
}

/// `outer` is the name that a `filtered` wrapper gives; it wins.
fn named_aggregator(node: &Node<'_>, outer: Option<String>) -> Result<AggregatorSpec> {
    let known = AggregatorKind::types();
    let type_name = node.type_name(known)?;
    if type_name == FILTERED {
        return filtered(node, outer);
    }
    let kind = AggregatorKind::parse(node, type_name)
        .unwrap_or_else(|| Err(node.bad_type("aggregator", type_name, known, PLANNED)))?;
    let name = match outer {
        Some(name) => name,
        None => node.require("name", "give the aggregator a name for the result")?.name()?,
    };
    Ok(AggregatorSpec { name, kind, filter: None })
}

fn filtered(node: &Node<'_>, outer: Option<String>) -> Result<AggregatorSpec> {
    let condition = filter(&node.require("filter", "give the filter of the rows to aggregate")?)?;
    let inner = node.require("aggregator", "give the aggregator to apply to the filtered rows")?;
    // Clients send an empty name for "take the inner one".
    let own = node.get("name").filter(|name| name.value() != "");
    let own = own.map(|name| name.name()).transpose()?;
    let mut spec = named_aggregator(&inner, outer.or(own))?;
    spec.filter = Some(match spec.filter.take() {
        None => condition,
        Some(nested) => Filter::And(vec![condition, nested]),
    });
    Ok(spec)
}

/// Aggregators as Druid's JSON.
pub(crate) fn to_values(aggregations: &[AggregatorSpec]) -> Vec<Value> {
    aggregations.iter().map(AggregatorSpec::to_value).collect()
}

impl AggregatorSpec {
    /// The aggregator as Druid's JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("name".to_owned(), self.name.as_str().into());
        if let Value::Object(own) = self.kind.to_value() {
            fields.extend(own);
        }
        let plain = Value::Object(fields);
        match &self.filter {
            None => plain,
            Some(filter) => json!({
                "type": FILTERED,
                "name": self.name,
                "filter": filter.to_value(),
                "aggregator": plain,
            }),
        }
    }

    /// What decides the states: the aggregator without its name, its filter and how it is finished.
    pub(crate) fn state_value(&self) -> Value {
        self.kind.state_value()
    }
}

#[cfg(test)]
mod tests {
    use henge_types::ValueType;

    use super::*;
    use crate::node::Budget;

    #[test]
    fn what_is_planned_is_not_there() {
        let known = AggregatorKind::types();
        assert_eq!(PLANNED.iter().find(|name| known.contains(name)), None);
    }

    fn read(mut given: Value) -> AggregatorSpec {
        given["name"] = "a".into();
        let budget = Budget::default();
        Node::root(&given, &budget).and_then(|node| aggregator(&node)).unwrap()
    }

    #[test]
    fn finished_values_have_types() {
        let cases = [
            (json!({"type": "count"}), ValueType::Long),
            (json!({"type": "floatMin", "fieldName": "x"}), ValueType::Float),
            (json!({"type": "hyperUnique", "fieldName": "x"}), ValueType::Double),
            (json!({"type": "hyperUnique", "fieldName": "x", "round": true}), ValueType::Long),
            (json!({"type": "quantilesDoublesSketch", "fieldName": "x"}), ValueType::Long),
            (json!({"type": "exactDistinctCount", "fieldName": "x"}), ValueType::Long),
        ];
        for (given, expected) in cases {
            assert_eq!(read(given).kind.output_type(), expected);
        }
    }

    /// They are kept in segments.
    #[test]
    fn state_values_never_change() {
        let cases = [
            (json!({"type": "count"}), r#"{"type":"count"}"#),
            (json!({"type": "longSum", "fieldName": "x"}), r#"{"type":"longSum","fieldName":"x"}"#),
            (
                json!({"type": "floatMax", "expression": "x + 1"}),
                r#"{"type":"floatMax","expression":"x + 1"}"#,
            ),
            (
                json!({"type": "HLLSketchMerge", "fieldName": "x", "round": true}),
                r#"{"type":"HLLSketch","fieldName":"x","lgK":12,"tgtHllType":"HLL_4"}"#,
            ),
            (
                json!({"type": "hyperUnique", "fieldName": "x", "round": true}),
                r#"{"type":"hyperUnique","fieldName":"x"}"#,
            ),
            (
                json!({"type": "cardinality", "fields": ["x"], "round": true}),
                r#"{"type":"cardinality","fields":[{"type":"default","dimension":"x","outputName":"x","outputType":"STRING"}],"byRow":false}"#,
            ),
            (
                json!({"type": "thetaSketch", "fieldName": "x", "shouldFinalize": false}),
                r#"{"type":"thetaSketch","fieldName":"x","size":16384}"#,
            ),
            (
                json!({"type": "KllDoublesSketch", "fieldName": "x"}),
                r#"{"type":"quantilesDoublesSketch","fieldName":"x","k":200}"#,
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(read(given).state_value().to_string(), expected);
        }
    }
}
