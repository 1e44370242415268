//! `search`: hits by bucket, in the query's order.

use henge_query::SearchQuery;
use henge_types::{Granularity, TIME_COLUMN};
use henge_vector::{Column, Text};

use crate::finalise::answer::{Bucket, BucketedRows, Field, Table, times_of};
use crate::partial_rows::SearchPartial;
use crate::rows::search::order_and_limit;

/// Finishes a search.
pub(crate) fn finalise(query: &SearchQuery, partial: SearchPartial) -> BucketedRows {
    let mut hits = partial.hits;
    order_and_limit(query, &mut hits);
    let start_of_all = partial.data_start_ms.filter(|_| query.granularity == Granularity::All);
    let buckets = match start_of_all {
        Some(start_ms) => vec![Bucket { start_ms, end_row: hits.len() }],
        None => {
            let mut end_row = 0;
            let runs = hits.chunk_by(|a, b| a.bucket_start_ms == b.bucket_start_ms);
            let buckets = runs.map(|run| {
                end_row += run.len();
                Bucket { start_ms: run[0].bucket_start_ms, end_row }
            });
            buckets.collect()
        }
    };
    let counts = hits.iter().map(|hit| i64::try_from(hit.count).unwrap_or(i64::MAX));
    let fields = vec![
        Field::time(TIME_COLUMN, times_of(&buckets)),
        Field::new(
            "dimension",
            Column::Text(Text::of(hits.iter().map(|hit| Some(&*hit.dimension)))),
        ),
        Field::new("value", Column::Text(Text::of(hits.iter().map(|hit| hit.value.as_deref())))),
        Field::new("count", Column::longs(counts.collect(), None)),
    ];
    BucketedRows { table: Table::new(fields, hits.len()), buckets }
}
