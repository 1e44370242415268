//! Aggregates of all rows, or by buckets of time: timeseries.

use serde_json::{Map, Value, json};

use super::draft::{Dimension, Draft, Groups, reads};
use super::time;

/// How a timeseries names the begin of a bucket.
const BUCKET: &str = "timestamp";

/// The query, when the shape is that of a timeseries; the begin of a bucket gets the name it has there.
pub(super) fn query(draft: &Draft, groups: &Groups, names: &mut [String]) -> Option<Value> {
    if groups.sets.is_some() || !groups.having.is_empty() || draft.offset > 0 {
        return None;
    }
    let mut query = draft.base.query("timeseries");
    match groups.dimensions.as_slice() {
        // There is one row whatever the order and the limit.
        [] => {
            query.insert("granularity".to_owned(), "all".into());
        }
        [bucket] => by_time(draft, groups, bucket, names, &mut query)?,
        _ => return None,
    }
    groups.put(&mut query);
    Some(Value::Object(query))
}

fn by_time(
    draft: &Draft,
    groups: &Groups,
    bucket: &Dimension,
    names: &mut [String],
    query: &mut Map<String, Value>,
) -> Option<()> {
    let granularity = time::buckets(&bucket.text).filter(|_| draft.base.has_time)?;
    let is_read =
        |spec: &Value| spec["expression"].as_str().is_some_and(|text| reads(text, &bucket.name));
    if groups.post_aggregations.iter().any(is_read) {
        return None;
    }
    match draft.order.as_slice() {
        [] => {}
        [key] if key.column == bucket.name => {
            if key.descending {
                query.insert("descending".to_owned(), true.into());
            }
        }
        _ => return None,
    }
    if let Some(limit) = draft.limit {
        query.insert("limit".to_owned(), limit.into());
    }
    // The virtual column was for groups alone.
    let mut virtual_columns = draft.base.virtual_columns.clone();
    virtual_columns.retain(|column| {
        column["name"] != bucket.column || is_used(groups, &draft.base.filters, &bucket.column)
    });
    query.remove("virtualColumns");
    if !virtual_columns.is_empty() {
        query.insert("virtualColumns".to_owned(), virtual_columns.into());
    }
    for name in names.iter_mut().filter(|name| **name == bucket.name) {
        BUCKET.clone_into(name);
    }
    if !draft.decides_empty_buckets {
        query.insert("context".to_owned(), json!({"skipEmptyBuckets": true}));
    }
    query.insert("granularity".to_owned(), serde_json::to_value(granularity).ok()?);
    Some(())
}

/// Whether aggregators or filters name a column.
fn is_used(groups: &Groups, filters: &[Value], column: &str) -> bool {
    let quoted = Value::from(column).to_string();
    let names = |value: &Value| value.to_string().contains(&quoted);
    groups.aggregations.iter().any(names) || filters.iter().any(names)
}
