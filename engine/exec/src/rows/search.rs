//! `search`: the dimension values that match, and how many rows hold them. Values are tested once
//! each; rows are counted from bitmaps where the query covers whole segments, else by reading.

use std::sync::Arc;

use henge_query::comparison::ordering::compare_nullable;
use henge_query::{DimensionSpec, SearchMatch, SearchQuery};
use henge_scan::{Columns, Result, SelectedRows, Source};
use henge_segment::{SegmentView, StringColumn};
use henge_types::{Granularity, Interval, ValueType};
use rustc_hash::FxHashMap;

use crate::context::ExecContext;
use crate::partial_rows::{SearchHit, SearchPartial};
use crate::rows::search_counts::{Buckets, DimensionCounter};

/// The hits in one segment.
pub(crate) fn run(
    query: &SearchQuery,
    view: &dyn SegmentView,
    context: &ExecContext,
) -> Result<SearchPartial> {
    let data_start_ms = data_start(query, view);
    let mut hits = Vec::new();
    let dimensions = searched_dimensions(query, view);
    let columns = Columns::new(view, &query.base.virtual_columns, &context.cancel);
    let whole_bucket = whole_segment_bucket(query, view);
    let mut counters = Vec::new();
    for dimension in &dimensions {
        context.cancel.check()?;
        let name: Arc<str> = Arc::from(dimension.output_name.as_str());
        match (columns.resolve(&dimension.dimension)?, whole_bucket) {
            (Source::Missing | Source::Complex(_), _) => {}
            (Source::String(column), Some(bucket))
                if count_by_bitmaps(query, column, &name, bucket, &mut hits)? => {}
            (source, _) => counters.push(DimensionCounter::new(name, source, &columns)?),
        }
    }
    if !counters.is_empty() && data_start_ms.is_some() {
        count_by_reading(query, view, context, &mut counters)?;
        for counter in counters {
            counter.finish(&query.query, &mut hits)?;
        }
    }
    order_and_limit(query, &mut hits);
    Ok(SearchPartial { hits, data_start_ms })
}

