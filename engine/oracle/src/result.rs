//! The grouping queries' answers in Druid's shapes.

use std::cmp::Ordering as Cmp;
use std::collections::BTreeMap;

use henge_query::{
    AggregatorKind, Direction, GroupByQuery, Having, LimitSpec, Literal, Ordering, QueryBase,
    TimeseriesQuery, TopNMetric, TopNQuery,
};
use henge_types::{Granularity, TIME_COLUMN};
use serde_json::{Value, json};

use super::OracleRow;
use super::filter::{compare_number, test_with};
use super::group::{Group, Grouping, compare_keys};
use super::value::Cell;

/// Every bucket between the ends of each segment's rows within each interval, and the timestamp of
/// granularity `all`.
fn shown_buckets(base: &QueryBase, granularity: &Granularity, ranges: &[(i64, i64)]) -> Vec<i64> {
    let mut buckets = std::collections::BTreeSet::new();
    for interval in &base.intervals {
        let meeting =
            ranges.iter().filter(|(min, max)| *min < interval.end_ms && *max >= interval.start_ms);
        let clipped: Vec<(i64, i64)> = meeting
            .map(|(min, max)| ((*min).max(interval.start_ms), (*max).min(interval.end_ms - 1)))
            .collect();
        let (Some(first), Some(last)) =
            (clipped.iter().map(|r| r.0).min(), clipped.iter().map(|r| r.1).max())
        else {
            continue;
        };
        match granularity {
            Granularity::All => {
                buckets.insert(first);
            }
            Granularity::None => {}
            granularity => {
                let mut bucket = granularity.bucket_start(first);
                while bucket <= last {
                    buckets.insert(bucket);
                    bucket = granularity.next_bucket(bucket);
                }
            }
        }
    }
    buckets.into_iter().collect()
}

fn start_of_all(base: &QueryBase, ranges: &[(i64, i64)]) -> i64 {
    let shown = shown_buckets(base, &Granularity::All, ranges);
    shown.first().copied().unwrap_or_else(|| base.intervals.first().map_or(0, |i| i.start_ms))
}

