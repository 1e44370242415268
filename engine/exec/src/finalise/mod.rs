//! Finishing: a merged [`Partial`] becomes the rows of the answer and their JSON.
//!
//! Empty buckets, order, limits and post-aggregations are settled here, once, after all merging.
//! Nothing is built a row at a time: results stay columns and are written straight to bytes.

mod buckets;
mod fields;
mod group_by;
mod having;
mod json;
mod order;
mod post_aggregate;
mod scan;
mod search;
mod segment_metadata;
mod sort_keys;
mod states;
mod subtotals;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod time;
mod timeseries;
mod top_n;

#[cfg(test)]
mod tests;

pub(crate) use group_by::cut as cut_groups;

use henge_query::Query;
use henge_scan::{ExecError, Result};

use crate::context::ExecContext;
use crate::finalise::buckets::TimeForm;
use crate::partial::Partial;

/// A finished answer.
#[derive(Debug, Clone)]
pub struct FinalResult {
    kind: Kind,
    times: TimeForm,
}

#[derive(Debug, Clone)]
enum Kind {
    Timeseries(timeseries::TimeseriesResult),
    TopN(top_n::TopNResult),
    GroupBy(group_by::GroupByResult),
    Scan(scan::ScanResult),
    Search(search::SearchResult),
    TimeBoundary(time::TimeBoundaryResult),
    SegmentMetadata(segment_metadata::SegmentMetadataResult),
    DataSourceMetadata(Option<i64>),
}

/// Finishes a merged partial.
///
/// # Errors
/// When the query names unknown fields, makes too many buckets, or is stopped; when the partial is
/// another query's.
pub fn finalise(query: &Query, partial: Partial, ctx: &ExecContext) -> Result<FinalResult> {
    ctx.cancel.check()?;
    let kind = match (query, partial) {
        (Query::Timeseries(query), Partial::Grouped(partial)) => {
            Kind::Timeseries(timeseries::finalise(query, partial, ctx)?)
        }
        (Query::TopN(query), Partial::Grouped(partial)) => {
            Kind::TopN(top_n::finalise(query, &partial, ctx)?)
        }
        (Query::GroupBy(query), Partial::Grouped(partial)) => {
            Kind::GroupBy(group_by::finalise(query, partial, ctx)?)
        }
        (Query::Scan(query), Partial::Rows(partial)) => {
            Kind::Scan(scan::finalise(query, partial, ctx)?)
        }
        (Query::Search(query), Partial::Search(partial)) => {
            Kind::Search(search::finalise(query, partial))
        }
        (Query::TimeBoundary(query), Partial::TimeBoundary { min_ms, max_ms }) => {
            Kind::TimeBoundary(time::TimeBoundaryResult::new(query.bound, min_ms, max_ms))
        }
        (Query::SegmentMetadata(query), Partial::SegmentMetadata(analyses)) => {
            Kind::SegmentMetadata(segment_metadata::finalise(query, analyses))
        }
        (
            Query::DataSourceMetadata(_),
            Partial::DataSourceMetadata { max_ingested_event_time_ms },
        ) => Kind::DataSourceMetadata(max_ingested_event_time_ms),
        _ => return Err(ExecError::Internal("the partial is of another query type".to_owned())),
    };
    Ok(FinalResult { kind, times: TimeForm::of(query.base()) })
}

/// Told the length of a text as it grows, in bytes; may stop it.
pub type Grow<'g> = dyn FnMut(usize) -> Result<()> + 'g;

impl FinalResult {
    /// Appends Druid's result JSON: an array.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        // Without a bound nothing stops it.
        let _ = self.write_json_within(out, &mut |_| Ok(()));
    }

    /// As [`FinalResult::write_json`], row by row under an eye: `grow` is given the length after each
    /// row. The text may be many times the result, in which long values stand once.
    ///
    /// # Errors
    /// Whatever `grow` fails with; what was written is then of no use.
    pub fn write_json_within(&self, out: &mut Vec<u8>, grow: &mut Grow<'_>) -> Result<()> {
        match &self.kind {
            Kind::TopN(result) => return result.write_json(out, self.times, grow),
            Kind::GroupBy(result) => return result.write_json(out, self.times, grow),
            Kind::Scan(result) => return result.write_json(out, grow),
            Kind::Timeseries(result) => result.write_json(out, self.times),
            Kind::Search(result) => result.write_json(out, self.times),
            Kind::TimeBoundary(result) => result.write_json(out, self.times),
            Kind::SegmentMetadata(result) => result.write_json(out),
            Kind::DataSourceMetadata(max_ms) => {
                time::write_data_source_metadata(out, *max_ms, self.times);
            }
        }
        grow(out.len())
    }

    /// Number of rows: buckets of a timeseries, groups of topN and groupBy, rows of a scan, hits of
    /// a search, entries of the others.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match &self.kind {
            Kind::Timeseries(result) => result.len(),
            Kind::TopN(result) => result.len(),
            Kind::GroupBy(result) => result.len(),
            Kind::Scan(result) => result.len(),
            Kind::Search(result) => result.len(),
            Kind::TimeBoundary(result) => result.len(),
            Kind::SegmentMetadata(result) => result.len(),
            Kind::DataSourceMetadata(max_ms) => usize::from(max_ms.is_some()),
        }
    }
}
