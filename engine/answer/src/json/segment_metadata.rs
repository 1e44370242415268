//! `[{"id":..,"intervals":..,"columns":{..},..},..]`, field by field as Druid shows them.

use henge_exec::partial_rows::{ColumnAnalysis, SegmentAnalysis};
use henge_query::ingest::combining_metric_to_value;
use henge_types::json::{write_bool, write_long, write_null, write_string};
use henge_types::{Granularity, ProjectionDefinition, TIME_COLUMN};
use serde_json::{Value, json};

use crate::json::writer::Writer;

pub(super) fn write(json: &mut Writer<'_>, analyses: &[SegmentAnalysis]) {
    json.list(analyses, write_analysis);
}

fn write_analysis(json: &mut Writer<'_>, analysis: &SegmentAnalysis) {
    json.open(b'{');
    json.text_member("id", &analysis.id);
    json.optional_member("intervals", analysis.intervals.as_ref(), |json, intervals| {
        json.list(intervals, |json, interval| write_string(json.out(), &interval.to_string()));
    });
    json.key("columns");
    json.open(b'{');
    for (name, column) in &analysis.columns {
        json.key(name);
        write_column(json, column);
    }
    json.close(b'}');
    long_member(json, "size", Some(analysis.size_bytes));
    long_member(json, "numRows", Some(analysis.row_count));
    json.optional_member("aggregators", aggregators(analysis), |json, shown| {
        write_json(json, &shown);
    });
    json.optional_member("projections", projections(analysis), |json, shown| {
        write_json(json, &shown);
    });
    json.key("timestampSpec");
    write_null(json.out());
    let granularity = analysis.query_granularity.as_ref();
    json.optional_member("queryGranularity", granularity, |json, granularity| {
        write_json(json, &granularity_form(granularity));
    });
    json.optional_member("rollup", analysis.rollup, |json, rollup| write_bool(json.out(), rollup));
    json.close(b'}');
}

fn write_column(json: &mut Writer<'_>, column: &ColumnAnalysis) {
    json.open(b'{');
    json.text_member("typeSignature", &column.column_type.to_string());
    json.text_member("type", column.column_type.name());
    json.key("hasMultipleValues");
    write_bool(json.out(), column.has_multiple_values);
    json.key("hasNulls");
    write_bool(json.out(), column.has_nulls);
    long_member(json, "size", Some(column.size_bytes));
    long_member(json, "cardinality", column.cardinality);
    for (name, text) in [
        ("minValue", &column.min_value),
        ("maxValue", &column.max_value),
        ("errorMessage", &column.error_message),
    ] {
        json.optional_member(name, text.as_ref(), |json, text| write_string(json.out(), text));
    }
    json.close(b'}');
}

fn long_member(json: &mut Writer<'_>, name: &str, value: Option<u64>) {
    json.optional_member(name, value, |json, value| {
        write_long(json.out(), i64::try_from(value).unwrap_or(i64::MAX));
    });
}

/// A granularity always has a JSON form.
pub(crate) fn granularity_form(granularity: &Granularity) -> Value {
    serde_json::to_value(granularity).unwrap_or_default()
}

/// `{"name":{"type":"aggregate","schema":{..},"numRows":..},..}`
pub(crate) fn projections(analysis: &SegmentAnalysis) -> Option<Value> {
    let projections = analysis.projections.as_ref()?;
    let shown = projections.iter().map(|(name, (definition, rows))| {
        let schema = definition.as_ref().map(projection_schema);
        let shown = json!({"type": "aggregate", "schema": schema, "numRows": rows});
        (name.clone(), shown)
    });
    Some(Value::Object(shown.collect()))
}

fn projection_schema(definition: &ProjectionDefinition) -> Value {
    // Kept as text, which is JSON again.
    let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_default();
    let aggregators = definition.aggregators.iter().map(|stored| parsed(&stored.spec));
    json!({
        "name": definition.name,
        "granularity": definition.granularity,
        "virtualColumns": definition.virtual_columns,
        "groupingColumns": definition.grouping_columns,
        "ordering": ordering(definition),
        "aggregators": aggregators.collect::<Vec<_>>(),
        "filters": definition.filters.iter().map(parsed).collect::<Vec<_>>(),
    })
}

/// `[{"columnName":"__time","order":"ascending"},..]`
fn ordering(definition: &ProjectionDefinition) -> Vec<Value> {
    let mut names: Vec<&str> =
        definition.grouping_columns.iter().map(|column| column.name.as_str()).collect();
    if definition.granularity != Granularity::All {
        names.insert(definition.time_position.min(names.len()), TIME_COLUMN);
    }
    let ascending = |name| json!({"columnName": name, "order": "ascending"});
    names.into_iter().map(ascending).collect()
}

/// The aggregators that combine values that are already stored, by name.
pub(crate) fn aggregators(analysis: &SegmentAnalysis) -> Option<Value> {
    let shown = analysis.aggregators.as_ref()?.iter().map(|(name, metric)| {
        (name.clone(), metric.as_ref().map_or(Value::Null, combining_metric_to_value))
    });
    Some(Value::Object(shown.collect()))
}

/// JSON that was made before.
fn write_json(json: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Null => write_null(json.out()),
        Value::Bool(value) => write_bool(json.out(), *value),
        Value::Number(number) => json.out().extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(json.out(), text),
        Value::Array(items) => json.list(items, write_json),
        Value::Object(members) => {
            json.open(b'{');
            for (name, value) in members {
                json.key(name);
                write_json(json, value);
            }
            json.close(b'}');
        }
    }
}
