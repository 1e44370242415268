//! The end of a call: one partial result of what the cache knew and the workers found.

use std::sync::Arc;

use henge_exec::{ExecContext, ExecError, Extent, MemoryLease, Merger, Partial};
use henge_query::Query;

use crate::spill::{GroupSpill, SpilledGroups};

/// What a call has to answer.
pub(super) enum Found {
    /// No segment had rows for it.
    Nothing,
    /// One partial result and what it holds.
    InMemory(Partial, MemoryLease),
    /// Groups of which a part is on disk.
    OnDisk(SpilledGroups),
}

/// Merges what was known and what the workers found.
pub(super) fn gather(
    query: Arc<Query>,
    mergers: Vec<Merger>,
    known: Vec<Partial>,
    extent: Extent,
    spill: Option<&GroupSpill>,
    context: ExecContext,
) -> Result<Found, ExecError> {
    let mut lease = context.memory.lease();
    let mut mergers = mergers.into_iter();
    let mut all = match mergers.next() {
        Some(first) => first,
        None if known.is_empty() => return Ok(Found::Nothing),
        None => Merger::new(Arc::clone(&query)),
    };
    mergers.try_for_each(|merger| all.absorb(merger, &context))?;
    known.into_iter().try_for_each(|partial| all.add(partial, &context))?;
    let merged = all.finish(extent, &context)?;
    lease.set(merged.memory_bytes())?;
    match spill.and_then(GroupSpill::take) {
        None => Ok(Found::InMemory(merged, lease)),
        Some(written) => {
            SpilledGroups::new(query, written, merged, lease, extent, context).map(Found::OnDisk)
        }
    }
}
