//! The best groups of one column by an aggregate: topN.

use serde_json::{Value, json};

use super::draft::{Draft, Groups};

/// Druid's `maxTopNLimit`.
const MOST: usize = 100_000;

/// The query, when the shape is that of a topN.
pub(super) fn query(draft: &Draft, groups: &Groups) -> Option<Value> {
    let ([dimension], [key], Some(limit)) =
        (groups.dimensions.as_slice(), draft.order.as_slice(), draft.limit)
    else {
        return None;
    };
    let is_plain = groups.sets.is_none() && groups.having.is_empty() && draft.offset == 0;
    let is_aggregate = key.column != dimension.name && !key.is_text;
    // Least first, a topN gives null last.
    let is_ranked = is_aggregate && key.descending;
    if !is_plain || !is_ranked || limit > MOST || !draft.approximate_top_n {
        return None;
    }
    let mut query = draft.base.query("topN");
    query.insert("granularity".to_owned(), "all".into());
    query.insert("dimension".to_owned(), dimension.spec());
    query.insert("metric".to_owned(), json!({"type": "numeric", "metric": key.column}));
    query.insert("threshold".to_owned(), limit.into());
    groups.put(&mut query);
    Some(Value::Object(query))
}
