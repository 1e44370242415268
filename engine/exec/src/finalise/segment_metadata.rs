//! `segmentMetadata`: analyses, one a segment or one for all, field by field as Druid shows them.

use std::collections::BTreeMap;

use henge_query::ingest::combining_metric_to_value;
use henge_query::{Analysis, SegmentMetadataQuery};
use henge_types::{ColumnType, MetricSpec, ProjectionDefinition};
use serde_json::{Value, json};

use crate::finalise::json;
use crate::partial_rows::{ColumnAnalysis, SegmentAnalysis};
use crate::rows::segment_metadata::merge_analyses;

/// The finished answer.
#[derive(Debug, Clone)]
pub(crate) struct SegmentMetadataResult {
    analyses: Vec<SegmentAnalysis>,
    shows_granularity: bool,
}

/// Finishes the analyses.
pub(crate) fn finalise(
    query: &SegmentMetadataQuery,
    analyses: Vec<SegmentAnalysis>,
) -> SegmentMetadataResult {
    SegmentMetadataResult {
        analyses: merge_analyses(query, analyses),
        shows_granularity: query.analysis_types.contains(&Analysis::QueryGranularity),
    }
}

impl SegmentMetadataResult {
    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.analyses.len()
    }

    /// `[{"id":..,"intervals":..,"columns":{..},..},..]`
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        json::write_list(out, &self.analyses, |out, analysis| self.write_analysis(out, analysis));
    }

    fn write_analysis(&self, out: &mut Vec<u8>, analysis: &SegmentAnalysis) {
        out.extend_from_slice(b"{\"id\":");
        json::write_string(out, &analysis.id);
        out.extend_from_slice(b",\"intervals\":");
        match &analysis.intervals {
            Some(intervals) => json::write_list(out, intervals, |out, interval| {
                json::write_string(out, &interval.to_string());
            }),
            None => json::write_null(out),
        }
        out.extend_from_slice(b",\"columns\":{");
        for (position, (name, column)) in analysis.columns.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            json::write_key(out, name);
            write_column(out, column);
        }
        out.extend_from_slice(b"},\"size\":");
        json::write_long(out, as_long(analysis.size_bytes));
        out.extend_from_slice(b",\"numRows\":");
        json::write_long(out, as_long(analysis.row_count));
        out.extend_from_slice(b",\"aggregators\":");
        write_aggregators(out, analysis.aggregators.as_ref());
        out.extend_from_slice(b",\"projections\":");
        write_projections(out, analysis);
        out.extend_from_slice(b",\"timestampSpec\":null,\"queryGranularity\":");
        match &analysis.query_granularity {
            Some(granularity) if self.shows_granularity => {
                // A granularity always has a JSON form.
                let text = serde_json::to_vec(granularity).unwrap_or_else(|_| b"null".to_vec());
                out.extend_from_slice(&text);
            }
            _ => json::write_null(out),
        }
        out.extend_from_slice(b",\"rollup\":");
        match analysis.rollup {
            Some(rollup) => json::write_bool(out, rollup),
            None => json::write_null(out),
        }
        out.push(b'}');
    }
}

/// `{"name":{"type":"aggregate","schema":{..},"numRows":..},..}`
fn write_projections(out: &mut Vec<u8>, analysis: &SegmentAnalysis) {
    let Some(projections) = &analysis.projections else { return json::write_null(out) };
    let shown = projections.iter().map(|(name, (definition, rows))| {
        let schema = definition.as_ref().map(projection_schema);
        let shown = json!({"type": "aggregate", "schema": schema, "numRows": rows});
        (name.clone(), shown)
    });
    let shown: serde_json::Map<String, Value> = shown.collect();
    out.extend_from_slice(Value::Object(shown).to_string().as_bytes());
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
        "aggregators": aggregators.collect::<Vec<_>>(),
        "filters": definition.filters.iter().map(parsed).collect::<Vec<_>>(),
    })
}

fn as_long(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn write_column(out: &mut Vec<u8>, column: &ColumnAnalysis) {
    out.extend_from_slice(b"{\"typeSignature\":");
    json::write_string(out, &column.column_type.to_string());
    out.extend_from_slice(b",\"type\":");
    match &column.column_type {
        ColumnType::Complex(name) => json::write_string(out, name),
        other => json::write_string(out, &other.to_string()),
    }
    out.extend_from_slice(b",\"hasMultipleValues\":");
    json::write_bool(out, column.has_multiple_values);
    out.extend_from_slice(b",\"hasNulls\":");
    json::write_bool(out, column.has_nulls);
    out.extend_from_slice(b",\"size\":");
    json::write_long(out, as_long(column.size_bytes));
    out.extend_from_slice(b",\"cardinality\":");
    match column.cardinality {
        Some(cardinality) => json::write_long(out, as_long(cardinality)),
        None => json::write_null(out),
    }
    for (key, text) in [
        ("minValue", &column.min_value),
        ("maxValue", &column.max_value),
        ("errorMessage", &column.error_message),
    ] {
        out.push(b',');
        json::write_key(out, key);
        json::write_optional_string(out, text.as_deref());
    }
    out.push(b'}');
}

fn write_aggregators(
    out: &mut Vec<u8>,
    aggregators: Option<&BTreeMap<String, Option<MetricSpec>>>,
) {
    let Some(aggregators) = aggregators else {
        return json::write_null(out);
    };
    out.push(b'{');
    for (position, (name, metric)) in aggregators.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::write_key(out, name);
        match metric {
            Some(metric) => {
                let shown = combining_metric_to_value(metric).to_string();
                out.extend_from_slice(shown.as_bytes());
            }
            None => json::write_null(out),
        }
    }
    out.push(b'}');
}
