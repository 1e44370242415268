//! What the command line says of the rows to be: their columns, what is computed, how they are combined.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Result, bail};
use henge_types::ColumnType;
use serde_json::{Value, json};

use super::columns::Column;

/// A dimension that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dimension {
    name: String,
    type_name: String,
}

/// A metric that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    kind: MetricKind,
    /// Empty for a count.
    field: String,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricKind {
    Count,
    Sum,
    Min,
    Max,
}

/// All of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) dimensions: &'a [Dimension],
    pub(super) metrics: &'a [Metric],
    pub(super) rollup: bool,
    pub(super) query_granularity: Option<&'a str>,
    pub(super) segment_granularity: Option<&'a str>,
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, type_name) = match text.rsplit_once(':') {
            Some((name, type_name)) if is_type(type_name) => (name, type_name),
            Some((_, other)) => {
                return Err(format!(
                    "'{other}' is no type: use long, double, float, string or auto"
                ));
            }
            None => (text, "auto"),
        };
        if name.is_empty() {
            return Err("name a column".to_owned());
        }
        Ok(Self { name: name.to_owned(), type_name: type_name.to_ascii_lowercase() })
    }
}

fn is_type(name: &str) -> bool {
    ["long", "double", "float", "string", "auto"].iter().any(|one| one.eq_ignore_ascii_case(name))
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, name) = match text.split_once('=') {
            Some((what, name)) => (what, Some(name)),
            None => (text, None),
        };
        let (kind, field) = what.split_once(':').unwrap_or((what, ""));
        let kind = match kind {
            "count" if field.is_empty() => MetricKind::Count,
            "sum" => MetricKind::Sum,
            "min" => MetricKind::Min,
            "max" => MetricKind::Max,
            _ => {
                return Err(format!(
                    "'{what}' is unknown: use count, sum:FIELD, min:FIELD or max:FIELD"
                ));
            }
        };
        if field.is_empty() && kind != MetricKind::Count {
            return Err(format!("'{what}' names no field: write {what}:FIELD"));
        }
        let default = match kind {
            MetricKind::Count => "count".to_owned(),
            MetricKind::Sum => format!("sum_{field}"),
            MetricKind::Min => format!("min_{field}"),
            MetricKind::Max => format!("max_{field}"),
        };
        let name = name.map_or(default, str::to_owned);
        Ok(Self { kind, field: field.to_owned(), name })
    }
}

impl Metric {
    /// As Druid has it; whole numbers stay whole where the column has nothing else.
    fn to_value(&self, types: &BTreeMap<String, ColumnType>) -> Value {
        let prefix = match types.get(&self.field) {
            Some(ColumnType::Long) => "long",
            _ => "double",
        };
        let kind = match self.kind {
            MetricKind::Count => return json!({ "type": "count", "name": self.name }),
            MetricKind::Sum => "Sum",
            MetricKind::Min => "Min",
            MetricKind::Max => "Max",
        };
        json!({ "type": format!("{prefix}{kind}"), "name": self.name, "fieldName": self.field })
    }
}

/// What separates values, from the command line.
pub(super) fn delimiter(text: &str) -> Result<char, String> {
    match text {
        "tab" | "\\t" => return Ok('\t'),
        "space" => return Ok(' '),
        _ => {}
    }
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(one), None) if one.is_ascii() && !matches!(one, '\n' | '\r' | '\0' | '"') => Ok(one),
        _ => Err("give one ASCII character, tab or space".to_owned()),
    }
}

