//! The oracle: the same answers, computed row by row in the plainest way. For tests only.
//!
//! It shares no code with execution but the query model, expressions and the string orderings, so
//! that the law `finalise(merge(run(q, s_i))) == oracle(q, rows)` can fail. Distinct counts are
//! exact here; compare them with the sketches' error in mind.

mod aggregate;
mod filter;
mod group;
mod post;
mod result;
mod rows;
mod value;

use std::collections::BTreeMap;

use henge_query::Query;
use henge_types::Value;

pub use value::Cell;

/// What stands for a sum for which a query must fail.
pub const BEYOND_64_BITS: &str = "the sum is beyond 64 bits";

/// One stored row.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRow {
    /// `__time`.
    pub time_ms: i64,
    /// Dimensions and metrics by name; what is missing is null.
    pub values: BTreeMap<String, Value>,
}

/// Answers a query over the rows of one segment. Not for segmentMetadata and dataSourceMetadata,
/// which ask about segments: they answer null.
#[must_use]
pub fn answer(query: &Query, rows: &[OracleRow]) -> serde_json::Value {
    answer_segments(query, &[rows])
}

/// Answers a query over the rows of several segments. The split shows in one place only: empty time
/// buckets are filled from the first to the last row of each segment.
#[must_use]
pub fn answer_segments(query: &Query, segments: &[&[OracleRow]]) -> serde_json::Value {
    let ranges: Vec<(i64, i64)> = segments
        .iter()
        .filter_map(|rows| {
            let min = rows.iter().map(|row| row.time_ms).min()?;
            Some((min, rows.iter().map(|row| row.time_ms).max()?))
        })
        .collect();
    let rows: Vec<&OracleRow> = segments.iter().flat_map(|rows| rows.iter()).collect();
    let base = query.base();
    let passing: Vec<&OracleRow> = rows
        .into_iter()
        .filter(|row| base.intervals.iter().any(|interval| interval.contains(row.time_ms)))
        .filter(|row| {
            let filter = base.filter.as_ref();
            filter.is_none_or(|filter| filter::test(filter, base, row) == Some(true))
        })
        .collect();
    match query {
        Query::Timeseries(query) => result::timeseries(query, &passing, &ranges),
        Query::TopN(query) => result::top_n(query, &passing, &ranges),
        Query::GroupBy(query) => result::group_by(query, &passing),
        Query::Scan(query) => rows::scan(query, &passing),
        Query::Search(query) => rows::search(query, &passing, &ranges),
        Query::TimeBoundary(query) => rows::time_boundary(query, &passing),
        Query::SegmentMetadata(_) | Query::DataSourceMetadata(_) => serde_json::Value::Null,
    }
}
