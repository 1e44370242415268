//! `segmentMetadata`: analyses, one a segment or one for all.

use henge_query::{Analysis, SegmentMetadataQuery};

use crate::partial_rows::SegmentAnalysis;
use crate::rows::segment_metadata::merge_analyses;

/// Finishes the analyses: what was not asked for is not told.
pub(crate) fn finalise(
    query: &SegmentMetadataQuery,
    analyses: Vec<SegmentAnalysis>,
) -> Vec<SegmentAnalysis> {
    let mut analyses = merge_analyses(query, analyses);
    if !query.analysis_types.contains(&Analysis::QueryGranularity) {
        analyses.iter_mut().for_each(|analysis| analysis.query_granularity = None);
    }
    analyses
}