impl Shape<'_> {
    /// Whether the types of columns matter.
    pub(super) fn needs_types(&self) -> bool {
        !self.metrics.is_empty()
    }

    /// Makes fields of what lies within the file's columns and is named by a path (`user.id`), where the format has
    /// such.
    pub(super) fn reach_within(&self, spec: &mut Value, columns: &mut Vec<Column>) {
        let kind = spec.pointer("/inputFormat/type").and_then(Value::as_str);
        if !matches!(kind, Some("json" | "parquet")) {
            return;
        }
        let mut fields = Vec::new();
        for name in self.names().map(|(_, name)| name) {
            let nodes: Vec<&str> = name.split('.').collect();
            let is_column = |name: &str| columns.iter().any(|column| column.name == name);
            let is_path = nodes.len() > 1 && !nodes.contains(&"");
            if is_path && !is_column(name) && is_column(nodes[0]) {
                fields.push(json!({ "type": "tree", "name": name, "nodes": nodes }));
                columns.push(Column { name: name.clone(), is_time: false, others: Vec::new() });
            }
        }
        if !fields.is_empty() {
            spec["inputFormat"]["flattenSpec"] = json!({ "fields": fields });
        }
    }

    /// Changes a spec accordingly. `types` are those of the columns in the sample.
    ///
    /// # Errors
    /// When it names columns that are not there.
    pub(super) fn apply(
        &self,
        spec: &mut Value,
        columns: &[Column],
        types: &BTreeMap<String, ColumnType>,
    ) -> Result<()> {
        self.check_names(columns)?;
        if !self.dimensions.is_empty() {
            let dimensions = self
                .dimensions
                .iter()
                .map(|dimension| json!({ "type": dimension.type_name, "name": dimension.name }));
            let is_read = |name: &String| {
                self.dimensions.iter().any(|dimension| dimension.name == *name)
                    || self.metrics.iter().any(|metric| metric.field == *name)
            };
            let time = spec.pointer("/timestampSpec/column").and_then(Value::as_str);
            let names = columns.iter().map(|column| &column.name);
            let left_out: Vec<&String> =
                names.filter(|name| !is_read(name) && time != Some(name.as_str())).collect();
            spec["dimensionsSpec"] = json!({
                "dimensions": dimensions.collect::<Vec<_>>(), "dimensionExclusions": left_out,
            });
        }
        let mut metrics: Vec<Value> = self.metrics.iter().map(|m| m.to_value(types)).collect();
        if self.rollup && metrics.is_empty() {
            metrics.push(json!({ "type": "count", "name": "count" }));
        }
        if !metrics.is_empty() {
            spec["metricsSpec"] = metrics.into();
            // What is summed is no dimension, unless it is asked for as one.
            if self.dimensions.is_empty() {
                let fields = self.metrics.iter().map(|metric| &metric.field);
                let fields: Vec<&String> = fields.filter(|field| !field.is_empty()).collect();
                spec["dimensionsSpec"]["dimensionExclusions"] = json!(fields);
            }
        }
        let granularity = &mut spec["granularitySpec"];
        if self.rollup {
            granularity["rollup"] = true.into();
        }
        if let Some(name) = self.query_granularity {
            granularity["queryGranularity"] = name.into();
        }
        if let Some(name) = self.segment_granularity {
            granularity["segmentGranularity"] = name.into();
        }
        Ok(())
    }

    /// The columns that are named, with the options that do.
    fn names(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let dimensions = self.dimensions.iter().map(|one| ("--dimensions", &one.name));
        let metrics = self.metrics.iter().map(|one| ("--metrics", &one.field));
        dimensions.chain(metrics.filter(|(_, field)| !field.is_empty()))
    }

    fn check_names(&self, columns: &[Column]) -> Result<()> {
        for (option, name) in self.names() {
            if !columns.iter().any(|column| column.name == *name) {
                let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
                bail!("{option}: there is no column '{name}', only {}", names.join(", "));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        let column =
            |name: &str| Column { name: name.to_owned(), is_time: false, others: Vec::new() };
        ["t", "page", "bytes", "extra"].map(column).to_vec()
    }

    fn applied(dimensions: &[&str], metrics: &[&str], rollup: bool) -> Result<Value> {
        let dimensions: Vec<Dimension> =
            dimensions.iter().map(|one| one.parse().unwrap()).collect();
        let metrics: Vec<Metric> = metrics.iter().map(|one| one.parse().unwrap()).collect();
        let shape = Shape {
            dimensions: &dimensions,
            metrics: &metrics,
            rollup,
            query_granularity: Some("hour"),
            segment_granularity: Some("day"),
        };
        let types = BTreeMap::from([("bytes".to_owned(), ColumnType::Long)]);
        let mut spec = json!({
            "timestampSpec": { "column": "t" },
            "dimensionsSpec": { "useSchemaDiscovery": true },
            "granularitySpec": { "segmentGranularity": "auto", "rollup": false },
        });
        shape.apply(&mut spec, &columns(), &types)?;
        Ok(spec)
    }

    #[test]
    fn rows_take_the_shape_that_is_asked_for() {
        let spec = applied(&["page:string"], &["count", "sum:bytes=total"], true).unwrap();
        assert_eq!(
            spec["dimensionsSpec"],
            json!({
                "dimensions": [{ "type": "string", "name": "page" }],
                "dimensionExclusions": ["extra"],
            })
        );
        let metrics = json!([
            { "type": "count", "name": "count" },
            { "type": "longSum", "name": "total", "fieldName": "bytes" },
        ]);
        assert_eq!(spec["metricsSpec"], metrics);
        let granularity =
            json!({ "segmentGranularity": "day", "queryGranularity": "hour", "rollup": true });
        assert_eq!(spec["granularitySpec"], granularity);
        let spec = applied(&[], &["max:extra"], false).unwrap();
        assert_eq!(spec["dimensionsSpec"]["dimensionExclusions"], json!(["extra"]));
        assert_eq!(spec["metricsSpec"][0]["type"], "doubleMax");
        let counted = applied(&[], &[], true).unwrap();
        assert_eq!(counted["metricsSpec"][0]["type"], "count");
    }

    #[test]
    fn paths_reach_into_the_columns_of_formats_that_have_fields_within() {
        let dimensions: Vec<Dimension> =
            ["page.title", "t", "page.id:long"].iter().map(|one| one.parse().unwrap()).collect();
        let metrics: Vec<Metric> = vec!["sum:extra.x.y=total".parse().unwrap()];
        let shape = Shape {
            dimensions: &dimensions,
            metrics: &metrics,
            rollup: false,
            query_granularity: None,
            segment_granularity: None,
        };
        let tree = |name: &str| {
            let nodes: Vec<&str> = name.split('.').collect();
            json!({ "type": "tree", "name": name, "nodes": nodes })
        };
        let fields = ["page.title", "page.id", "extra.x.y"].map(tree);
        let reached = json!({ "fields": fields });
        for (kind, flatten) in [("csv", &Value::Null), ("json", &reached), ("parquet", &reached)] {
            let mut spec = json!({ "inputFormat": { "type": kind }, "granularitySpec": {} });
            let mut columns = columns();
            shape.reach_within(&mut spec, &mut columns);
            assert_eq!(&spec["inputFormat"]["flattenSpec"], flatten, "{kind}");
            let applied = shape.apply(&mut spec, &columns, &BTreeMap::new());
            assert_eq!(applied.is_ok(), kind != "csv", "{applied:?}");
        }
    }

    #[test]
    fn what_is_asked_for_wrongly_is_said() {
        let missing = applied(&["pages"], &[], false).unwrap_err().to_string();
        assert!(missing.contains("no column 'pages', only t, page"), "{missing}");
        for (text, words) in [("avg:x", "use count"), ("sum", "write sum:FIELD")] {
            let error = text.parse::<Metric>().unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!("a:int".parse::<Dimension>().unwrap_err().contains("'int' is no type"));
        assert_eq!((delimiter("tab"), delimiter("|")), (Ok('\t'), Ok('|')));
        assert!(delimiter("ab").is_err() && delimiter("é").is_err());
    }
}
