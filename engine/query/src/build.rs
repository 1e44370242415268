//! Queries that programs make: constructors with the defaults that JSON has, which the parser takes from
//! here. What is changed afterwards [`Query::validate`] checks, as for a query that was parsed.
//!
//! [`Query::validate`]: crate::Query::validate

use henge_types::{Granularity, Interval, condense};

use crate::aggregate::AggregatorSpec;
use crate::context::QueryContext;
use crate::datasource::DataSource;
use crate::dimension::DimensionSpec;
use crate::query::{
    Analysis, ColumnInclusion, GroupByQuery, QueryBase, ResultFormat, ScanQuery, SearchMatch,
    SearchQuery, SearchSort, SegmentMetadataQuery, TimeseriesQuery, TopNMetric, TopNQuery,
};

impl QueryBase {
    /// All rows of some time. Overlapping intervals become one.
    #[must_use]
    pub fn new(data_source: DataSource, intervals: Vec<Interval>) -> Self {
        Self {
            data_source,
            intervals: condense(intervals),
            filter: None,
            virtual_columns: Vec::new(),
            context: QueryContext::default(),
        }
    }

    /// The start of the first interval, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.intervals.first().map_or(0, |interval| interval.start_ms)
    }
}

impl TimeseriesQuery {
    /// Every bucket, oldest first.
    #[must_use]
    pub fn new(
        base: QueryBase,
        granularity: Granularity,
        aggregations: Vec<AggregatorSpec>,
    ) -> Self {
        let post_aggregations = Vec::new();
        Self { base, granularity, aggregations, post_aggregations, descending: false, limit: None }
    }
}

impl TopNQuery {
    /// The best groups of all time together.
    #[must_use]
    pub fn new(
        base: QueryBase,
        dimension: DimensionSpec,
        metric: TopNMetric,
        threshold: u64,
        aggregations: Vec<AggregatorSpec>,
    ) -> Self {
        let (granularity, post_aggregations) = (Granularity::All, Vec::new());
        Self { base, granularity, dimension, metric, threshold, aggregations, post_aggregations }
    }
}

impl GroupByQuery {
    /// Every group of all time together, in the natural order.
    #[must_use]
    pub fn new(
        base: QueryBase,
        dimensions: Vec<DimensionSpec>,
        aggregations: Vec<AggregatorSpec>,
    ) -> Self {
        Self {
            base,
            granularity: Granularity::All,
            dimensions,
            aggregations,
            post_aggregations: Vec::new(),
            having: None,
            limit_spec: None,
            subtotals: None,
        }
    }
}

impl ScanQuery {
    /// Every row and column, in any order.
    #[must_use]
    pub fn new(base: QueryBase) -> Self {
        const ROWS_A_BATCH: u64 = 20_480;
        Self {
            base,
            columns: Vec::new(),
            result_format: ResultFormat::List,
            batch_size: ROWS_A_BATCH,
            limit: None,
            offset: 0,
            order_by: Vec::new(),
        }
    }
}

impl SearchQuery {
    /// The first thousand values of any dimension that match.
    #[must_use]
    pub fn new(base: QueryBase, query: SearchMatch) -> Self {
        const HITS: u64 = 1_000;
        Self {
            base,
            granularity: Granularity::All,
            search_dimensions: Vec::new(),
            query,
            sort: SearchSort::default(),
            limit: HITS,
        }
    }
}

impl SegmentMetadataQuery {
    /// All columns of each segment, with Druid's analyses.
    #[must_use]
    pub fn new(base: QueryBase) -> Self {
        Self {
            base,
            using_default_interval: false,
            to_include: ColumnInclusion::All,
            merge: false,
            analysis_types: vec![Analysis::Cardinality, Analysis::Interval, Analysis::MinMax],
            lenient_aggregator_merge: false,
        }
    }
}
