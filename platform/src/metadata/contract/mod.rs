//! What every metadata store must do. Each test runs against all implementations.

mod allocation;
mod buffered;
mod interleavings;
mod leases;
mod log_marks;
mod manifests;
mod postgres_faults;
mod publishing;
mod sources;
mod sqlite_faults;
mod tables;
mod unused;

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_test_servers::Postgres;
use henge_types::{Interval, SegmentId, ShardSpec, Version};

use super::*;

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
pub(super) const DS: &str = "events";
pub(super) const OWNER: &str = "realtime";

pub(super) fn day(number: i64) -> Interval {
    Interval { start_ms: number * DAY_MS, end_ms: (number + 1) * DAY_MS }
}

pub(super) fn hour(number: i64) -> Interval {
    Interval { start_ms: number * HOUR_MS, end_ms: (number + 1) * HOUR_MS }
}

/// All implementations; the directory keeps the file of the one that has one.
pub(super) async fn stores() -> (tempfile::TempDir, Vec<Arc<dyn MetadataStore>>) {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = open_sqlite(&directory).await.unwrap();
    let mut stores: Vec<Arc<dyn MetadataStore>> =
        vec![Arc::new(MemoryMetadataStore::new()), Arc::new(sqlite)];
    if let Some(options) = new_postgres() {
        stores.push(Arc::new(SqlMetadataStore::open(options).await.unwrap()));
    }
    (directory, stores)
}

/// A new database of the server that all tests share; `None` where there is no PostgreSQL.
pub(super) fn new_postgres() -> Option<PostgresOptions> {
    let server = Postgres::shared()?;
    Some(PostgresOptions::new(&server.new_database()).unwrap())
}

/// Where a store outlives its process: opened again, it is what it was.
pub(super) enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(Box<PostgresOptions>),
}

impl Place {
    pub(super) async fn open(&self) -> SqlMetadataStore {
        match self {
            Self::Sqlite(directory) => open_sqlite(directory).await.unwrap(),
            Self::Postgres(options) => SqlMetadataStore::open((**options).clone()).await.unwrap(),
        }
    }
}

/// A new place of each kind.
pub(super) fn places() -> Vec<Place> {
    let postgres = new_postgres().map(|options| Place::Postgres(Box::new(options)));
    [Place::Sqlite(tempfile::tempdir().unwrap())].into_iter().chain(postgres).collect()
}

pub(super) async fn open_sqlite(directory: &tempfile::TempDir) -> Result<SqlMetadataStore> {
    SqlMetadataStore::open(SqliteOptions::new(directory.path().join("metadata.db"))).await
}

/// A segment with one row at the start of its interval.
pub(super) fn published(id: SegmentId, shard_spec: ShardSpec) -> PublishedSegment {
    let time = id.interval.start_ms;
    published_at(id, shard_spec, time)
}

pub(super) fn published_at(id: SegmentId, shard_spec: ShardSpec, time_ms: i64) -> PublishedSegment {
    PublishedSegment {
        object_key: format!("segments/{}", id.version),
        id,
        shard_spec,
        size_bytes: 100,
        checksum: u64::MAX,
        row_count: 1,
        min_time_ms: time_ms,
        max_time_ms: time_ms,
        schema_json: "{}".into(),
    }
}

pub(super) async fn allocate(store: &dyn MetadataStore, interval: Interval) -> PublishedSegment {
    let PendingSegment { id, shard_spec } =
        store.allocate_segment(OWNER, DS, interval, interval).await.unwrap().segment;
    published(id, shard_spec)
}

pub(super) fn mark(position: u64, state: &str) -> SourceMark {
    SourceMark { position: position.into(), state: state.into() }
}

/// Moves the one partition of a source that has no others.
pub(super) fn advance_of(
    source_id: &str,
    expected: SourceMark,
    next: SourceMark,
) -> Option<SourceAdvance> {
    let partitions = BTreeMap::from([(String::new(), PartitionAdvance { expected, next })]);
    Some(SourceAdvance { source_id: source_id.into(), partitions })
}

/// What is committed of a source with one partition.
pub(super) async fn mark_of(store: &dyn MetadataStore, source_id: &str) -> SourceMark {
    store.source(source_id).await.unwrap().remove("").unwrap_or_default()
}

pub(super) fn append(transaction_id: &str, segments: &[PublishedSegment]) -> PublishRequest {
    PublishRequest {
        transaction_id: transaction_id.into(),
        segments: segments.to_vec(),
        ..PublishRequest::default()
    }
}

/// One segment that replaces an interval.
pub(super) fn replace(
    transaction_id: &str,
    version: Version,
    interval: Interval,
) -> PublishRequest {
    let id = SegmentId::new(DS, interval, version, 0);
    PublishRequest {
        replace: Some(ReplaceScope {
            datasource: DS.into(),
            intervals: vec![interval],
            inputs: None,
        }),
        ..append(transaction_id, &[published(id, ShardSpec::SINGLE)])
    }
}

pub(super) async fn used_ids(store: &dyn MetadataStore) -> Vec<SegmentId> {
    let snapshot = store.used_segments().await.unwrap();
    assert!(snapshot.complete);
    snapshot.segments.into_iter().map(|segment| segment.id).collect()
}