fn count_by_reading(
    query: &SearchQuery,
    view: &dyn SegmentView,
    context: &ExecContext,
    counters: &mut [DimensionCounter<'_>],
) -> Result<()> {
    let mut selected =
        SelectedRows::new(&query.base, view, &context.cancel, context.dictionaries.as_ref())?;
    let mut buckets = Buckets::new(&query.granularity, view)?;
    for block in 0..view.block_count() {
        context.cancel.check()?;
        let rows = selected.block(block)?;
        if rows.is_empty() {
            continue;
        }
        for (bucket_start_ms, rows) in buckets.split(block, rows)? {
            let rows = rows.selection();
            for counter in counters.iter_mut() {
                counter.count(block, rows, bucket_start_ms)?;
            }
        }
        let used: usize = counters.iter().map(DimensionCounter::memory_bytes).sum();
        context.check_budget(used, "counted values", "search fewer dimensions")?;
    }
    Ok(())
}

/// The dimensions asked for; by default all of the segment's.
fn searched_dimensions(query: &SearchQuery, view: &dyn SegmentView) -> Vec<DimensionSpec> {
    if !query.search_dimensions.is_empty() {
        return query.search_dimensions.clone();
    }
    let specs = view.schema().dimensions().map(|column| DimensionSpec {
        dimension: column.name.clone(),
        output_name: column.name.clone(),
        output_type: ValueType::String,
    });
    specs.collect()
}

/// The first moment of the segment's data within the query's intervals. One that was cut away is
/// empty and holds no data, wherever it lies.
fn data_start(query: &SearchQuery, view: &dyn SegmentView) -> Option<i64> {
    let (min_ms, max_ms) = view.time_range()?;
    let meets = |i: &&Interval| !i.is_empty() && i.start_ms <= max_ms && min_ms < i.end_ms;
    let meeting = query.base.intervals.iter().filter(meets);
    meeting.map(|interval| interval.start_ms.max(min_ms)).min()
}

/// The bucket of all rows, when the query asks for all rows of the segment and they share one.
fn whole_segment_bucket(query: &SearchQuery, view: &dyn SegmentView) -> Option<i64> {
    let (min_ms, max_ms) = view.time_range()?;
    let covered = query.base.intervals.iter().any(|i| i.contains(min_ms) && i.contains(max_ms));
    let bucket = bucket_start(&query.granularity, min_ms);
    (query.base.filter.is_none() && covered && bucket == bucket_start(&query.granularity, max_ms))
        .then_some(bucket)
}

/// The start of a bucket; one constant for `all`.
pub(crate) fn bucket_start(granularity: &Granularity, ms: i64) -> i64 {
    if *granularity == Granularity::All { 0 } else { granularity.bucket_start(ms) }
}

/// Counts from bitmaps. False, and no hits, when the column has none.
fn count_by_bitmaps(
    query: &SearchQuery,
    column: &dyn StringColumn,
    name: &Arc<str>,
    bucket_start_ms: i64,
    hits: &mut Vec<SearchHit>,
) -> Result<bool> {
    // A row without values reads as null but may be in no bitmap, so null is counted by reading.
    if matches!(query.query, SearchMatch::All) && column.is_multi_value() && column.has_nulls() {
        return Ok(false);
    }
    let dictionary = column.dictionary();
    let mut matching = Vec::new();
    dictionary.for_each(0..dictionary.len(), &mut |id, value| {
        if matches_value(&query.query, value) {
            matching.push((id, value.map(str::to_owned)));
        }
    })?;
    let first = hits.len();
    for (id, value) in matching {
        let Some(bitmap) = column.bitmap(id)? else {
            hits.truncate(first);
            return Ok(false);
        };
        if !bitmap.is_empty() {
            let (dimension, count) = (name.clone(), bitmap.len());
            hits.push(SearchHit { bucket_start_ms, dimension, value, count });
        }
    }
    Ok(true)
}

/// True when a value is looked for. Only `all` finds null.
pub(crate) fn matches_value(query: &SearchMatch, value: Option<&str>) -> bool {
    let Some(value) = value else {
        return matches!(query, SearchMatch::All);
    };
    match query {
        SearchMatch::All => true,
        SearchMatch::Contains { value: part, case_sensitive } => {
            contains(value, part, *case_sensitive)
        }
        SearchMatch::Fragment { values, case_sensitive } => {
            values.iter().all(|part| contains(value, part, *case_sensitive))
        }
        SearchMatch::Regex(regex) => regex.is_match(value),
    }
}

fn contains(value: &str, part: &str, case_sensitive: bool) -> bool {
    if case_sensitive || part.is_empty() {
        value.contains(part)
    } else if value.is_ascii() && part.is_ascii() {
        value
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    } else {
        value.to_lowercase().contains(&part.to_lowercase())
    }
}

/// Adds up the hits of several partials.
pub(crate) fn merge(query: &SearchQuery, partials: Vec<SearchPartial>) -> SearchPartial {
    let data_start_ms = partials.iter().filter_map(|partial| partial.data_start_ms).min();
    let mut counts: FxHashMap<(i64, Arc<str>, Option<String>), u64> = FxHashMap::default();
    for hit in partials.into_iter().flat_map(|partial| partial.hits) {
        *counts.entry((hit.bucket_start_ms, hit.dimension, hit.value)).or_default() += hit.count;
    }
    let mut hits: Vec<SearchHit> = counts
        .into_iter()
        .map(|((bucket_start_ms, dimension, value), count)| SearchHit {
            bucket_start_ms,
            dimension,
            value,
            count,
        })
        .collect();
    order_and_limit(query, &mut hits);
    SearchPartial { hits, data_start_ms }
}

/// Sorts hits by bucket, value and dimension and keeps the limit in each bucket. As the order does
/// not look at counts, no hit of the final answer is ever dropped from a part of it.
pub(crate) fn order_and_limit(query: &SearchQuery, hits: &mut Vec<SearchHit>) {
    hits.sort_by(|a, b| {
        a.bucket_start_ms
            .cmp(&b.bucket_start_ms)
            .then_with(|| compare_nullable(query.sort.0, a.value.as_deref(), b.value.as_deref()))
            .then_with(|| a.value.cmp(&b.value))
            .then_with(|| a.dimension.cmp(&b.dimension))
    });
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let (mut bucket, mut kept) = (None, 0);
    hits.retain(|hit| {
        if bucket != Some(hit.bucket_start_ms) {
            (bucket, kept) = (Some(hit.bucket_start_ms), 0);
        }
        kept += 1;
        kept <= limit
    });
}
