//! The native query types.

use henge_types::{Granularity, Interval, TIME_COLUMN};

use crate::aggregate::AggregatorSpec;
use crate::context::QueryContext;
use crate::datasource::DataSource;
use crate::dimension::DimensionSpec;
use crate::filter::{Filter, Ordering};
use crate::having::Having;
use crate::limit::{Direction, LimitSpec};
use crate::post_aggregator::PostAggregator;
use crate::virtual_column::VirtualColumn;

/// What every query has.
#[derive(Debug, Clone)]
pub struct QueryBase {
    /// What is read.
    pub data_source: DataSource,
    /// Condensed, sorted, half-open intervals. Metadata queries default to eternity.
    pub intervals: Vec<Interval>,
    /// Rows must pass this.
    pub filter: Option<Filter>,
    /// Computed columns.
    pub virtual_columns: Vec<VirtualColumn>,
    /// Knobs.
    pub context: QueryContext,
}

/// A native query.
#[derive(Debug, Clone)]
pub enum Query {
    /// `timeseries`
    Timeseries(TimeseriesQuery),
    /// `topN`
    TopN(TopNQuery),
    /// `groupBy`
    GroupBy(GroupByQuery),
    /// `scan`
    Scan(ScanQuery),
    /// `search`
    Search(SearchQuery),
    /// `timeBoundary`
    TimeBoundary(TimeBoundaryQuery),
    /// `segmentMetadata`
    SegmentMetadata(SegmentMetadataQuery),
    /// `dataSourceMetadata`
    DataSourceMetadata(DataSourceMetadataQuery),
}

/// Aggregates by time bucket.
#[derive(Debug, Clone)]
pub struct TimeseriesQuery {
    /// Common part.
    pub base: QueryBase,
    /// Time buckets.
    pub granularity: Granularity,
    /// Aggregators.
    pub aggregations: Vec<AggregatorSpec>,
    /// Post-aggregators.
    pub post_aggregations: Vec<PostAggregator>,
    /// Newest bucket first.
    pub descending: bool,
    /// At most so many buckets.
    pub limit: Option<u64>,
}

/// What a topN is ordered by.
#[derive(Debug, Clone, PartialEq)]
pub enum TopNMetric {
    /// By an aggregator or post-aggregator, largest first.
    Numeric(String),
    /// By the dimension's value, smallest first, after `previous_stop`.
    Dimension {
        /// Comparison.
        ordering: Ordering,
        /// Only values after this one.
        previous_stop: Option<String>,
    },
    /// The other way round.
    Inverted(Box<TopNMetric>),
}

/// The best groups of one dimension, by time bucket.
#[derive(Debug, Clone)]
pub struct TopNQuery {
    /// Common part.
    pub base: QueryBase,
    /// Time buckets.
    pub granularity: Granularity,
    /// The dimension.
    pub dimension: DimensionSpec,
    /// The order.
    pub metric: TopNMetric,
    /// Groups per bucket.
    pub threshold: u64,
    /// Aggregators.
    pub aggregations: Vec<AggregatorSpec>,
    /// Post-aggregators.
    pub post_aggregations: Vec<PostAggregator>,
}

/// Aggregates by several dimensions and time bucket.
#[derive(Debug, Clone)]
pub struct GroupByQuery {
    /// Common part.
    pub base: QueryBase,
    /// Time buckets.
    pub granularity: Granularity,
    /// Dimensions; may be empty.
    pub dimensions: Vec<DimensionSpec>,
    /// Aggregators.
    pub aggregations: Vec<AggregatorSpec>,
    /// Post-aggregators.
    pub post_aggregations: Vec<PostAggregator>,
    /// Filter over finished rows.
    pub having: Option<Having>,
    /// Order and limit.
    pub limit_spec: Option<LimitSpec>,
    /// Grouping sets, as lists of positions into `dimensions`; missing ones read as null.
    pub subtotals: Option<Vec<Vec<usize>>>,
}

/// Shape of scan events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultFormat {
    /// Objects.
    #[default]
    List,
    /// Arrays, in the order of `columns`.
    CompactedList,
}

/// A column that the rows of a scan are ordered by: numbers by value, text by its bytes, null as the
/// smallest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanKey {
    /// A stored or virtual column; it has one value a row.
    pub column: String,
    /// Direction.
    pub direction: Direction,
}

/// Raw rows.
#[derive(Debug, Clone)]
pub struct ScanQuery {
    /// Common part.
    pub base: QueryBase,
    /// Columns; empty means all (and the virtual ones).
    pub columns: Vec<String>,
    /// Shape.
    pub result_format: ResultFormat,
    /// Rows per emitted batch.
    pub batch_size: u64,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Rows dropped first.
    pub offset: u64,
    /// The order of the rows: by the first column, rows that are alike in it by the next, and so on,
    /// then by segment and as stored. Empty is any order.
    pub order_by: Vec<ScanKey>,
}

