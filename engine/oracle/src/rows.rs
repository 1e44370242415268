//! scan, search and timeBoundary.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use henge_query::{
    Bound, Direction, ResultFormat, ScanKey, ScanQuery, SearchMatch, SearchQuery, TimeBoundaryQuery,
};
use henge_types::{Granularity, TIME_COLUMN, format_timestamp};
use serde_json::{Value, json};

use super::OracleRow;
use super::value::{Cell, column};

/// All rows that could be shown, in one entry. Rows come in the order asked for; which of several
/// rows that are alike in it (or, without an order, which rows at all) a limit keeps is not fixed, so
/// limit and offset are left to the comparison.
pub(crate) fn scan(query: &ScanQuery, rows: &[&OracleRow]) -> Value {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| in_order(query, a, b));
    let names = scanned_columns(query, &rows);
    let events = rows.iter().map(|row| {
        let values = names.iter().map(|name| {
            let cells = column(&query.base, row, name);
            match cells.as_slice() {
                [one] => one.json(),
                several => several.iter().map(Cell::json).collect(),
            }
        });
        match query.result_format {
            ResultFormat::List => {
                names.iter().cloned().zip(values).collect::<serde_json::Map<String, Value>>().into()
            }
            ResultFormat::CompactedList => values.collect::<Value>(),
        }
    });
    json!([{"columns": names, "events": events.collect::<Value>()}])
}

fn in_order(query: &ScanQuery, a: &OracleRow, b: &OracleRow) -> Ordering {
    let first = |row, key: &ScanKey| {
        column(&query.base, row, &key.column).into_iter().next().unwrap_or(Cell::Null)
    };
    let orders = query.order_by.iter().map(|key| {
        let order = first(a, key).compare(&first(b, key));
        if key.direction == Direction::Descending { order.reverse() } else { order }
    });
    orders.fold(Ordering::Equal, Ordering::then)
}

fn scanned_columns(query: &ScanQuery, rows: &[&OracleRow]) -> Vec<String> {
    if !query.columns.is_empty() {
        return query.columns.clone();
    }
    let mut names: BTreeSet<String> =
        rows.iter().flat_map(|row| row.values.keys().cloned()).collect();
    names.insert(TIME_COLUMN.to_owned());
    names.extend(query.base.virtual_columns.iter().map(|column| column.name.clone()));
    names.into_iter().collect()
}

/// search; dimensions must be named in the query.
pub(crate) fn search(query: &SearchQuery, rows: &[&OracleRow], ranges: &[(i64, i64)]) -> Value {
    let mut counts: BTreeMap<(i64, Option<String>, String), u64> = BTreeMap::new();
    for row in rows {
        let all = query.granularity == Granularity::All;
        let bucket = if all { 0 } else { query.granularity.bucket_start(row.time_ms) };
        for dimension in &query.search_dimensions {
            let cells = column(&query.base, row, &dimension.dimension);
            let values: BTreeSet<Option<String>> = cells.iter().map(Cell::text).collect();
            for value in values.into_iter().filter(|value| matches(&query.query, value.as_deref()))
            {
                *counts.entry((bucket, value, dimension.output_name.clone())).or_default() += 1;
            }
        }
    }
    let mut buckets: BTreeMap<i64, Vec<(Option<String>, String, u64)>> = BTreeMap::new();
    if query.granularity == Granularity::All && !clipped_starts(query, ranges).is_empty() {
        buckets.insert(0, Vec::new());
    }
    for ((bucket, value, dimension), count) in counts {
        buckets.entry(bucket).or_default().push((value, dimension, count));
    }
    let all_ms = clipped_starts(query, ranges).into_iter().min().unwrap_or(0);
    let entries = buckets.into_iter().map(|(bucket, mut hits)| {
        hits.sort_by(|a, b| {
            henge_query::comparison::ordering::compare_nullable(
                query.sort.0,
                a.0.as_deref(),
                b.0.as_deref(),
            )
            .then_with(|| (&a.0, &a.1).cmp(&(&b.0, &b.1)))
        });
        hits.truncate(query.limit as usize);
        let result: Vec<Value> = hits
            .iter()
            .map(|(value, dimension, count)| {
                json!({"dimension": dimension, "value": value, "count": count})
            })
            .collect();
        let bucket = if query.granularity == Granularity::All { all_ms } else { bucket };
        json!({"timestamp": query.granularity.format_bucket(bucket), "result": result})
    });
    entries.collect()
}

fn clipped_starts(query: &SearchQuery, ranges: &[(i64, i64)]) -> Vec<i64> {
    let pairs = query.base.intervals.iter().flat_map(|i| ranges.iter().map(move |r| (i, r)));
    pairs
        .filter(|(interval, (min, max))| *min < interval.end_ms && *max >= interval.start_ms)
        .map(|(interval, (min, _))| interval.start_ms.max(*min))
        .collect()
}

fn matches(query: &SearchMatch, value: Option<&str>) -> bool {
    let contains = |value: &str, part: &str, case_sensitive: bool| {
        if case_sensitive {
            value.contains(part)
        } else {
            value.to_lowercase().contains(&part.to_lowercase())
        }
    };
    match (query, value) {
        (SearchMatch::All, _) => true,
        (_, None) => false,
        (SearchMatch::Contains { value: part, case_sensitive }, Some(value)) => {
            contains(value, part, *case_sensitive)
        }
        (SearchMatch::Fragment { values, case_sensitive }, Some(value)) => {
            values.iter().all(|part| contains(value, part, *case_sensitive))
        }
        (SearchMatch::Regex(regex), Some(value)) => regex.is_match(value),
    }
}

/// timeBoundary
pub(crate) fn time_boundary(query: &TimeBoundaryQuery, rows: &[&OracleRow]) -> Value {
    let times = || rows.iter().map(|row| row.time_ms);
    let (Some(min), Some(max)) = (times().min(), times().max()) else { return json!([]) };
    let (min_text, max_text) = (format_timestamp(min), format_timestamp(max));
    match query.bound {
        None => json!([{
            "timestamp": min_text, "result": {"minTime": min_text, "maxTime": max_text}
        }]),
        Some(Bound::MinTime) => json!([{"timestamp": min_text, "result": {"minTime": min_text}}]),
        Some(Bound::MaxTime) => json!([{"timestamp": max_text, "result": {"maxTime": max_text}}]),
    }
}
