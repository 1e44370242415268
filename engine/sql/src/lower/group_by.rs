//! Groups of any kind: groupBy.

use serde_json::{Map, Value, json};

use super::draft::{Dimension, Draft, Groups};
use super::filter;

/// The query.
pub(super) fn query(draft: &Draft, groups: &Groups) -> Value {
    let mut query = draft.base.query("groupBy");
    query.insert("granularity".to_owned(), "all".into());
    query.insert("dimensions".to_owned(), groups.dimensions.iter().map(Dimension::spec).collect());
    groups.put(&mut query);
    if let Some(condition) = filter::all(groups.having.clone()) {
        query.insert("having".to_owned(), json!({"type": "filter", "filter": condition}));
    }
    if let Some(sets) = &groups.sets {
        let name = |place: &usize| groups.dimensions[*place].name.as_str();
        let sets: Vec<Vec<&str>> = sets.iter().map(|set| set.iter().map(name).collect()).collect();
        query.insert("subtotalsSpec".to_owned(), json!(sets));
    }
    if !draft.order.is_empty() || draft.is_cut() {
        query.insert("limitSpec".to_owned(), limit_spec(draft));
    }
    Value::Object(query)
}

fn limit_spec(draft: &Draft) -> Value {
    let keys = draft.order.iter().map(|key| {
        json!({
            "dimension": key.column,
            "direction": if key.descending { "descending" } else { "ascending" },
            "dimensionOrder": if key.is_text { "lexicographic" } else { "numeric" },
        })
    });
    let mut spec = Map::new();
    spec.insert("type".to_owned(), "default".into());
    spec.insert("columns".to_owned(), keys.collect());
    if let Some(limit) = draft.limit {
        spec.insert("limit".to_owned(), limit.into());
    }
    if draft.offset > 0 {
        spec.insert("offset".to_owned(), draft.offset.into());
    }
    Value::Object(spec)
}
