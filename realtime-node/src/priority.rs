//! The order of work on the CPU threads of ingestion.

/// Pushes come first among the work of ingestion: their clients wait.
pub(crate) const PUSH_PRIORITY: i32 = 0;
/// Persisting and merging never take the last free thread, which is left to pushes.
pub(crate) const MERGE_PRIORITY: i32 = -1;
/// Batch loads come last: they may take long, and nobody waits for a single piece of them.
pub(crate) const LOAD_PRIORITY: i32 = -2;
/// Merging what is published comes after everything: it only makes later queries cheaper.
pub(crate) const COMPACT_PRIORITY: i32 = -3;
