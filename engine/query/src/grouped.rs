//! What timeseries, topN and groupBy have in common: they group rows by time bucket and dimensions
//! and aggregate each group.

use henge_types::Granularity;

use crate::aggregate::AggregatorSpec;
use crate::dimension::DimensionSpec;
use crate::post_aggregator::PostAggregator;
use crate::query::{Query, QueryBase};

/// A query that groups rows.
#[derive(Debug, Clone, Copy)]
pub struct GroupedQuery<'q> {
    /// Common part.
    pub base: &'q QueryBase,
    /// Time buckets.
    pub granularity: &'q Granularity,
    /// Dimensions; none for a timeseries.
    pub dimensions: &'q [DimensionSpec],
    /// Aggregators.
    pub aggregations: &'q [AggregatorSpec],
    /// True when the answer also depends on where the data begin and end: empty buckets are filled
    /// between them, and granularity `all` shows their start.
    pub needs_data_range: bool,
}

impl GroupedQuery<'_> {
    /// True when all rows fall into one time bucket.
    #[must_use]
    pub fn has_one_bucket(&self) -> bool {
        *self.granularity == Granularity::All
    }
}

impl Query {
    /// The query as one that groups rows; `None` for one that does not.
    #[must_use]
    pub fn grouped(&self) -> Option<GroupedQuery<'_>> {
        Some(match self {
            Self::Timeseries(query) => GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &[],
                aggregations: &query.aggregations,
                needs_data_range: true,
            },
            Self::TopN(query) => GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: std::slice::from_ref(&query.dimension),
                aggregations: &query.aggregations,
                needs_data_range: true,
            },
            Self::GroupBy(query) => GroupedQuery {
                base: &query.base,
                granularity: &query.granularity,
                dimensions: &query.dimensions,
                aggregations: &query.aggregations,
                needs_data_range: false,
            },
            Self::Scan(_)
            | Self::Search(_)
            | Self::TimeBoundary(_)
            | Self::SegmentMetadata(_)
            | Self::DataSourceMetadata(_) => return None,
        })
    }

    /// The post-aggregators.
    #[must_use]
    pub fn post_aggregations(&self) -> &[PostAggregator] {
        match self {
            Self::Timeseries(query) => &query.post_aggregations,
            Self::TopN(query) => &query.post_aggregations,
            Self::GroupBy(query) => &query.post_aggregations,
            Self::Scan(_)
            | Self::Search(_)
            | Self::TimeBoundary(_)
            | Self::SegmentMetadata(_)
            | Self::DataSourceMetadata(_) => &[],
        }
    }

    /// The aggregators, for changing them; none for a query that does not group rows.
    pub fn aggregations_mut(&mut self) -> &mut [AggregatorSpec] {
        match self {
            Self::Timeseries(query) => &mut query.aggregations,
            Self::TopN(query) => &mut query.aggregations,
            Self::GroupBy(query) => &mut query.aggregations,
            Self::Scan(_)
            | Self::Search(_)
            | Self::TimeBoundary(_)
            | Self::SegmentMetadata(_)
            | Self::DataSourceMetadata(_) => &mut [],
        }
    }
}
