//! What a changed schema means for rows that are stored already.

use henge_query::ingest::{DataSchema, metric_to_value};
use henge_types::{ColumnType, MetricKind, MetricSpec};

/// A schema that was put.
#[derive(Debug)]
pub struct PutSchema {
    /// The schema's version.
    pub version: u64,
    /// What its change means for stored rows, where these do not go with new ones.
    pub warnings: Vec<String>,
}

/// What to say of columns that stored rows have otherwise than new ones will.
pub(super) fn warnings(old: &DataSchema, new: &DataSchema) -> Vec<String> {
    let metrics = new.metrics_spec.iter().map(|metric| metric.name.as_str());
    let dimensions = new.dimensions_spec.dimensions.iter();
    let names = metrics.chain(dimensions.map(|dimension| dimension.name.as_str()));
    names
        .filter_map(|name| warning(name, &Stored::of(old, name)?, &Stored::of(new, name)?))
        .collect()
}

fn warning(name: &str, old: &Stored<'_>, new: &Stored<'_>) -> Option<String> {
    let (was, is) = (old.shown(), new.shown());
    let is_complex = |column: &Stored<'_>| matches!(column.column_type, ColumnType::Complex(_));
    if old.column_type != new.column_type && (is_complex(old) || is_complex(new)) {
        return Some(format!(
            "'{name}' was {was} and is {is} now: stored rows keep {}, new ones get {}, and no \
             aggregator reads both. Replace the stored rows by a task, or give the column another name",
            old.column_type, new.column_type
        ));
    }
    let combines_alike = match (old.metric, new.metric) {
        (Some(old), Some(new)) => match (&old.kind, &new.kind) {
            (
                MetricKind::Numeric { op: old, column_type: _ },
                MetricKind::Numeric { op: new, column_type: _ },
            ) => old == new,
            _ => was == is,
        },
        _ => true,
    };
    (!combines_alike).then(|| {
        format!(
            "'{name}' was {was} and is {is} now: stored rows keep what {was} made of their events, \
             until a task replaces them"
        )
    })
}

/// A column that a schema declares.
struct Stored<'s> {
    column_type: ColumnType,
    /// `None` for a dimension.
    metric: Option<&'s MetricSpec>,
}

impl<'s> Stored<'s> {
    /// `None` for a name that is not declared, or whose type values decide.
    fn of(schema: &'s DataSchema, name: &str) -> Option<Self> {
        if let Some(metric) = schema.metrics_spec.iter().find(|metric| metric.name == name) {
            return Some(Self { column_type: metric.kind.column_type(), metric: Some(metric) });
        }
        let mut dimensions = schema.dimensions_spec.dimensions.iter();
        let dimension = dimensions.find(|dimension| dimension.name == name)?;
        let column_type = dimension.column_type.clone()?;
        Some(Self { column_type, metric: None })
    }

    fn shown(&self) -> String {
        match self.metric {
            Some(metric) => {
                metric_to_value(metric)["type"].as_str().unwrap_or("a metric").to_owned()
            }
            None => format!("a dimension of the type {}", self.column_type),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema(dimensions: &Value, metrics: &Value) -> DataSchema {
        DataSchema::from_value(&json!({
            "dataSource": "d", "timestampSpec": {"column": "t"},
            "dimensionsSpec": {"dimensions": dimensions}, "metricsSpec": metrics,
        }))
        .unwrap()
    }

    fn with_metric(metric_type: &str) -> DataSchema {
        let metric = json!([{"type": metric_type, "name": "m", "fieldName": "v"}]);
        schema(&json!(["a"]), &metric)
    }

    fn of_metrics(old: &str, new: &str) -> Vec<String> {
        warnings(&with_metric(old), &with_metric(new))
    }

    #[test]
    fn what_stored_rows_do_not_go_with_is_told() {
        let told = of_metrics("doubleLast", "stringLast");
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("'m' was doubleLast and is stringLast now: "), "{told:?}");
        assert!(told[0].contains("serializablePairLongDouble"), "{told:?}");
        assert!(told[0].contains("Replace the stored rows by a task"), "{told:?}");
        assert!(of_metrics("longSum", "thetaSketch")[0].contains("no aggregator reads both"));
        assert!(of_metrics("longSum", "longMax")[0].contains("keep what longSum made"));
        assert!(of_metrics("longFirst", "longLast")[0].contains("keep what longFirst made"));
        for (old, new) in
            [("longSum", "longSum"), ("longSum", "doubleSum"), ("longMax", "floatMax")]
        {
            assert_eq!(of_metrics(old, new), [""; 0], "{old} {new}");
        }
        let of = |dimensions: Value| schema(&dimensions, &json!([]));
        let number = of(json!([{"name": "a", "type": "long"}]));
        assert_eq!(warnings(&of(json!(["a"])), &number), [""; 0]);
        assert_eq!(warnings(&with_metric("longLast"), &of(json!(["m"]))).len(), 1);
        assert_eq!(warnings(&with_metric("longLast"), &of(json!(["a"]))), [""; 0]);
    }
}
