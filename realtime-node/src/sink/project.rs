//! Adding projections to segment files that are about to be published, whoever wrote them.

use std::path::Path;

use henge_exec::{ExecContext, ExecError, build_projection};
use henge_platform::runtime::map_file;
use henge_query::ingest::ProjectionSpec;
use henge_segment::{SegmentSummary, WriteOptions};
use henge_types::ErrorClass;

use super::part::{map_segment, write_beside};
use crate::error::{RealtimeError, Result};

/// Groups of one projection while it is built, at most.
const MEMORY_BUDGET_BYTES: usize = 2 << 30;

/// Builds the projections of a segment from its rows and writes the file anew with them. One that
/// the rows, or `max_bytes` for its groups, do not allow is left out: the segment answers without it.
///
/// # Errors
/// When the segment cannot be read, or the file not be written.
pub(super) fn add_projections(
    path: &Path,
    specs: &[ProjectionSpec],
    write: WriteOptions,
    max_bytes: usize,
) -> Result<SegmentSummary> {
    let segment = map_segment(path)?;
    let memory_budget_bytes = MEMORY_BUDGET_BYTES.min(max_bytes);
    let context = ExecContext { memory_budget_bytes, ..ExecContext::default() };
    let mut built = Vec::with_capacity(specs.len());
    for spec in specs {
        match build_projection(segment.as_ref(), spec, write, &context) {
            Ok(file) => built.push(file),
            Err(error) if is_of_the_rows(&error) => {
                tracing::warn!(
                    projection = %spec.name,
                    path = %path.display(),
                    %error,
                    "segment is published without a projection"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = map_file(path).map_err(RealtimeError::io(path))?;
    write_beside(path, |out| Ok(henge_segment::add_projections((*bytes).as_ref(), &built, out)?))
}

/// True when these rows cannot be projected, though nothing is broken.
fn is_of_the_rows(error: &ExecError) -> bool {
    matches!(
        error.class(),
        ErrorClass::InvalidInput | ErrorClass::Unsupported | ErrorClass::ResourceLimit
    )
}
