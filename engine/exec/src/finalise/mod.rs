//! Finishing: a merged [`Partial`] becomes the rows of the [`Answer`], column by column.
//!
//! Empty buckets, order, limits and post-aggregations are settled here, once, after all merging.
//! What the rows are written as (JSON, Arrow) is decided elsewhere.

mod answer;
mod buckets;
mod field_type;
mod fields;
mod group_by;
mod having;
mod order;
mod post_aggregate;
mod quantiles;
mod scan;
mod search;
mod segment_metadata;
mod sort_keys;
mod states;
mod subtotals;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod timeseries;
mod top_n;

pub use answer::{Answer, Bucket, BucketedRows, Field, Table};
pub use field_type::FieldType;
pub(crate) use group_by::cut as cut_groups;
pub use scan::{Entry, Layout, ScanRows};

use henge_query::Query;
use henge_scan::{ExecError, Result};

use crate::context::ExecContext;
use crate::partial::Partial;

/// Finishes a merged partial.
///
/// # Errors
/// When the query names unknown fields, makes too many buckets, or is stopped; when the partial is
/// another query's.
pub fn finalise(query: &Query, partial: Partial, ctx: &ExecContext) -> Result<Answer> {
    ctx.cancel.check()?;
    Ok(match (query, partial) {
        (Query::Timeseries(query), Partial::Grouped(partial)) => {
            Answer::Rows(timeseries::finalise(query, partial, ctx)?)
        }
        (Query::TopN(query), Partial::Grouped(partial)) => {
            Answer::Buckets(top_n::finalise(query, &partial, ctx)?)
        }
        (Query::GroupBy(query), Partial::Grouped(partial)) => {
            Answer::Rows(group_by::finalise(query, partial, ctx)?)
        }
        (Query::Scan(query), Partial::Rows(partial)) => {
            Answer::Scan(scan::finalise(query, partial, ctx)?)
        }
        (Query::Search(query), Partial::Search(partial)) => {
            Answer::Buckets(search::finalise(query, partial))
        }
        (Query::TimeBoundary(query), Partial::TimeBoundary { min_ms, max_ms }) => {
            Answer::Rows(time::boundary(query.bound, min_ms, max_ms))
        }
        (Query::SegmentMetadata(query), Partial::SegmentMetadata(analyses)) => {
            Answer::SegmentMetadata(segment_metadata::finalise(query, analyses))
        }
        (
            Query::DataSourceMetadata(_),
            Partial::DataSourceMetadata { max_ingested_event_time_ms },
        ) => Answer::Rows(time::newest(max_ingested_event_time_ms)),
        _ => return Err(ExecError::Internal("the partial is of another query type".to_owned())),
    })
}
