//! `topN`: the best groups of one dimension, by time bucket. Only the groups that are kept are
//! finished; finding them takes linear time.

use std::collections::BTreeMap;

use henge_query::comparison::ordering::compare_nullable;
use henge_query::{Ordering, TopNMetric, TopNQuery};
use henge_scan::Result;
use henge_types::Granularity;
use henge_types::narrow::narrow;
use henge_vector::Column;

use crate::context::ExecContext;
use crate::finalise::answer::{Bucket, BucketedRows};
use crate::finalise::buckets::{filled_starts, start_of_all};
use crate::finalise::fields::{Fields, Frame};
use crate::finalise::order::RowOrder;
use crate::finalise::sort_keys::sort_keys;
use crate::partial::GroupedPartial;

/// Finishes a topN.
pub(crate) fn finalise(
    query: &TopNQuery,
    partial: &GroupedPartial,
    context: &ExecContext,
) -> Result<BucketedRows> {
    let dimensions = std::slice::from_ref(&query.dimension);
    let (aggregations, posts) = (&query.aggregations, &query.post_aggregations);
    let fields = Fields::new(None, dimensions, aggregations, posts, &query.base.context)
        .stopped_by(&context.cancel);
    let metric = Metric::of(&query.metric);
    let all: Vec<u32> = (0..narrow(partial.group_count())).collect();
    let mut order = RowOrder::new(partial, false);
    metric.order(&fields, partial, &all, &mut order)?;

    let threshold = usize::try_from(query.threshold).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    let mut buckets = Vec::new();
    for (start_ms, mut bucket_rows) in rows_by_bucket(query, partial, all, context)? {
        context.cancel.check()?;
        metric.drop_until_stop(partial, &mut bucket_rows);
        order.keep_first(&mut bucket_rows, threshold);
        rows.append(&mut bucket_rows);
        buckets.push(Bucket { start_ms, end_row: rows.len() });
    }
    BucketedRows::new(buckets, Frame::new(&fields, partial, &rows))
}

/// The groups of each bucket, oldest first, with the empty buckets between the data's ends.
fn rows_by_bucket(
    query: &TopNQuery,
    partial: &GroupedPartial,
    all: Vec<u32>,
    context: &ExecContext,
) -> Result<BTreeMap<i64, Vec<u32>>> {
    if query.granularity == Granularity::All {
        return Ok(BTreeMap::from([(start_of_all(&query.base, partial), all)]));
    }
    let starts = filled_starts(&query.granularity, partial, context)?;
    let mut buckets: BTreeMap<i64, Vec<u32>> =
        starts.into_iter().map(|start| (start, Vec::new())).collect();
    for (row, start) in all.into_iter().zip(partial.bucket_starts.at()) {
        buckets.entry(*start).or_default().push(row);
    }
    Ok(buckets)
}

/// The metric, with inversions counted out.
struct Metric<'q> {
    /// An aggregator's name, or `None` for the dimension itself.
    field: Option<&'q str>,
    ordering: Ordering,
    previous_stop: Option<&'q str>,
    descending: bool,
}

impl<'q> Metric<'q> {
    fn of(metric: &'q TopNMetric) -> Self {
        match metric {
            TopNMetric::Numeric(field) => Self {
                field: Some(field),
                ordering: Ordering::Numeric,
                previous_stop: None,
                descending: true,
            },
            TopNMetric::Dimension { ordering, previous_stop } => Self {
                field: None,
                ordering: *ordering,
                previous_stop: previous_stop.as_deref(),
                descending: false,
            },
            TopNMetric::Inverted(inner) => {
                let inner = Self::of(inner);
                Self { descending: !inner.descending, ..inner }
            }
        }
    }

    /// Appends the keys that groups are ranked by. A number that is null comes last, inverted or not,
    /// as in Druid.
    fn order(
        &self,
        fields: &Fields<'_>,
        partial: &GroupedPartial,
        all: &[u32],
        order: &mut RowOrder<'_>,
    ) -> Result<()> {
        let Some(field) = self.field else {
            order.push(self.keys_of_dimension(partial, all), self.descending);
            return Ok(());
        };
        let mut frame = Frame::new(fields, partial, all);
        let position = frame.require(field)?;
        let values = frame.column(position)?;
        if !self.descending {
            order.push((0..values.len()).map(|row| values.is_null(row).into()).collect(), false);
        }
        order.push(sort_keys(values, Ordering::Numeric), self.descending);
        Ok(())
    }

    fn keys_of_dimension(&self, partial: &GroupedPartial, all: &[u32]) -> Vec<u64> {
        match partial.keys.first() {
            // Numbers ordered as text: by their text.
            Some(keys @ (Column::Long(_) | Column::Double(_) | Column::WideFloat(_)))
                if self.ordering != Ordering::Numeric =>
            {
                let texts = all.iter().map(|&row| keys.text(row as usize).as_deref().into());
                sort_keys(&Column::Mixed(texts.collect()), self.ordering)
            }
            Some(keys) => sort_keys(keys, self.ordering),
            None => vec![0; all.len()],
        }
    }

    /// Drops the values up to and including the previous page's last.
    fn drop_until_stop(&self, partial: &GroupedPartial, rows: &mut Vec<u32>) {
        let (Some(stop), Some(keys)) = (self.previous_stop, partial.keys.first()) else {
            return;
        };
        rows.retain(|&row| {
            let value = keys.text(row as usize);
            let order = compare_nullable(self.ordering, value.as_deref(), Some(stop));
            if self.descending { order.is_lt() } else { order.is_gt() }
        });
    }
}
