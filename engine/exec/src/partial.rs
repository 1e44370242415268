//! `Partial`: what one segment (or one node) contributes to an answer. Columnar, mergeable in any
//! order, finalised once.

use henge_scan::Result;
use henge_vector::Column;

use crate::bucket_starts::BucketStarts;
use crate::partial_rows::{RowBatch, RowsPartial, SearchHit, SearchPartial, SegmentAnalysis};

/// The contribution of some segments to a query's answer.
#[derive(Debug, Clone)]
pub enum Partial {
    /// timeseries, topN and groupBy.
    Grouped(GroupedPartial),
    /// scan
    Rows(RowsPartial),
    /// search
    Search(SearchPartial),
    /// timeBoundary: smallest and largest timestamp seen.
    TimeBoundary {
        /// Smallest.
        min_ms: Option<i64>,
        /// Largest.
        max_ms: Option<i64>,
    },
    /// segmentMetadata
    SegmentMetadata(Vec<SegmentAnalysis>),
    /// dataSourceMetadata
    DataSourceMetadata {
        /// Newest event.
        max_ingested_event_time_ms: Option<i64>,
    },
}

/// Groups: the time bucket, the key columns and the state columns all have one entry a group.
#[derive(Debug, Clone, Default)]
pub struct GroupedPartial {
    /// Start of the group's time bucket.
    pub bucket_starts: BucketStarts,
    /// One a dimension: LONG, DOUBLE, FLOAT as doubles, and STRING as text or as ids.
    pub keys: Vec<Column>,
    /// One an aggregator: LONG, wide sums, DOUBLE, FLOAT as doubles, and sketches. Null where no value
    /// that is not null was seen.
    pub states: Vec<Column>,
    /// For each of the query's intervals: the time range of the segments' rows (`time_range`, before
    /// the filter), clipped to the interval; `None` when they do not meet. Empty buckets are filled
    /// between them, and granularity `all` shows the first as its timestamp.
    pub data_range_ms: Vec<Option<(i64, i64)>>,
}

/// Whether the groups of a contribution are all different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distinctness {
    /// They are, as those of a [`Partial`] always are.
    Distinct,
    /// Several may have the same time bucket and keys: they are still to be merged.
    Repeating,
}

impl GroupedPartial {
    /// Number of groups.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.bucket_starts.len()
    }

    /// Some of the groups.
    pub(crate) fn pick(&self, groups: &[u32]) -> Self {
        Self {
            bucket_starts: self.bucket_starts.pick(groups),
            keys: copies(&self.keys, groups, 1),
            states: copies(&self.states, groups, 1),
            data_range_ms: self.data_range_ms.clone(),
        }
    }

    /// Adds other groups, none of which are among these.
    pub(crate) fn append(&mut self, other: &Self) -> Result<()> {
        self.bucket_starts.append(&other.bucket_starts);
        for (to, from) in self.keys.iter_mut().zip(&other.keys) {
            to.append(from)?;
        }
        for (to, from) in self.states.iter_mut().zip(&other.states) {
            to.append(from)?;
        }
        Ok(())
    }
}

impl Partial {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Grouped(groups) => groups.memory_bytes(),
            Self::Rows(rows) => rows.batches.iter().map(RowBatch::memory_bytes).sum(),
            Self::Search(search) => search.hits.iter().map(SearchHit::memory_bytes).sum(),
            Self::TimeBoundary { .. } | Self::DataSourceMetadata { .. } => 0,
            Self::SegmentMetadata(analyses) => {
                analyses.iter().map(SegmentAnalysis::memory_bytes).sum()
            }
        }
    }
}

impl GroupedPartial {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.bucket_starts.at())
            + self.keys.iter().chain(&self.states).map(Column::memory_bytes).sum::<usize>()
            + size_of_val(self.data_range_ms.as_slice())
    }
}

/// A copy of some groups' states, `times` over.
pub(crate) fn copies(states: &[Column], rows: &[u32], times: usize) -> Vec<Column> {
    let rows = rows.repeat(times);
    states.iter().map(|state| state.take(&rows)).collect()
}
