//! The parts that several query types share.

use henge_types::{Granularity, Interval};
use serde_json::{Value, json};

use super::filter::literal;
use crate::dimension::DimensionSpec;
use crate::filter::{Literal, Ordering};
use crate::having::Having;
use crate::limit::{Direction, LimitSpec, OrderByColumn};
use crate::virtual_column::VirtualColumn;

pub(super) fn intervals(intervals: &[Interval]) -> Value {
    intervals.iter().map(ToString::to_string).collect()
}

pub(super) fn granularity(granularity: &Granularity) -> Value {
    serde_json::to_value(granularity).unwrap_or_default()
}

impl VirtualColumn {
    /// The virtual column as Druid's JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({
            "type": "expression",
            "name": self.name,
            "expression": self.expression.text(),
            "outputType": self.output_type,
        })
    }
}

pub(crate) fn dimension(dimension: &DimensionSpec) -> Value {
    json!({
        "type": "default",
        "dimension": dimension.dimension,
        "outputName": dimension.output_name,
        "outputType": dimension.output_type,
    })
}

pub(super) fn ordering(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Lexicographic => "lexicographic",
        Ordering::Alphanumeric => "alphanumeric",
        Ordering::Numeric => "numeric",
        Ordering::Strlen => "strlen",
        Ordering::Version => "version",
    }
}

pub(super) fn having(clause: &Having) -> Value {
    let comparison = |type_name: &str, aggregation: &str, value: &Literal| json!({"type": type_name, "aggregation": aggregation, "value": literal(value)});
    match clause {
        Having::Always => json!({"type": "always"}),
        Having::Never => json!({"type": "never"}),
        Having::And(clauses) => {
            json!({"type": "and", "havingSpecs": clauses.iter().map(having).collect::<Vec<_>>()})
        }
        Having::Or(clauses) => {
            json!({"type": "or", "havingSpecs": clauses.iter().map(having).collect::<Vec<_>>()})
        }
        Having::Not(clause) => json!({"type": "not", "havingSpec": having(clause)}),
        Having::GreaterThan { aggregation, value } => comparison("greaterThan", aggregation, value),
        Having::LessThan { aggregation, value } => comparison("lessThan", aggregation, value),
        Having::EqualTo { aggregation, value } => comparison("equalTo", aggregation, value),
        Having::DimSelector { dimension, value } => {
            json!({"type": "dimSelector", "dimension": dimension, "value": value})
        }
        Having::Filter(filter) => json!({"type": "filter", "filter": filter.to_value()}),
    }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "ascending",
        Direction::Descending => "descending",
    }
}

pub(super) fn limit_spec(spec: &LimitSpec) -> Value {
    let column = |column: &OrderByColumn| {
        json!({
            "dimension": column.column,
            "direction": direction(column.direction),
            "dimensionOrder": ordering(column.ordering),
        })
    };
    json!({
        "type": "default",
        "limit": spec.limit,
        "offset": spec.offset,
        "columns": spec.columns.iter().map(column).collect::<Vec<_>>(),
    })
}
