//! `Partial`: what one segment (or one node) contributes to an answer. Columnar, mergeable in any
//! order, finalised once.

use std::sync::Arc;

use henge_sketch::{HllSketch, KllSketch, ThetaSketch};

use crate::bucket_starts::BucketStarts;
use crate::column::StringInterner;
use crate::node::{NodeDictionary, NodeValues};

/// The contribution of some segments to a query's answer.
#[derive(Debug, Clone)]
pub enum Partial {
    /// timeseries, topN and groupBy.
    Grouped(GroupedPartial),
    /// scan
    Rows(crate::partial_rows::RowsPartial),
    /// search
    Search(crate::partial_rows::SearchPartial),
    /// timeBoundary: smallest and largest timestamp seen.
    TimeBoundary {
        /// Smallest.
        min_ms: Option<i64>,
        /// Largest.
        max_ms: Option<i64>,
    },
    /// segmentMetadata
    SegmentMetadata(Vec<crate::partial_rows::SegmentAnalysis>),
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
    /// One a dimension.
    pub keys: Vec<KeyColumn>,
    /// One an aggregator.
    pub states: Vec<StateColumn>,
    /// For each of the query's intervals: the time range of the segments' rows (`time_range`, before
    /// the filter), clipped to the interval; `None` when they do not meet. Empty buckets are filled
    /// between them, and granularity `all` shows the first as its timestamp.
    pub data_range_ms: Vec<Option<(i64, i64)>>,
}

impl GroupedPartial {
    /// Number of groups.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.bucket_starts.len()
    }
}

/// Values of one dimension, one a group.
#[derive(Debug, Clone)]
pub enum KeyColumn {
    /// Output type STRING.
    String(StringKeys),
    /// Output type STRING, as ids of a node-wide dictionary. Never leaves the process.
    Node(NodeKeys),
    /// Output type LONG; `None` is null.
    Long(Vec<Option<i64>>),
    /// Output types DOUBLE and FLOAT; `None` is null. -0 was made 0 and NaNs were made one.
    Double(Vec<Option<f64>>),
}

/// String keys as ids of a node-wide dictionary. Id 0 is null.
#[derive(Debug, Clone)]
pub struct NodeKeys {
    /// One id a group.
    pub ids: Vec<u32>,
    /// The numbering.
    pub dictionary: Arc<NodeDictionary>,
    /// Values of at least those ids.
    pub values: Arc<NodeValues>,
}

impl NodeKeys {
    /// The value of a group.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&str> {
        self.values.get(self.ids[group])
    }

    /// The keys with their text, independent of the dictionary.
    #[must_use]
    pub fn to_text(&self) -> StringKeys {
        let mut interner = StringInterner::default();
        let ids = (0..self.ids.len()).map(|group| interner.id_of_nullable(self.get(group)));
        let ids = ids.collect();
        interner.into_keys(ids)
    }
}

/// String keys as ids into a dictionary of the distinct values that occur. Id 0 is null.
#[derive(Debug, Clone)]
pub struct StringKeys {
    /// One id a group.
    pub ids: Vec<u32>,
    /// End of value `i + 1` in `bytes` (id 0, null, has no bytes).
    pub ends: Vec<usize>,
    /// The values' UTF-8, one behind the other.
    pub bytes: String,
    /// True when the values ascend.
    pub sorted: bool,
}

impl StringKeys {
    /// The value of an id; `None` is null.
    #[must_use]
    pub fn value(&self, id: u32) -> Option<&str> {
        let index = (id as usize).checked_sub(1)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..self.ends[index]])
    }

    /// The value of a group.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&str> {
        self.value(self.ids[group])
    }
}

/// States of one aggregator, one a group.
#[derive(Debug, Clone)]
pub enum StateColumn {
    /// count, and long sums, minima and maxima. Null where `valid` says so.
    Long {
        /// Values.
        values: Vec<i64>,
        /// False where no non-null input was seen; `None` when all are valid.
        valid: Option<Vec<bool>>,
    },
    /// Long sums of which one at least is beyond 64 bits so far: what is merged with it may bring it
    /// back. Only a finished answer is refused for it.
    Wide {
        /// Values.
        values: Vec<i128>,
        /// False where no non-null input was seen; `None` when all are valid.
        valid: Option<Vec<bool>>,
    },
    /// Double and float sums, minima and maxima (floats are aggregated as doubles for sums and
    /// finalised as floats).
    Double {
        /// Values.
        values: Vec<f64>,
        /// False where no non-null input was seen; `None` when all are valid.
        valid: Option<Vec<bool>>,
        /// True when the result's type is FLOAT.
        float: bool,
    },
    /// HLL sketches (HLLSketchBuild, HLLSketchMerge, hyperUnique, cardinality); `None` is empty.
    Hll(Vec<Option<Box<HllSketch>>>),
    /// Theta sketches.
    Theta(Vec<Option<Box<ThetaSketch>>>),
    /// KLL sketches.
    Kll(Vec<Option<Box<KllSketch>>>),
}

impl StateColumn {
    /// Long sums, as narrow as they may be.
    pub(crate) fn of_wide(values: Vec<i128>, valid: Option<Vec<bool>>) -> Self {
        match values.iter().map(|value| i64::try_from(*value)).collect() {
            Ok(values) => Self::Long { values, valid },
            Err(_) => Self::Wide { values, valid },
        }
    }

    /// The states of some groups, each at most once.
    pub(crate) fn pick(self, groups: &[u32]) -> Self {
        fn copy<T: Copy>(values: &[T], groups: &[u32]) -> Vec<T> {
            groups.iter().map(|&group| values[group as usize]).collect()
        }
        fn take<T>(mut values: Vec<Option<T>>, groups: &[u32]) -> Vec<Option<T>> {
            groups.iter().map(|&group| values[group as usize].take()).collect()
        }
        let flags = |valid: Option<Vec<bool>>| valid.map(|valid| copy(&valid, groups));
        match self {
            StateColumn::Long { values, valid } => {
                StateColumn::Long { values: copy(&values, groups), valid: flags(valid) }
            }
            StateColumn::Wide { values, valid } => {
                Self::of_wide(copy(&values, groups), flags(valid))
            }
            StateColumn::Double { values, valid, float } => {
                StateColumn::Double { values: copy(&values, groups), valid: flags(valid), float }
            }
            StateColumn::Hll(sketches) => StateColumn::Hll(take(sketches, groups)),
            StateColumn::Theta(sketches) => StateColumn::Theta(take(sketches, groups)),
            StateColumn::Kll(sketches) => StateColumn::Kll(take(sketches, groups)),
        }
    }
}
