//! Queries that do not group: scan, search, segmentMetadata and dataSourceMetadata.

pub(crate) mod batch_order;
mod builder;
mod data_source_metadata;
mod order_key;
mod scan;
pub(crate) mod search;
mod search_counts;
pub(crate) mod segment_metadata;
mod top_rows;

use henge_query::Query;
use henge_scan::{ExecError, Result};
use henge_segment::SegmentView;

use crate::context::ExecContext;
use crate::partial::Partial;
use crate::scan_bound::ScanBound;

/// What one segment contributes to a query of this kind.
/// Other segments of the query may say through `bound` which rows it does not want.
pub(crate) fn run(
    query: &Query,
    view: &dyn SegmentView,
    bound: Option<&ScanBound>,
    ctx: &ExecContext,
) -> Result<Partial> {
    match query {
        Query::Scan(query) => scan::run(query, view, bound, ctx).map(Partial::Rows),
        Query::Search(query) => search::run(query, view, ctx).map(Partial::Search),
        Query::SegmentMetadata(query) => {
            segment_metadata::run(query, view, ctx).map(Partial::SegmentMetadata)
        }
        Query::DataSourceMetadata(_) => Ok(data_source_metadata::run(view)),
        _ => Err(ExecError::Internal("not a query over rows".to_owned())),
    }
}

/// Merges the partials of a query of this kind; without any, the empty partial.
pub(crate) fn merge(query: &Query, partials: Vec<Partial>, ctx: &ExecContext) -> Result<Partial> {
    match query {
        Query::Scan(query) => {
            let parts = collect(partials, |partial| match partial {
                Partial::Rows(rows) => Some(rows),
                _ => None,
            })?;
            scan::merge(query, parts, ctx).map(Partial::Rows)
        }
        Query::Search(query) => {
            let parts = collect(partials, |partial| match partial {
                Partial::Search(hits) => Some(hits),
                _ => None,
            })?;
            Ok(Partial::Search(search::merge(query, parts)))
        }
        Query::SegmentMetadata(query) => {
            let parts = collect(partials, |partial| match partial {
                Partial::SegmentMetadata(analyses) => Some(analyses),
                _ => None,
            })?;
            let analyses = parts.into_iter().flatten().collect();
            Ok(Partial::SegmentMetadata(segment_metadata::merge_analyses(query, analyses)))
        }
        Query::DataSourceMetadata(_) => {
            let newest = collect(partials, |partial| match partial {
                Partial::DataSourceMetadata { max_ingested_event_time_ms } => {
                    Some(max_ingested_event_time_ms)
                }
                _ => None,
            })?;
            Ok(data_source_metadata::merge(newest))
        }
        _ => Err(ExecError::Internal("not a query over rows".to_owned())),
    }
}

fn collect<T>(partials: Vec<Partial>, pick: impl Fn(Partial) -> Option<T>) -> Result<Vec<T>> {
    let picked = partials.into_iter().map(|partial| {
        pick(partial)
            .ok_or_else(|| ExecError::Internal("the partial is of another query type".to_owned()))
    });
    picked.collect()
}
