//! What a replace that drops leaves empty. A segment that reaches beyond the intervals to be dropped
//! stays used; where the task brings no rows, a chunk without rows hides it (Druid's tombstones).

use std::sync::Arc;

use henge_ingest::{ParseLimits, RowParser, index_schema};
use henge_platform::metadata::ReplaceScope;
use henge_types::{Interval, condense};

use super::ready::{ReadyChunk, ReadyRows};
use super::run::Run;
use crate::error::{RealtimeError, Result};

/// Empty chunks of one task.
const MAX_EMPTY_CHUNKS: usize = 10_000;

impl Run {
    /// The empty chunks that hide what `scope` drops and the metadata cannot take away whole.
    pub(super) async fn empty_chunks(
        &self,
        scope: &ReplaceScope,
        chunks: &[ReadyChunk],
    ) -> Result<Vec<ReadyChunk>> {
        let used = self.shared.metadata.used_segments().await?.segments;
        let goes = |interval| scope.intervals.iter().any(|i| i.contains_interval(&interval));
        let stays = used.iter().filter(|segment| *segment.id.datasource == *scope.datasource);
        let stays = stays.map(|segment| segment.id.interval).filter(|interval| !goes(*interval));
        let hidden: Vec<Interval> = stays
            .flat_map(|interval| scope.intervals.iter().filter_map(move |i| i.intersect(&interval)))
            .filter(|interval| !interval.is_empty())
            .collect();
        let mut empty = self.empty_buckets(condense(hidden), &scope.intervals)?;
        empty.retain(|bucket| !chunks.iter().any(|chunk| chunk.interval.overlaps(bucket)));
        let schema = &self.task.spec.data_schema;
        let parser = RowParser::new(Arc::new(schema.clone()), ParseLimits::default())?;
        let columns = Arc::new(index_schema(schema, parser.dimensions()));
        let chunk = |interval| ReadyChunk {
            interval,
            partitions: vec![ReadyRows::Empty(Arc::clone(&columns))],
        };
        Ok(empty.into_iter().map(chunk).collect())
    }

    /// The buckets that overlap `hidden`, as far as they lie in the scope.
    fn empty_buckets(&self, hidden: Vec<Interval>, scope: &[Interval]) -> Result<Vec<Interval>> {
        let granularity = &self.task.spec.data_schema.granularity_spec.segment_granularity;
        let mut buckets: Vec<Interval> = Vec::new();
        for bucket in hidden.into_iter().flat_map(|interval| granularity.buckets(interval)) {
            let inside = scope.iter().filter_map(|i| i.intersect(&bucket));
            buckets.extend(inside.filter(|interval| !interval.is_empty()));
            if buckets.len() > MAX_EMPTY_CHUNKS {
                return Err(RealtimeError::Invalid(format!(
                    "dropExisting would leave more than {MAX_EMPTY_CHUNKS} chunks of \
                     granularitySpec.segmentGranularity empty: name shorter \
                     granularitySpec.intervals or use larger chunks"
                )));
            }
        }
        buckets.sort_unstable();
        buckets.dedup();
        Ok(buckets)
    }
}
