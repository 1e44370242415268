//! Bytes that partials hold, for caches and budgets.

use henge_sketch::Sketch;

use crate::partial::{GroupedPartial, KeyColumn, Partial, StateColumn};
use crate::partial_rows::{RowBatch, SearchHit, SegmentAnalysis};

impl Partial {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Grouped(groups) => groups.memory_bytes(),
            Self::Rows(rows) => rows.batches.iter().map(RowBatch::memory_bytes).sum(),
            Self::Search(search) => search.hits.iter().map(hit_bytes).sum(),
            Self::TimeBoundary { .. } | Self::DataSourceMetadata { .. } => 0,
            Self::SegmentMetadata(analyses) => analyses.iter().map(analysis_bytes).sum(),
        }
    }
}

impl GroupedPartial {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.bucket_starts.at())
            + self.keys.iter().map(KeyColumn::memory_bytes).sum::<usize>()
            + self.states.iter().map(StateColumn::memory_bytes).sum::<usize>()
            + size_of_val(self.data_range_ms.as_slice())
    }
}

impl KeyColumn {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::String(keys) => {
                size_of_val(keys.ids.as_slice())
                    + size_of_val(keys.ends.as_slice())
                    + keys.bytes.len()
            }
            // The values are the node's.
            Self::Node(keys) => size_of_val(keys.ids.as_slice()),
            Self::Long(values) => size_of_val(values.as_slice()),
            Self::Double(values) => size_of_val(values.as_slice()),
        }
    }
}

impl StateColumn {
    /// Bytes of memory, roughly.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        fn sketches<S: Sketch>(sketches: &[Option<Box<S>>]) -> usize {
            let held: usize = sketches.iter().flatten().map(|sketch| sketch.memory_bytes()).sum();
            held + size_of_val(sketches)
        }
        let flags = |valid: &Option<Vec<bool>>| valid.as_ref().map_or(0, Vec::len);
        match self {
            Self::Long { values, valid } => size_of_val(values.as_slice()) + flags(valid),
            Self::Wide { values, valid } => size_of_val(values.as_slice()) + flags(valid),
            Self::Double { values, valid, .. } => size_of_val(values.as_slice()) + flags(valid),
            Self::Hll(states) => sketches(states),
            Self::Theta(states) => sketches(states),
            Self::Kll(states) => sketches(states),
        }
    }
}

fn hit_bytes(hit: &SearchHit) -> usize {
    size_of::<SearchHit>() + hit.value.as_ref().map_or(0, String::len)
}

/// Names dominate: metrics are counted as their names and a constant.
fn analysis_bytes(analysis: &SegmentAnalysis) -> usize {
    const METRIC_BYTES: usize = 128;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let columns = analysis.columns.iter().map(|(name, column)| {
        name.len()
            + size_of_val(column)
            + text(&column.min_value)
            + text(&column.max_value)
            + text(&column.error_message)
    });
    let metrics = analysis.aggregators.iter().flatten();
    size_of::<SegmentAnalysis>()
        + analysis.id.len()
        + columns.sum::<usize>()
        + metrics.map(|(name, _)| name.len() + METRIC_BYTES).sum::<usize>()
}
