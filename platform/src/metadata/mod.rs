//! The metadata store: documents (schemas of datasources), segments, source positions, tasks and dead letters.
//!
//! Segments and the source positions that they contain are published in one transaction, which is
//! what makes ingestion exactly-once; versions come from a sequence, never from a clock.

mod buffering;
mod commits;
mod error;
mod leases;
mod lookups;
pub mod manifest;
mod memory;
mod places;
mod positions;
mod postgres;
mod records;
mod rules;
mod sql;
mod sqlite;
mod store;
mod task_report;
mod unused;

pub use buffering::{BUFFERING_SERVER, Buffering, BufferingBody, READ_WITHIN, buffering_servers};
pub use error::{MetadataError, Result};
pub use leases::{Fence, Lease};
pub use lookups::{
    DEFAULT_LOOKUP_TIER, LOOKUP, LookupDocument, LookupSpec, MAX_LOOKUP_BYTES, MAX_LOOKUPS_BYTES,
    read_lookups,
};
pub use memory::MemoryMetadataStore;
pub use positions::{PartitionAdvance, Position, SourceAdvance, SourceMark, SourceMarks};
pub use postgres::PostgresOptions;
pub use records::{
    Allocation, BufferedSegment, DATASOURCE, DeadLetter, DeadLetterTotals, Document,
    IdempotencyRecord, LetterRecord, PendingSegment, PublishOutcome, PublishRequest,
    PublishedSegment, ReplaceScope, SegmentChange, SegmentChanges, SegmentObject, SegmentSnapshot,
    StoredDeadLetter, TaskFilter, TaskProgress, TaskRecord, TaskStatus, TaskUpdate, TasksKept,
    UNPLACED,
};
pub use sql::{SqlMetadataStore, SqlOptions};
pub use sqlite::SqliteOptions;
pub use store::MetadataStore;
pub use task_report::{
    ChangedColumn, IgnoredInput, InputPlace, RefusedEvents, ReplacedRows, TaskInput, TaskReport,
};
pub use unused::{UnusedFilter, UnusedSegment, UnusedSegments};

use henge_types::{Interval, validate_datasource_name};

use crate::runtime::random;

/// Identifies a new cluster.
fn new_cluster_uuid() -> String {
    let mut bytes: [u8; 16] = random();
    // The version and variant bits of a random UUID.
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn check_allocation(datasource: &str, rows: Interval, bucket: Interval) -> Result<()> {
    validate_datasource_name(datasource).map_err(|error| rules::invalid(error.to_string()))?;
    if rows.is_empty() || !bucket.contains(rows.start_ms) {
        return Err(rules::invalid(format!("rows of {rows} do not begin in the bucket {bucket}")));
    }
    Ok(())
}

#[cfg(test)]
mod contract;
