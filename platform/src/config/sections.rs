//! The settings, each said once: its name, its type, its default and what it does. The reference in
//! `docs/configuration.md` is written from here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::address::DatabaseAddress;

pub(super) const MIB: u64 = 1 << 20;
const MINUTE_MS: u64 = 60_000;

/// A setting, for the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its name within its section.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) about: String,
}

/// Defines a section: the type, its defaults, and what the reference says of it.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $section:ident { $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr,)+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl $section {
            /// What the section is about, and its settings.
            pub(super) fn reference() -> (String, Vec<Setting>) {
                let settings = vec![
                    $(Setting { name: stringify!($name), about: concat!($($doc),+).trim().to_owned() },)+
                ];
                (concat!($($about),+).trim().to_owned(), settings)
            }
        }
    };
}

section! {
    /// All settings. Every field has a default, so an empty file is a good one.
    ServerConfig {
        /// Address to listen on. Addresses beyond loopback ask for `cluster.token`, and whoever calls them
        /// shows it.
        host: String = "127.0.0.1".into(),
        /// Port to listen on; 0 picks a free one.
        port: u16 = 8888,
        /// Where everything is kept.
        data_dir: PathBuf = "./data".into(),
        /// gRPC.
        grpc: GrpcConfig = GrpcConfig::default(),
        /// Other processes.
        cluster: ClusterConfig = ClusterConfig::default(),
        /// Bounds on what clients send.
        limits: LimitsConfig = LimitsConfig::default(),
        /// Bounds on the memory of the process.
        memory: MemoryConfig = MemoryConfig::default(),
        /// Where the metadata are.
        metadata: MetadataConfig = MetadataConfig::default(),
        /// Realtime ingestion.
        ingestion: IngestionConfig = IngestionConfig::default(),
        /// Serving published segments.
        historical: HistoricalConfig = HistoricalConfig::default(),
        /// Queries.
        query: QueryConfig = QueryConfig::default(),
        /// SQL.
        sql: SqlConfig = SqlConfig::default(),
        /// Caches of query results.
        cache: CacheConfig = CacheConfig::default(),
        /// Deep storage.
        storage: StorageConfig = StorageConfig::default(),
        /// Logs.
        log: LogConfig = LogConfig::default(),
    }
}

section! {
    /// gRPC: the services of `proto/henge/v1`, health and reflection.
    GrpcConfig {
        /// Address and port to listen on, such as `127.0.0.1:8889`; beyond loopback as with `host`. Empty
        /// means `host` and the port after `port`, or a free one when `port` is 0; `off` means none.
        listen: String = String::new(),
    }
}

section! {
    /// Other processes of a cluster. They share their metadata (`metadata.url`) and deep storage
    /// (`storage.url`), each has a `data_dir` of its own, and they find each other by gossip over UDP. With
    /// nothing set here the process is alone and has all roles.
    ClusterConfig {
        /// What this process does: some of `realtime`, `historical`, `broker` and `coordinator`; empty means
        /// all of them.
        roles: Vec<String> = Vec::new(),
        /// The name of the process: unique in the cluster and the same after a restart. Letters, digits and
        /// `-._`. Empty means `0` for a process that is alone, else `advertise` and the port.
        node: String = String::new(),
        /// Gossip addresses of some processes of the cluster, as host:port; this one may be among them.
        seeds: Vec<String> = Vec::new(),
        /// Address and port for gossip (UDP); empty means `host` and the port after that of gRPC.
        gossip_listen: String = String::new(),
        /// The host under which other processes reach this one; empty means `host`.
        advertise: String = String::new(),
        /// What the process shares its fate with: a rack, a data centre. Copies of a segment are put into
        /// different zones where there are any.
        zone: String = String::new(),
        /// A secret that all processes of the cluster are given, 16 letters at least. They show it to each
        /// other, and clients of addresses beyond loopback show it too, as `Authorization: Bearer …`.
        token: Secret = Secret::default(),
        /// Copies of each published segment, on as many historical nodes.
        replicas: u32 = 1,
        /// Time between two rounds of gossip. A process that is silent for about ten of them counts as gone.
        gossip_interval_ms: u64 = 1_000,
        /// How long a coordinator leads without being heard of by the metadata store.
        lease_ms: u64 = 10_000,
    }
}

