//! Partials as bytes, for temporary files and for the wire: a version and a checksum, then columns as
//! Arrow IPC streams, each of which says in its schema what it is.

mod read;
mod write;

#[cfg(test)]
mod tests;

use henge_types::{ColumnType, SegmentId};
use serde::{Deserialize, Serialize};

use crate::partial_rows::SegmentAnalysis;

/// How encoded partials begin.
const MAGIC: &[u8; 4] = b"HGPT";
/// The version that is written; readers know it and those before.
const VERSION: u32 = 1;
/// Magic, version and the checksum of what follows.
const HEADER_BYTES: usize = 16;

/// What a stream holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "holds", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum About {
    /// Groups: starts of buckets, then so many columns of keys, then states.
    Groups { keys: usize, data_range_ms: Vec<Option<(i64, i64)>> },
    /// Nothing; streams of rows follow, so many.
    Rows { batches: usize },
    /// Rows of one segment; for ordered scans their times come first.
    Batch { segment: SegmentId, is_ordered: bool, types: Vec<Option<ColumnType>> },
    /// Hits: buckets, dimensions, values and counts.
    Hits { data_start_ms: Option<i64> },
    /// Nothing else.
    TimeBoundary { min_ms: Option<i64>, max_ms: Option<i64> },
    /// Nothing else.
    Analyses { analyses: Vec<SegmentAnalysis> },
    /// Nothing else.
    NewestEvent { max_ingested_event_time_ms: Option<i64> },
}
