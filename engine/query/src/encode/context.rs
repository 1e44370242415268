//! The context: as it came, unless something was set since that reads otherwise.

use serde_json::{Map, Value, json};

use crate::context::QueryContext;

pub(super) fn context(context: &QueryContext) -> Map<String, Value> {
    let mut fields: Map<String, Value> = context.raw.clone().into_iter().collect();
    let said = QueryContext::of(&context.raw);
    if said.as_ref() != Some(context) {
        fields.extend(spelled_out(context));
        fields.retain(|_, value| !value.is_null());
    }
    fields
}

/// Every knob; null where nothing is said.
fn spelled_out(context: &QueryContext) -> Map<String, Value> {
    let QueryContext {
        query_id,
        timeout_ms,
        priority,
        lane,
        skip_empty_buckets,
        grand_total,
        timestamp_result_field,
        times_as_numbers,
        finalize,
        result_as_array,
        sort_by_dims_first,
        min_top_n_threshold,
        use_cache,
        populate_cache,
        use_result_level_cache,
        populate_result_level_cache,
        use_block_statistics,
        use_projection,
        no_projections,
        force_projections,
        profile,
        max_on_disk_storage_bytes,
        max_subquery_rows,
        max_subquery_bytes,
        return_partial_results,
        strict,
        uncovered_intervals_limit,
        raw: _,
    } = context;
    let fields = json!({
        "queryId": query_id,
        "timeout": timeout_ms,
        "priority": priority,
        "lane": lane,
        "skipEmptyBuckets": skip_empty_buckets,
        "grandTotal": grand_total,
        "timestampResultField": timestamp_result_field,
        "serializeDateTimeAsLong": times_as_numbers,
        "serializeDateTimeAsLongInner": Value::Null,
        "finalize": finalize,
        "resultAsArray": result_as_array,
        "sortByDimsFirst": sort_by_dims_first,
        "minTopNThreshold": min_top_n_threshold,
        "useCache": use_cache,
        "populateCache": populate_cache,
        "useResultLevelCache": use_result_level_cache,
        "populateResultLevelCache": populate_result_level_cache,
        "useBlockStatistics": use_block_statistics,
        "useProjection": use_projection,
        "noProjections": no_projections,
        "forceProjections": force_projections,
        "profile": profile,
        "maxOnDiskStorage": max_on_disk_storage_bytes,
        "maxSubqueryRows": max_subquery_rows,
        "maxSubqueryBytes": max_subquery_bytes,
        "allowPartial": return_partial_results,
        "returnPartialResults": Value::Null,
        "strict": strict,
        "uncoveredIntervalsLimit": uncovered_intervals_limit,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