section! {
    /// Bounds on what clients send.
    LimitsConfig {
        /// Most bytes of a request's body on the wire.
        request_body_bytes: u64 = 16 * MIB,
        /// Most bytes of a request's body once inflated.
        inflated_body_bytes: u64 = 64 * MIB,
        /// Most bytes out of a compressed body a byte in, above 100 KiB.
        inflate_ratio: u64 = 100,
        /// Most connections at once.
        connections: u32 = 10_000,
        /// Time for a request's headers to arrive, counted from the answer before: how long a
        /// connection may be idle.
        header_timeout_ms: u64 = 5 * MINUTE_MS,
        /// Longest silence within a body; after it, 1 KiB a second is the least.
        body_idle_timeout_ms: u64 = 10_000,
        /// How long a client may take nothing of its answer; beyond, 16 KiB a second is the least.
        answer_idle_timeout_ms: u64 = 30_000,
        /// Most bytes of one event; a larger one is refused, not cut.
        event_bytes: u64 = MIB,
        /// Most fields of one event; one with more is refused.
        fields_per_event: u32 = 2_000,
        /// Most columns that events may bring to a datasource by discovery; an event with one more is
        /// refused.
        columns_per_datasource: u32 = 2_000,
        /// Dead letters kept of a datasource.
        dead_letters_per_datasource: u64 = 10_000,
        /// Hosts, beside loopback names and `host`, that requests may name in their `Host` and
        /// `Origin` headers: what a proxy or a page of yours sends. Others are refused.
        allowed_hosts: Vec<String> = Vec::new(),
    }
}

section! {
    /// Bounds on the memory of the process. What is 0 follows from the machine, or from the control group
    /// that the process runs in.
    MemoryConfig {
        /// Bytes that everything which requests make the server hold may take together; 0 means 60 % of
        /// the memory there is. Settings of single parts are lowered to their share of it.
        total_bytes: u64 = 0,
        /// Bytes of requests: bodies, and the rows that were parsed from them; 0 means a quarter of the
        /// total. Requests beyond are refused with 429.
        requests_bytes: u64 = 0,
        /// Bytes of answers that their clients have not read yet; 0 means a quarter of the total. Answers
        /// beyond become a 429.
        answers_bytes: u64 = 0,
    }
}

section! {
    /// Where the metadata are: segments, positions, schemas, tasks.
    MetadataConfig {
        /// Empty for a SQLite file in `data_dir`, or the address of a PostgreSQL database that Henge has to
        /// itself, `postgresql://user:password@host:port/database`. The password is never shown; what the
        /// address leaves out comes from PostgreSQL's own variables, such as `PGPASSWORD`.
        url: DatabaseAddress = DatabaseAddress::default(),
        /// How long each step of a call to PostgreSQL may take, waiting for a connection included; beyond,
        /// the call fails and may be tried again.
        timeout_ms: u64 = 10_000,
        /// Connections to PostgreSQL for reading; there is one more for writing.
        readers: u32 = 4,
    }
}

section! {
    /// Realtime ingestion and batch tasks.
    IngestionConfig {
        /// Threads that parse, index and write; 0 means one a core.
        threads: u32 = 0,
        /// How much the operating system prefers other threads to them, 0 to 19.
        nice: u32 = 5,
        /// Rows of one datasource in memory before they are persisted to a local part.
        max_rows_in_memory: u64 = 1_000_000,
        /// Bytes of one datasource in memory before they are persisted to a local part.
        max_bytes_in_memory: u64 = 128 * MIB,
        /// Bytes of all write-optimised indexes of the process; pushes are refused above.
        total_bytes_in_memory: u64 = 512 * MIB,
        /// Buffered rows of a datasource are handed off once there are this many.
        handoff_rows: u64 = 5_000_000,
        /// Buffered rows of a datasource are handed off once the first is this old.
        handoff_age_ms: u64 = 10 * MINUTE_MS,
        /// Bytes of pushed requests of one datasource that the log may keep because a time chunk of
        /// theirs cannot be handed off; pushes into the datasource are refused above.
        handoff_waiting_bytes: u64 = 16 * 1_024 * MIB,
        /// Time chunks of one datasource that may be open at once.
        open_chunks_per_datasource: u32 = 1_000,
        /// Bytes after which a new file of the write-ahead log is begun.
        wal_file_bytes: u64 = 128 * MIB,
        /// Bytes that one group commit takes at most.
        wal_group_bytes: u64 = 8 * MIB,
        /// Bytes that may wait for the write-ahead log of one datasource; pushes are refused above.
        wal_waiting_bytes: u64 = 128 * MIB,
        /// How long an idempotency key is remembered after its events were published.
        idempotency_window_ms: u64 = 24 * 60 * MINUTE_MS,
        /// Folders whose files batch tasks may read with an input source of the type `local`. Empty,
        /// the default while the server listens on loopback addresses only, means every folder but
        /// those of the system (`/boot`, `/dev`, `/etc`, `/proc`, `/run`, `/sys`, `/var`). Links are
        /// followed first; what is the server's own (`data_dir`, deep storage, metadata, its
        /// configuration), devices, pipes and sockets are never read.
        local_roots: Vec<PathBuf> = Vec::new(),
        /// Batch tasks that may wait; more are refused with 429.
        waiting_tasks: u32 = 10_000,
    }
}

