//! Filters.

use serde_json::{Value, json};

use super::parts;
use crate::filter::{Filter, Literal, RangeBound};

impl Filter {
    /// The filter as Druid's JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::True => json!({"type": "true"}),
            Self::False => json!({"type": "false"}),
            // Druid has no empty conjunctions; they mean these constants.
            Self::And(fields) if fields.is_empty() => json!({"type": "true"}),
            Self::Or(fields) if fields.is_empty() => json!({"type": "false"}),
            Self::And(fields) => combination("and", fields),
            Self::Or(fields) => combination("or", fields),
            Self::Not(field) => json!({"type": "not", "field": field.to_value()}),
            Self::IsTrue(field) => json!({"type": "istrue", "field": field.to_value()}),
            Self::Selector { column, value } => {
                json!({"type": "selector", "dimension": column, "value": value})
            }
            Self::Equals { column, match_type, value } => json!({
                "type": "equals",
                "column": column,
                "matchValueType": match_type,
                "matchValue": literal(value),
            }),
            Self::IsNull { column } => json!({"type": "null", "column": column}),
            Self::In { column, values } => {
                json!({"type": "in", "dimension": column, "values": values})
            }
            Self::Like { column, pattern, escape } => {
                json!({"type": "like", "dimension": column, "pattern": pattern, "escape": escape})
            }
            Self::Regex { column, regex } => {
                json!({"type": "regex", "dimension": column, "pattern": regex.as_str()})
            }
            Self::Interval { column, intervals } => json!({
                "type": "interval",
                "dimension": column,
                "intervals": parts::intervals(intervals),
            }),
            Self::Expression { expression } => {
                json!({"type": "expression", "expression": expression.text()})
            }
            Self::Bound { .. } | Self::Range { .. } => range(self),
        }
    }
}

fn combination(type_name: &str, fields: &[Filter]) -> Value {
    json!({"type": type_name, "fields": fields.iter().map(Filter::to_value).collect::<Vec<_>>()})
}

pub(super) fn literal(value: &Literal) -> Value {
    match value {
        Literal::Long(long) => json!(long),
        Literal::Double(double) => json!(double),
        Literal::String(text) => json!(text),
    }
}

fn range(filter: &Filter) -> Value {
    match filter {
        Filter::Bound { column, lower, upper, ordering } => json!({
            "type": "bound",
            "dimension": column,
            "lower": lower.as_ref().map(|end| end.value.as_str()),
            "lowerStrict": is_strict(lower.as_ref()),
            "upper": upper.as_ref().map(|end| end.value.as_str()),
            "upperStrict": is_strict(upper.as_ref()),
            "ordering": parts::ordering(*ordering),
        }),
        Filter::Range { column, match_type, lower, upper } => json!({
            "type": "range",
            "column": column,
            "matchValueType": match_type,
            "lower": lower.as_ref().map(|end| literal(&end.value)),
            "lowerOpen": is_strict(lower.as_ref()),
            "upper": upper.as_ref().map(|end| literal(&end.value)),
            "upperOpen": is_strict(upper.as_ref()),
        }),
        _ => Value::Null,
    }
}

fn is_strict<T>(end: Option<&RangeBound<T>>) -> bool {
    end.is_some_and(|end| end.strict)
}