impl ScanQuery {
    /// The direction of an order by time alone.
    #[must_use]
    pub fn time_order(&self) -> Option<Direction> {
        match self.order_by.as_slice() {
            [key] if key.column == TIME_COLUMN => Some(key.direction),
            _ => None,
        }
    }
}

/// What a search looks for.
#[derive(Debug, Clone)]
pub enum SearchMatch {
    /// Every value.
    All,
    /// A substring.
    Contains {
        /// The substring.
        value: String,
        /// False ignores case.
        case_sensitive: bool,
    },
    /// All of several substrings.
    Fragment {
        /// The substrings.
        values: Vec<String>,
        /// False ignores case.
        case_sensitive: bool,
    },
    /// An unanchored regular expression.
    Regex(henge_expr::JavaRegex),
}

/// Order of search hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchSort(
    /// The comparison of values.
    pub Ordering,
);

/// Dimension values that match.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// Common part.
    pub base: QueryBase,
    /// Time buckets.
    pub granularity: Granularity,
    /// Dimensions; empty means all.
    pub search_dimensions: Vec<DimensionSpec>,
    /// What to look for.
    pub query: SearchMatch,
    /// Order.
    pub sort: SearchSort,
    /// At most so many hits.
    pub limit: u64,
}

/// Which end a time boundary asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `minTime`
    MinTime,
    /// `maxTime`
    MaxTime,
}

/// First and last timestamp.
#[derive(Debug, Clone)]
pub struct TimeBoundaryQuery {
    /// Common part.
    pub base: QueryBase,
    /// `None` is both.
    pub bound: Option<Bound>,
}

/// One kind of analysis of segmentMetadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Analysis {
    /// `cardinality`
    Cardinality,
    /// `interval`
    Interval,
    /// `minmax`
    MinMax,
    /// `size`
    Size,
    /// `timestampSpec`
    TimestampSpec,
    /// `queryGranularity`
    QueryGranularity,
    /// `aggregators`
    Aggregators,
    /// `rollup`
    Rollup,
    /// `projections`
    Projections,
}

/// `toInclude` of segmentMetadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ColumnInclusion {
    /// Every column.
    #[default]
    All,
    /// None.
    None,
    /// These.
    List(Vec<String>),
}

/// What segments hold.
#[derive(Debug, Clone)]
pub struct SegmentMetadataQuery {
    /// Common part.
    pub base: QueryBase,
    /// True when the query gave no interval: the last week before the newest segment's end counts.
    pub using_default_interval: bool,
    /// Columns.
    pub to_include: ColumnInclusion,
    /// One merged result instead of one a segment.
    pub merge: bool,
    /// What to analyse.
    pub analysis_types: Vec<Analysis>,
    /// `aggregatorMergeStrategy`: true is `lenient`.
    pub lenient_aggregator_merge: bool,
}

/// The newest ingested event.
#[derive(Debug, Clone)]
pub struct DataSourceMetadataQuery {
    /// Common part.
    pub base: QueryBase,
}

impl Query {
    /// The common part.
    #[must_use]
    pub fn base(&self) -> &QueryBase {
        match self {
            Self::Timeseries(q) => &q.base,
            Self::TopN(q) => &q.base,
            Self::GroupBy(q) => &q.base,
            Self::Scan(q) => &q.base,
            Self::Search(q) => &q.base,
            Self::TimeBoundary(q) => &q.base,
            Self::SegmentMetadata(q) => &q.base,
            Self::DataSourceMetadata(q) => &q.base,
        }
    }

    /// The common part, for changing it.
    pub fn base_mut(&mut self) -> &mut QueryBase {
        match self {
            Self::Timeseries(q) => &mut q.base,
            Self::TopN(q) => &mut q.base,
            Self::GroupBy(q) => &mut q.base,
            Self::Scan(q) => &mut q.base,
            Self::Search(q) => &mut q.base,
            Self::TimeBoundary(q) => &mut q.base,
            Self::SegmentMetadata(q) => &mut q.base,
            Self::DataSourceMetadata(q) => &mut q.base,
        }
    }

    /// Cuts the intervals to a part of time. They keep their places (one that is cut away becomes
    /// empty), so that the answers of parts still line up interval by interval.
    pub fn clip_to(&mut self, part: Interval) {
        for interval in &mut self.base_mut().intervals {
            interval.start_ms = interval.start_ms.max(part.start_ms);
            interval.end_ms = interval.end_ms.min(part.end_ms).max(interval.start_ms);
        }
    }
}