section! {
    /// Serving published segments.
    HistoricalConfig {
        /// The tier of the node: rules say how many copies of a segment each tier has (`henge rules`).
        tier: String = "_default_tier".into(),
        /// Of the nodes that have a segment, those with the largest number are asked first: give it to the
        /// tier that is to answer while it can.
        priority: i32 = 0,
        /// The codec of the segments that are served: `none` is the fastest to scan (segments are
        /// rewritten on the node's disk after loading), `as_stored` the smallest; `lz4` and `zstd` lie
        /// between: rewritten for scans, and compressed where that saves much. Deep storage keeps the smallest.
        codec: TierCodec = TierCodec::None,
        /// How segments are held: `cached` has them on the node's disk, and in memory what the operating
        /// system keeps of it; `pinned` keeps all of it in memory too; `on_demand` leaves them in deep storage as they are, serves them at once and
        /// keeps on the disk the blocks of columns that were read lately.
        residency: Residency = Residency::Cached,
        /// Ask the operating system for the blocks of columns that a query is about to read, and for those
        /// that come next, before they are read. It matters where segments do not fit into memory, and costs
        /// nothing where they do.
        read_ahead: bool = true,
        /// Bytes of segments that the node serves; 0 means 95 % of the disk's size, and ten times the disk's
        /// size on demand.
        capacity_bytes: u64 = 0,
        /// Bytes that blocks of segments served on demand may take on the disk; 0 means 95 % of the disk's
        /// size.
        block_cache_bytes: u64 = 0,
        /// Bytes a second that are read again, of cached segments and of their objects in deep
        /// storage, to find and mend damage that no query meets; 0 reads nothing again.
        scrub_bytes_per_second: u64 = 8 * MIB,
        /// How long a disk may take for a few bytes. While it takes longer, the node answers for no segment
        /// and is not ready, so that replicas are asked; 0 never gives up.
        disk_timeout_ms: u64 = MINUTE_MS,
    }
}

/// The codec of the segments that a tier serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierCodec {
    /// None: the fastest to scan. Segments are rewritten on the node's disk after loading.
    #[default]
    None,
    /// Rewritten as well, and compressed where that saves much.
    Lz4,
    /// The same, smaller and slower to scan.
    Zstd,
    /// That of deep storage: the smallest.
    AsStored,
}

/// How the segments of a tier are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// On the disk, and in memory what the operating system keeps.
    #[default]
    Cached,
    /// On the disk and in memory.
    Pinned,
    /// In deep storage; on the disk is what was read lately.
    OnDemand,
}

section! {
    /// Queries.
    QueryConfig {
        /// Threads that compute; 0 means one a core.
        threads: u32 = 0,
        /// Time a query may take when its context does not say.
        timeout_ms: u64 = 5 * MINUTE_MS,
        /// Longest time that a query's context may ask for.
        max_timeout_ms: u64 = 60 * MINUTE_MS,
        /// Bytes that one query may take on a node; 0 means half of what all may take together, so that
        /// none leaves the others nothing.
        memory_budget_bytes: u64 = 0,
        /// Bytes that all queries may take together; 0 means half of `memory.total_bytes`. Queries beyond
        /// are refused with 429.
        total_memory_bytes: u64 = 0,
        /// Bytes that one groupBy may put into temporary files on a node once its memory is full; 0
        /// switches it off. `maxOnDiskStorage` in a query's context lowers it.
        max_on_disk_storage_bytes: u64 = 4_096 * MIB,
        /// Bytes that node-wide dictionaries, which make merging segments fast, may take; 0 means an
        /// eighth of `memory.total_bytes`.
        dictionary_budget_bytes: u64 = 0,
        /// Queries at work at once; more wait.
        max_concurrent: u32 = 64,
        /// Queries that may wait; more are refused with 429.
        max_waiting: u32 = 1_000,
        /// By lane, the share of both in percent. Queries with a priority below 0 run in lane `low`.
        lanes: BTreeMap<String, u32> = BTreeMap::from([("low".to_owned(), 50)]),
        /// Queries that take longer are logged.
        slow_ms: u64 = 2_000,
        /// Of a hundred calls to data nodes so many may be made a second time, to replicas of nodes that are
        /// late; 0 means none.
        hedge_percent: u32 = 5,
        /// No call to a data node is late before this.
        hedge_after_ms: u64 = 100,
        /// How long a data node of another process is waited for that has to say what it announced; then the
        /// metadata are asked instead.
        inventory_wait_ms: u64 = 100,
        /// How long segments are asked for whose data nodes cannot be reached; then the query fails, or its
        /// answer names them.
        unreached_wait_ms: u64 = 5_000,
        /// Most time buckets of one query.
        max_buckets: u64 = 1_000_000,
        /// Refuse queries for what is ignored with a warning otherwise: fields that nothing reads,
        /// datasources without data. `strict` in a query's context does it for that query.
        strict: bool = false,
        /// Encode and decode all that the broker and the data nodes of this process say to each other,
        /// as between processes: slower, to test with.
        encode_calls: bool = false,
    }
}

