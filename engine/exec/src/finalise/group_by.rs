//! `groupBy`: `having`, order, limit and grouping sets over merged groups.

use henge_query::{Direction, GroupByQuery, LimitSpec};
use henge_scan::Result;
use henge_types::Granularity;
use henge_types::narrow::narrow;
use henge_vector::Column;

use crate::context::ExecContext;
use crate::finalise::answer::Table;
use crate::finalise::fields::{Fields, Frame};
use crate::finalise::order::RowOrder;
use crate::finalise::sort_keys::{sort_keys, time_keys};
use crate::finalise::states::push_identities;
use crate::finalise::{having, subtotals};
use crate::partial::GroupedPartial;

/// Finishes a groupBy. With granularity `all` its rows have no time: they are of the whole.
pub(crate) fn finalise(
    query: &GroupByQuery,
    partial: GroupedPartial,
    context: &ExecContext,
) -> Result<Table> {
    let (partial, sets) = match &query.subtotals {
        Some(sets) => {
            let expanded = subtotals::expand(query, sets, &partial, context)?;
            (expanded.partial, Some(expanded.set_of_group))
        }
        None => (over_nothing(query, partial)?, None),
    };
    let limit = query.limit_spec.clone().unwrap_or_default();
    let mut rows = first_rows(query, &limit, &partial, sets, context)?;
    let offset = usize::try_from(limit.offset).unwrap_or(usize::MAX);
    rows.drain(..offset.min(rows.len()));

    let fields = Fields::of_groups(query).stopped_by(&context.cancel);
    let starts = partial.bucket_starts.pick(&rows);
    let times = match query.granularity {
        Granularity::All => None,
        _ => Some(Column::longs(starts.into_shown(query.base.start_ms()), None)),
    };
    Table::of(times, Frame::new(&fields, &partial, &rows))
}

/// The groups of a part of the answer that can be in the whole of it. Not for grouping sets.
pub(crate) fn cut(
    query: &GroupByQuery,
    partial: &GroupedPartial,
    context: &ExecContext,
) -> Result<GroupedPartial> {
    let limit = query.limit_spec.clone().unwrap_or_default();
    let rows = first_rows(query, &limit, partial, None, context)?;
    Ok(partial.pick(&rows))
}

/// The groups that `having` lets through, as many as limit and offset want, in the answer's order.
fn first_rows(
    query: &GroupByQuery,
    limit: &LimitSpec,
    partial: &GroupedPartial,
    sets: Option<Vec<u64>>,
    context: &ExecContext,
) -> Result<Vec<u32>> {
    let fields = Fields::of_groups(query).stopped_by(&context.cancel);
    let all: Vec<u32> = (0..narrow(partial.group_count())).collect();
    let count = limit.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let offset = usize::try_from(limit.offset).unwrap_or(usize::MAX);
    let count = count.saturating_add(offset);
    let Some(having) = &query.having else {
        return in_order(
            query,
            limit,
            partial,
            sets,
            &mut Frame::new(&fields, partial, &all),
            count,
        );
    };
    // What is left is put in order, the rest need not be.
    let kept = having::keep_rows(having, &mut Frame::new(&fields, partial, &all))?;
    context.cancel.check()?;
    let sets = sets.map(|sets| kept.iter().map(|&row| sets[row as usize]).collect());
    let left = partial.pick(&kept);
    let mut frame = Frame::new(&fields, &left, &all[..kept.len()]);
    let rows = in_order(query, limit, &left, sets, &mut frame, count)?;
    Ok(rows.into_iter().map(|row| kept[row as usize]).collect())
}

/// The first groups in the answer's order.
fn in_order(
    query: &GroupByQuery,
    limit: &LimitSpec,
    partial: &GroupedPartial,
    sets: Option<Vec<u64>>,
    frame: &mut Frame<'_>,
    count: usize,
) -> Result<Vec<u32>> {
    let mut rows = frame.rows().to_vec();
    let order = row_order(query, limit, partial, sets, frame)?;
    order.keep_first(&mut rows, count);
    Ok(rows)
}

/// Without dimensions and time buckets there is one group, also over no rows.
fn over_nothing(query: &GroupByQuery, mut partial: GroupedPartial) -> Result<GroupedPartial> {
    let is_single = query.dimensions.is_empty() && query.granularity == Granularity::All;
    if is_single && partial.group_count() == 0 {
        let start_ms = query.base.start_ms();
        push_identities(&mut partial, &query.aggregations, &[start_ms])?;
    }
    Ok(partial)
}

/// The order of rows. Without columns: grouping set, time, dimensions. With columns: time before
/// them unless `sortByDimsFirst` says after.
fn row_order<'p>(
    query: &GroupByQuery,
    limit: &LimitSpec,
    partial: &'p GroupedPartial,
    sets: Option<Vec<u64>>,
    frame: &mut Frame<'_>,
) -> Result<RowOrder<'p>> {
    let dimensions_first = query.base.context.sort_by_dims_first;
    let mut order = RowOrder::new(partial, dimensions_first);
    let has_buckets = query.granularity != Granularity::All;
    if limit.columns.is_empty() {
        order.push_optional(sets);
        if has_buckets && !dimensions_first {
            order.push(time_keys(partial.bucket_starts.at()), false);
        }
        // Ranks make a full sort integer work; for a few rows the natural order's own comparison
        // is cheaper than ranking every value.
        if limit.limit.is_none() {
            for keys in &partial.keys {
                order.push(sort_keys(keys, Default::default()), false);
            }
        }
        return Ok(order);
    }
    if has_buckets && !dimensions_first {
        order.push(time_keys(partial.bucket_starts.at()), false);
    }
    for column in &limit.columns {
        let position = frame.require(&column.column)?;
        let keys = sort_keys(frame.column(position)?, column.ordering);
        order.push(keys, column.direction == Direction::Descending);
    }
    if has_buckets && dimensions_first {
        order.push(time_keys(partial.bucket_starts.at()), false);
    }
    order.push_optional(sets);
    Ok(order)
}
