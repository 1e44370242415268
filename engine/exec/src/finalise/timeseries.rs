//! `timeseries`: one row a time bucket, empty buckets included, with an optional grand total.

use henge_query::TimeseriesQuery;
use henge_scan::Result;
use henge_types::Granularity;
use henge_types::narrow::narrow;
use henge_vector::Column;

use crate::bucket_starts::BucketStarts;
use crate::context::ExecContext;
use crate::finalise::answer::Table;
use crate::finalise::buckets::{filled_starts, start_of_all};
use crate::finalise::fields::{Fields, Frame};
use crate::finalise::states::{NO_TIME_MS, push_identities};
use crate::merge::regroup;
use crate::partial::GroupedPartial;
use crate::partial::copies;

/// Finishes a timeseries.
pub(crate) fn finalise(
    query: &TimeseriesQuery,
    mut partial: GroupedPartial,
    context: &ExecContext,
) -> Result<Table> {
    let mut rows = shown_rows(query, &mut partial, context)?;
    if query.descending {
        rows.reverse();
    }
    if let Some(limit) = query.limit {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if query.base.context.grand_total {
        rows.push(push_grand_total(query, &mut partial, &rows, context)?);
    }
    let time_field = query.base.context.timestamp_result_field.as_deref();
    let (aggregations, posts) = (&query.aggregations, &query.post_aggregations);
    let fields = Fields::new(time_field, &[], aggregations, posts, &query.base.context)
        .stopped_by(&context.cancel);
    let starts = partial.bucket_starts.at();
    let times = rows.iter().map(|&row| Some(starts[row as usize]).filter(|ms| *ms != NO_TIME_MS));
    Table::of(Some(Column::Long(times.collect())), Frame::new(&fields, &partial, &rows))
}

/// The groups to show, oldest first; groups are appended for the empty buckets among them.
fn shown_rows(
    query: &TimeseriesQuery,
    partial: &mut GroupedPartial,
    context: &ExecContext,
) -> Result<Vec<u32>> {
    let skip_empty = query.base.context.skip_empty_buckets;
    let group_count = partial.group_count();
    let time = start_of_all(&query.base, partial);
    let starts = std::mem::take(&mut partial.bucket_starts).into_shown(time);
    partial.bucket_starts = BucketStarts::At(starts);
    if query.granularity == Granularity::All {
        if group_count == 0 && !skip_empty {
            push_identities(partial, &query.aggregations, &[time])?;
        }
    } else if !skip_empty {
        let mut present = partial.bucket_starts.at().to_vec();
        present.sort_unstable();
        let mut empty = filled_starts(&query.granularity, partial, context)?;
        empty.retain(|start| present.binary_search(start).is_err());
        push_identities(partial, &query.aggregations, &empty)?;
    }
    let mut rows: Vec<u32> = (0..narrow(partial.group_count())).collect();
    rows.sort_unstable_by_key(|&row| partial.bucket_starts.get(row as usize));
    Ok(rows)
}

/// Appends a group over all shown rows.
fn push_grand_total(
    query: &TimeseriesQuery,
    partial: &mut GroupedPartial,
    rows: &[u32],
    context: &ExecContext,
) -> Result<u32> {
    let shown = GroupedPartial {
        bucket_starts: BucketStarts::At(vec![NO_TIME_MS; rows.len()]),
        keys: Vec::new(),
        states: copies(&partial.states, rows, 1),
        data_range_ms: Vec::new(),
    };
    let total = regroup(&query.aggregations, shown, context)?;
    let row = narrow(partial.group_count());
    if total.group_count() == 0 {
        push_identities(partial, &query.aggregations, &[NO_TIME_MS])?;
    } else {
        partial.bucket_starts.push(NO_TIME_MS);
        for (state, total) in partial.states.iter_mut().zip(&total.states) {
            state.append(total)?;
        }
    }
    Ok(row)
}