section! {
    /// SQL. Native queries that statements are made into have the limits of `[query]`.
    SqlConfig {
        /// Bytes that operators outside of native queries (joins, windows, sorts) may take together before they
        /// spill; 0 means as much as one query. They count among those of `query.total_memory_bytes`.
        memory_bytes: u64 = 0,
        /// Bytes that such operators may put into temporary files together; 0 switches it off.
        spill_bytes: u64 = 4_096 * MIB,
        /// Bytes of plans of statements that are remembered; 0 switches it off.
        plan_cache_bytes: u64 = 64 * MIB,
        /// Parts in which such operators work at once; 0 means one a thread of queries.
        partitions: u32 = 0,
        /// Bytes of a statement's text.
        max_text_bytes: u64 = 16 * MIB,
        /// Words and marks of a statement.
        max_words: u32 = 1_000_000,
        /// Tables that a statement reads, each counted as often as it is read once the names of its WITH are
        /// written out.
        max_tables: u32 = 1_000,
        /// Joins of a statement, and subqueries in its expressions, which become joins.
        max_joins: u32 = 200,
        /// Grouping sets of one GROUP BY.
        max_grouping_sets: u32 = 1_024,
        /// Levels of operators above each other: a subquery and a name of WITH are three, a window two, a join
        /// one.
        max_levels: u32 = 400,
        /// Columns of each level, together.
        max_carried_columns: u32 = 1_000_000,
    }
}

section! {
    /// Caches of query results. 0 bytes switch one off.
    CacheConfig {
        /// Bytes of what single segments contributed to queries.
        segment_bytes: u64 = 256 * MIB,
        /// Bytes of whole answers.
        result_bytes: u64 = 64 * MIB,
        /// Larger entries are kept in neither.
        max_entry_bytes: u64 = MIB,
    }
}

section! {
    /// Deep storage: where published segments are kept for good. Parts of uploads that a crash left
    /// unfinished are freed by a rule of the bucket's (S3: `AbortIncompleteMultipartUpload`).
    StorageConfig {
        /// The bucket, with a prefix if it is shared: `s3://bucket/prefix`, `gs://bucket/prefix` or
        /// `az://container/prefix`; or a folder that the processes of a cluster share, `file:///path`. Empty
        /// means the folder `deep-storage` in `data_dir`.
        url: String = String::new(),
        /// Where the store listens, when it is not the provider's own: `https://host:port`.
        endpoint: String = String::new(),
        /// The bucket's region on S3; empty means `us-east-1`.
        region: String = String::new(),
        /// Allow an endpoint that is not encrypted.
        allow_http: bool = false,
        /// Credentials and whatever else the provider takes, as `[storage.options]`, by the names of
        /// Rust's `object_store`: `access_key_id`, `secret_access_key` and `session_token`;
        /// `google_service_account`; `azure_storage_account_name` and `azure_storage_account_key`. What
        /// is not given comes from the provider's variables (`AWS_…`, `GOOGLE_…`, `AZURE_…`; region and
        /// endpoint too), and else from the role of the machine. Never printed.
        options: BTreeMap<String, Secret> = BTreeMap::new(),
    }
}

section! {
    /// Logs.
    LogConfig {
        /// What is logged, as in `RUST_LOG`.
        filter: String = "info".into(),
        /// How lines are written: `text` for people, `json` for programs, an object a line.
        format: LogFormat = LogFormat::Text,
    }
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}
