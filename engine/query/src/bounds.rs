//! Bounds of a query's numbers and of its lists, whoever made it.

use crate::error::{QueryError, Result};
use crate::limits::{MAX_INTERVALS, MAX_LIST_ENTRIES, MAX_SUBTOTALS, MAX_TOP_N_THRESHOLD};
use crate::query::{ColumnInclusion, GroupByQuery, Query, QueryBase};

/// The first number or list that is out of bounds.
pub(crate) fn check(query: &Query) -> Result<()> {
    base(query.base())?;
    match query {
        Query::Timeseries(query) => {
            list("aggregations", query.aggregations.len())?;
            list("postAggregations", query.post_aggregations.len())
        }
        Query::TopN(query) => {
            list("aggregations", query.aggregations.len())?;
            list("postAggregations", query.post_aggregations.len())?;
            within("threshold", query.threshold, MAX_TOP_N_THRESHOLD.unsigned_abs())
        }
        Query::GroupBy(query) => group_by(query),
        Query::Scan(query) => {
            list("columns", query.columns.len())?;
            list("orderBy", query.order_by.len())?;
            within("batchSize", query.batch_size, u64::from(i32::MAX.unsigned_abs()))
        }
        Query::Search(query) => {
            list("searchDimensions", query.search_dimensions.len())?;
            within("limit", query.limit, u64::MAX)
        }
        Query::SegmentMetadata(query) => match &query.to_include {
            ColumnInclusion::List(columns) => list("toInclude.columns", columns.len()),
            ColumnInclusion::All | ColumnInclusion::None => Ok(()),
        },
        Query::TimeBoundary(_) | Query::DataSourceMetadata(_) => Ok(()),
    }
}

fn base(base: &QueryBase) -> Result<()> {
    let intervals = &base.intervals;
    if intervals.len() > MAX_INTERVALS {
        let message = format!("more than {MAX_INTERVALS} intervals");
        return Err(QueryError::invalid("intervals", message));
    }
    let ordered = intervals.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms);
    if !ordered || intervals.iter().any(|interval| interval.start_ms > interval.end_ms) {
        let message = "must ascend without overlaps; QueryBase::new puts them in order";
        return Err(QueryError::invalid("intervals", message));
    }
    list("virtualColumns", base.virtual_columns.len())
}

fn group_by(query: &GroupByQuery) -> Result<()> {
    list("dimensions", query.dimensions.len())?;
    list("aggregations", query.aggregations.len())?;
    list("postAggregations", query.post_aggregations.len())?;
    let sets = query.subtotals.as_deref().unwrap_or_default();
    if sets.len() > MAX_SUBTOTALS {
        let message = format!("more than {MAX_SUBTOTALS} grouping sets");
        return Err(QueryError::invalid("subtotalsSpec", message));
    }
    match sets.iter().flatten().find(|position| **position >= query.dimensions.len()) {
        Some(position) => {
            let message = format!("there is no dimension {position}");
            Err(QueryError::invalid("subtotalsSpec", message))
        }
        None => Ok(()),
    }
}

/// A list that may not grow without bound.
pub(crate) fn list(path: &str, entries: usize) -> Result<()> {
    if entries <= MAX_LIST_ENTRIES {
        return Ok(());
    }
    let message = format!("holds {entries} entries; at most {MAX_LIST_ENTRIES} are allowed");
    Err(QueryError::invalid(path, message))
}

fn within(path: &str, number: u64, most: u64) -> Result<()> {
    if (1..=most).contains(&number) {
        return Ok(());
    }
    let message = format!("must be from 1 to {most}, but is {number}");
    Err(QueryError::invalid(path, message))
}

#[cfg(test)]
mod tests {
    use henge_types::{Interval, ValueType};

    use crate::datasource::DataSource;
    use crate::dimension::DimensionSpec;
    use crate::query::{GroupByQuery, Query, QueryBase, ScanQuery, TopNMetric, TopNQuery};

    fn base() -> QueryBase {
        let intervals = [(5, 9), (0, 3), (2, 4)];
        let intervals = intervals.map(|(start_ms, end_ms)| Interval { start_ms, end_ms });
        QueryBase::new(DataSource::Table("t".to_owned()), intervals.to_vec())
    }

    fn dimension() -> DimensionSpec {
        let name = || "d".to_owned();
        DimensionSpec { dimension: name(), output_name: name(), output_type: ValueType::String }
    }

    fn refusal(query: &Query) -> String {
        query.validate().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn queries_of_programs_are_held_to_what_json_is_held_to() {
        assert_eq!(refusal(&Query::Scan(ScanQuery::new(base()))), "");
        let scan = ScanQuery { batch_size: 0, ..ScanQuery::new(base()) };
        assert!(refusal(&Query::Scan(scan)).contains("batchSize: must be from 1 to 2147483647"));
        let mut backwards = base();
        backwards.intervals.reverse();
        let refused = refusal(&Query::Scan(ScanQuery::new(backwards)));
        assert!(refused.contains("must ascend without overlaps"), "{refused}");
        let metric = || TopNMetric::Dimension { ordering: Default::default(), previous_stop: None };
        let top = |threshold| TopNQuery::new(base(), dimension(), metric(), threshold, vec![]);
        assert_eq!(refusal(&Query::TopN(top(1))), "");
        for threshold in [0, u64::MAX] {
            let refused = refusal(&Query::TopN(top(threshold)));
            assert!(refused.contains("threshold: must be from 1 to 1000000000"), "{refused}");
        }
        let mut groups = GroupByQuery::new(base(), vec![dimension()], vec![]);
        groups.subtotals = Some(vec![vec![0], vec![1]]);
        assert!(refusal(&Query::GroupBy(groups)).contains("there is no dimension 1"));
        let many = GroupByQuery::new(base(), vec![dimension(); 10_001], vec![]);
        assert!(refusal(&Query::GroupBy(many)).contains("dimensions: holds 10001 entries"));
    }
}