fn object(fields: &BTreeMap<String, Cell>) -> Value {
    fields
        .iter()
        .map(|(name, cell)| (name.clone(), cell.json()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// timeseries
pub(crate) fn timeseries(
    query: &TimeseriesQuery,
    rows: &[&OracleRow],
    ranges: &[(i64, i64)],
) -> Value {
    let context = &query.base.context;
    let grouping = Grouping {
        base: &query.base,
        granularity: &query.granularity,
        dimensions: &[],
        aggregations: &query.aggregations,
        post_aggregations: &query.post_aggregations,
    };
    let mut groups = grouping.groups(rows, &[]);
    if query.granularity == Granularity::All {
        let time = start_of_all(&query.base, ranges);
        groups.iter_mut().for_each(|group| group.bucket_ms = time);
        if groups.is_empty() && !context.skip_empty_buckets {
            groups.push(grouping.group(time, vec![], &[]));
        }
    } else if !context.skip_empty_buckets {
        for bucket in shown_buckets(&query.base, &query.granularity, ranges) {
            if !groups.iter().any(|group| group.bucket_ms == bucket) {
                groups.push(grouping.group(bucket, vec![], &[]));
            }
        }
        groups.sort_by_key(|group| group.bucket_ms);
    }
    if query.descending {
        groups.reverse();
    }
    groups.truncate(query.limit.map_or(usize::MAX, |limit| limit as usize));
    let mut entries: Vec<Value> = groups
        .iter()
        .map(|group| entry(query, &query.granularity.format_bucket(group.bucket_ms), group))
        .collect();
    if context.grand_total {
        let in_shown = |row: &&&OracleRow| {
            let bucket = query.granularity.bucket_start(row.time_ms);
            query.granularity == Granularity::All && !groups.is_empty()
                || groups.iter().any(|group| group.bucket_ms == bucket)
        };
        let shown: Vec<&OracleRow> = rows.iter().filter(in_shown).copied().collect();
        let total = grouping.group(0, vec![], &shown);
        let mut entry = entry(query, "", &total);
        entry["timestamp"] = Value::Null;
        if let Some(field) = &context.timestamp_result_field {
            entry["result"][field] = Value::Null;
        }
        entries.push(entry);
    }
    entries.into()
}

fn entry(query: &TimeseriesQuery, timestamp: &str, group: &Group) -> Value {
    let mut fields = group.fields.clone();
    if let Some(field) = &query.base.context.timestamp_result_field {
        fields.insert(field.clone(), Cell::Long(group.bucket_ms));
    }
    json!({"timestamp": timestamp, "result": object(&fields)})
}

/// topN
pub(crate) fn top_n(query: &TopNQuery, rows: &[&OracleRow], ranges: &[(i64, i64)]) -> Value {
    let grouping = Grouping {
        base: &query.base,
        granularity: &query.granularity,
        dimensions: std::slice::from_ref(&query.dimension),
        aggregations: &query.aggregations,
        post_aggregations: &query.post_aggregations,
    };
    let mut buckets: BTreeMap<i64, Vec<Group>> = BTreeMap::new();
    let all_time = start_of_all(&query.base, ranges);
    if query.granularity == Granularity::All {
        buckets.insert(all_time, Vec::new());
    } else {
        let shown = shown_buckets(&query.base, &query.granularity, ranges);
        buckets.extend(shown.into_iter().map(|bucket| (bucket, Vec::new())));
    }
    for group in grouping.groups(rows, &[0]) {
        let all = query.granularity == Granularity::All;
        buckets.entry(if all { all_time } else { group.bucket_ms }).or_default().push(group);
    }
    let entries = buckets.into_iter().map(|(bucket, mut groups)| {
        groups.retain(|group| after_stop(&query.metric, &group.keys[0], false));
        groups.sort_by(|a, b| {
            compare_metric(&query.metric, a, b).then_with(|| compare_keys(&a.keys, &b.keys))
        });
        groups.truncate(query.threshold as usize);
        let result: Vec<Value> = groups.iter().map(|group| object(&group.fields)).collect();
        json!({"timestamp": query.granularity.format_bucket(bucket), "result": result})
    });
    entries.collect()
}

/// A number that is null comes last, inverted or not.
fn compare_metric(metric: &TopNMetric, left: &Group, right: &Group) -> Cmp {
    let is_null =
        |group: &Group| by_number(metric).is_some_and(|name| number(group, name) == Cell::Null);
    let order = is_null(left).cmp(&is_null(right));
    order.then_with(|| compare_values(metric, left, right))
}

fn by_number(metric: &TopNMetric) -> Option<&str> {
    match metric {
        TopNMetric::Inverted(inner) => by_number(inner),
        TopNMetric::Numeric(field) => Some(field),
        TopNMetric::Dimension { .. } => None,
    }
}

fn number(group: &Group, field: &str) -> Cell {
    group.fields.get(field).unwrap_or(&Cell::Null).clone()
}

fn compare_values(metric: &TopNMetric, left: &Group, right: &Group) -> Cmp {
    match metric {
        TopNMetric::Inverted(inner) => compare_values(inner, left, right).reverse(),
        TopNMetric::Numeric(field) => number(right, field).compare(&number(left, field)),
        TopNMetric::Dimension { ordering, .. } => {
            compare_dimension(*ordering, &left.keys[0], &right.keys[0])
        }
    }
}

fn compare_dimension(ordering: Ordering, left: &Cell, right: &Cell) -> Cmp {
    match (left, right) {
        (Cell::Text(_), _) | (_, Cell::Text(_)) => {}
        _ if ordering == Ordering::Numeric => return left.compare(right),
        _ => {}
    }
    henge_query::comparison::ordering::compare_nullable(
        ordering,
        left.text().as_deref(),
        right.text().as_deref(),
    )
}

fn after_stop(metric: &TopNMetric, key: &Cell, inverted: bool) -> bool {
    match metric {
        TopNMetric::Numeric(_) => true,
        TopNMetric::Inverted(inner) => after_stop(inner, key, !inverted),
        TopNMetric::Dimension { previous_stop: None, .. } => true,
        TopNMetric::Dimension { ordering, previous_stop: Some(stop) } => {
            let text = key.text();
            let order = henge_query::comparison::ordering::compare_nullable(
                *ordering,
                text.as_deref(),
                Some(stop),
            );
            order == if inverted { Cmp::Less } else { Cmp::Greater }
        }
    }
}

/// groupBy
pub(crate) fn group_by(query: &GroupByQuery, rows: &[&OracleRow]) -> Value {
    let grouping = Grouping {
        base: &query.base,
        granularity: &query.granularity,
        dimensions: &query.dimensions,
        aggregations: &query.aggregations,
        post_aggregations: &query.post_aggregations,
    };
    let all: Vec<usize> = (0..query.dimensions.len()).collect();
    let sets = query.subtotals.clone().unwrap_or_else(|| vec![all]);
    let dimensions_first = query.base.context.sort_by_dims_first;
    let mut groups: Vec<Group> = Vec::new();
    for set in &sets {
        let mut of_set = grouping.groups(rows, set);
        let is_single = query.dimensions.is_empty() && query.granularity == Granularity::All;
        if of_set.is_empty() && is_single && query.subtotals.is_none() {
            let start_ms = query.base.intervals.first().map_or(0, |interval| interval.start_ms);
            of_set.push(grouping.group(start_ms, Vec::new(), &[]));
        }
        for group in &mut of_set {
            tell_groupings(query, set, group);
            grouping.add_post_aggregations(group);
        }
        if dimensions_first {
            of_set
                .sort_by(|a, b| compare_keys(&a.keys, &b.keys).then(a.bucket_ms.cmp(&b.bucket_ms)));
        }
        groups.extend(of_set);
    }
    if let Some(having) = &query.having {
        groups.retain(|group| keeps(having, group));
    }
    let limit = query.limit_spec.clone().unwrap_or_default();
    if !limit.columns.is_empty() {
        groups.sort_by(|a, b| {
            let by_time = a.bucket_ms.cmp(&b.bucket_ms);
            let by_columns = compare_columns(&limit, a, b);
            if dimensions_first { by_columns.then(by_time) } else { by_time.then(by_columns) }
        });
    }
    let count = limit.limit.map_or(usize::MAX, |limit| limit as usize);
    let shown = groups.iter().skip(limit.offset as usize).take(count);
    shown.map(|group| group_json(query, group)).collect()
}

/// A bit for each dimension that is asked about: 1 when the set leaves it out.
fn tell_groupings(query: &GroupByQuery, set: &[usize], group: &mut Group) {
    for spec in &query.aggregations {
        let AggregatorKind::Grouping(asked) = &spec.kind else { continue };
        let mut value = 0;
        for name in &asked.groupings {
            let is_in = set.iter().any(|at| {
                let dimension = &query.dimensions[*at];
                dimension.dimension == *name || dimension.output_name == *name
            });
            value = 2 * value + i64::from(!is_in);
        }
        group.fields.insert(spec.name.clone(), Cell::Long(value));
    }
}

fn group_json(query: &GroupByQuery, group: &Group) -> Value {
    if !query.base.context.result_as_array {
        let timestamp = query.granularity.format_bucket(group.bucket_ms);
        return json!({"version": "v1", "timestamp": timestamp, "event": object(&group.fields)});
    }
    let names = query
        .dimensions
        .iter()
        .map(|d| d.output_name.as_str())
        .chain(query.aggregations.iter().map(|a| a.name.as_str()))
        .chain(query.post_aggregations.iter().map(|p| p.name()));
    let values = names.map(|name| group.fields.get(name).map_or(Value::Null, Cell::json));
    let time = (query.granularity != Granularity::All).then(|| json!(group.bucket_ms));
    time.into_iter().chain(values).collect()
}

fn compare_columns(limit: &LimitSpec, left: &Group, right: &Group) -> Cmp {
    let orders = limit.columns.iter().map(|column| {
        let order = match (left.fields.get(&column.column), right.fields.get(&column.column)) {
            (Some(Cell::Text(a)), Some(Cell::Text(b))) => {
                henge_query::comparison::ordering::compare(column.ordering, a, b)
            }
            (Some(a), Some(b)) => a.compare(b),
            _ => Cmp::Equal,
        };
        if column.direction == Direction::Descending { order.reverse() } else { order }
    });
    orders.fold(Cmp::Equal, Cmp::then)
}

fn keeps(having: &Having, group: &Group) -> bool {
    let get = |name: &str| match name {
        TIME_COLUMN => Cell::Long(group.bucket_ms),
        name => group.fields.get(name).cloned().unwrap_or(Cell::Null),
    };
    let order = |name: &str, value: &Literal| compare_number(&get(name), value);
    match having {
        Having::Always => true,
        Having::Never => false,
        Having::And(parts) => parts.iter().all(|part| keeps(part, group)),
        Having::Or(parts) => parts.iter().any(|part| keeps(part, group)),
        Having::Not(inner) => !keeps(inner, group),
        Having::GreaterThan { aggregation, value } => {
            order(aggregation, value) == Some(Cmp::Greater)
        }
        Having::LessThan { aggregation, value } => order(aggregation, value) == Some(Cmp::Less),
        Having::EqualTo { aggregation, value } => order(aggregation, value) == Some(Cmp::Equal),
        Having::DimSelector { dimension, value } => match (group.fields.get(dimension), value) {
            (None | Some(Cell::Null), value) => value.is_none(),
            (Some(_), None) => false,
            (Some(Cell::Text(text)), Some(value)) => text == value,
            (Some(cell), Some(value)) => {
                compare_number(cell, &Literal::String(value.clone())) == Some(Cmp::Equal)
            }
        },
        Having::Filter(filter) => test_with(filter, &|name| vec![get(name)]) == Some(true),
    }
}
