//! From the configuration to the options of the parts. Every section is taken apart by name, without
//! a rest, so that a setting nobody uses does not compile.

use std::sync::Arc;
use std::time::Duration;

use henge_broker::BrokerOptions;
use henge_historical_node::{HistoricalOptions, ServedForm};
use henge_ingest::ParseLimits;
use henge_platform::compression::InflateLimits;
use henge_platform::config::{
    GrpcConfig, HistoricalConfig, IngestionConfig, LimitsConfig, LogConfig, Residency, Secret,
    ServerConfig, SqlConfig, StorageConfig, TierCodec, is_loopback,
};
use henge_platform::http::{AllowedHosts, BodyLimits, ReadPace, ServeOptions};
use henge_platform::rpc::{RpcLimits, RpcOptions};
use henge_platform::runtime::machine::mapping_limit;
use henge_platform::runtime::{HandleLimit, PoolOptions};
use henge_platform::wal::WalOptions;
use henge_realtime_node::RealtimeOptions;
use henge_sql::{SqlOptions, StatementLimits};
use tokio::sync::watch;

use crate::data_folder::DataFolder;
use crate::memory::Accounts;
use crate::node_options::NodeOptions;

/// File handles that are kept from connections for files: databases, logs, segments on their way, spills.
const HANDLES_FOR_FILES: u64 = 512;

/// The options of all parts.
#[derive(Debug)]
pub(crate) struct Options {
    /// Host and port.
    pub(crate) bind: (String, u16),
    /// Those of gRPC, when it is on.
    pub(crate) grpc_bind: Option<(String, u16)>,
    /// What the memory of the process is shared out into.
    pub(crate) accounts: Accounts,
    pub(crate) serve: ServeOptions,
    pub(crate) body: BodyLimits,
    pub(crate) allowed_hosts: AllowedHosts,
    pub(crate) query_threads: usize,
    /// Whether calls of data nodes are encoded, for tests.
    pub(crate) encode_calls: bool,
    pub(crate) ingest_pool: PoolOptions,
    /// Bytes of the cache of partial results, and of its largest entry.
    pub(crate) partial_cache_bytes: (usize, usize),
    pub(crate) historical: HistoricalOptions,
    pub(crate) realtime: RealtimeOptions,
    pub(crate) broker: BrokerOptions,
    pub(crate) sql: SqlOptions,
    pub(crate) storage: StorageConfig,
    pub(crate) node: NodeOptions,
    /// What clients have to show, where somebody else than this machine reaches the process.
    pub(crate) required_token: Option<Secret>,
}

impl Options {
    /// The options that a configuration asks for.
    pub(crate) fn new(config: &ServerConfig, folder: &DataFolder, handles: HandleLimit) -> Self {
        let ServerConfig {
            host,
            port,
            // The folder was made from it, logging begins before this.
            data_dir: _,
            // Taken apart below, together with host and port.
            grpc: GrpcConfig { listen: _ },
            // `NodeOptions` takes it apart.
            cluster,
            limits,
            memory,
            ingestion,
            historical,
            query,
            sql,
            cache,
            storage,
            log: LogConfig { filter: _, format: _ },
            // `DataFolder` says where the metadata are.
            metadata: _,
        } = config;
        let accounts = Accounts::new(memory, ingestion.total_bytes_in_memory);
        let mut realtime = RealtimeOptions::under(folder.root());
        let (query_threads, dictionary_budget_bytes) =
            (query.threads as usize, size(query.dictionary_budget_bytes));
        let partial_cache_bytes = (size(cache.segment_bytes), size(cache.max_entry_bytes));
        let ingest_pool = ingestion_options(ingestion, &mut realtime);
        // What is being written, a chunk a thread, and its copies while it is sorted come on top.
        realtime.max_load_bytes = size(memory.total_bytes / 8);
        realtime.max_merge_bytes = realtime.max_load_bytes;
        let (serve, mut body) = limit_options(limits, &mut realtime, handles);
        body.account = accounts.requests.clone();
        let node = NodeOptions::new(config, cluster);
        let hosts = limits.allowed_hosts.iter().chain([host, &node.advertised_host]);
        Self {
            bind: (host.clone(), *port),
            // It was checked when it was read.
            grpc_bind: config.grpc_bind().ok().flatten(),
            allowed_hosts: AllowedHosts::new(hosts.cloned()),
            required_token: node.token.clone().filter(|_| !is_loopback(host)),
            accounts,
            serve,
            body,
            query_threads,
            encode_calls: query.encode_calls,
            ingest_pool,
            partial_cache_bytes,
            historical: historical_options(historical, folder, dictionary_budget_bytes, &node),
            realtime: RealtimeOptions {
                is_in_cluster: node.is_in_cluster,
                own_files: folder.own_files(),
                zone: Arc::clone(&node.zone),
                ..realtime.of_node(&node.name)
            },
            broker: BrokerOptions::new(query, cache),
            sql: sql_options(sql, query_threads, folder),
            storage: storage.clone(),
            node,
        }
    }
}

/// What the engine of SQL may take; spilled rows are beside those of native queries.
fn sql_options(config: &SqlConfig, query_threads: usize, folder: &DataFolder) -> SqlOptions {
    let SqlConfig {
        memory_bytes,
        spill_bytes,
        plan_cache_bytes,
        partitions,
        max_text_bytes,
        max_words,
        max_tables,
        max_joins,
        max_grouping_sets,
        max_levels,
        max_carried_columns,
    } = config;
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let partitions = match (*partitions as usize, query_threads) {
        (0, 0) => cores(),
        (0, threads) => threads,
        (partitions, _) => partitions,
    };
    SqlOptions {
        memory_bytes: size(*memory_bytes),
        spill_folder: Some(folder.query_spill()),
        spill_bytes: *spill_bytes,
        plan_cache_bytes: size(*plan_cache_bytes),
        partitions,
        // A slow one does not keep all others.
        planners: partitions.max(2),
        limits: StatementLimits {
            max_text_bytes: size(*max_text_bytes),
            max_words: *max_words as usize,
            max_tables: *max_tables as usize,
            max_joins: *max_joins as usize,
            max_grouping_sets: *max_grouping_sets as usize,
            max_levels: *max_levels as usize,
            max_carried_columns: *max_carried_columns as usize,
        },
    }
}

impl Options {
    /// What clients of gRPC may ask: what those of HTTP may.
    pub(crate) fn rpc_limits(&self, stopping: watch::Receiver<bool>) -> RpcLimits {
        RpcLimits {
            max_request_bytes: self.body.max_body_bytes,
            requests: self.accounts.requests.clone(),
            answers: self.accounts.answers.clone(),
            patience: self.serve.read_pace.grace,
            stopping,
        }
    }

    /// Bounds of the connections of gRPC.
    pub(crate) fn rpc(&self) -> RpcOptions {
        let defaults = RpcOptions::default();
        RpcOptions {
            max_connections: defaults.max_connections.min(self.serve.max_connections),
            shutdown_grace: self.serve.shutdown_grace,
            read_pace: self.serve.read_pace,
            ..defaults
        }
    }
}

fn limit_options(
    limits: &LimitsConfig,
    realtime: &mut RealtimeOptions,
    handles: HandleLimit,
) -> (ServeOptions, BodyLimits) {
    let LimitsConfig {
        request_body_bytes,
        inflated_body_bytes,
        inflate_ratio,
        connections,
        header_timeout_ms,
        body_idle_timeout_ms,
        answer_idle_timeout_ms,
        event_bytes,
        fields_per_event,
        columns_per_datasource,
        dead_letters_per_datasource,
        allowed_hosts: _, // joined with the address above
    } = limits;
    realtime.parse_limits = ParseLimits {
        max_event_bytes: size(*event_bytes),
        max_fields: *fields_per_event as usize,
        max_discovered_dimensions: *columns_per_datasource as usize,
        ..ParseLimits::default()
    };
    realtime.dead_letters_kept = *dead_letters_per_datasource;
    let defaults = ServeOptions::default();
    let grace = Duration::from_millis(*answer_idle_timeout_ms);
    let serve = ServeOptions {
        max_connections: connections_that_fit(*connections, handles),
        header_timeout: Duration::from_millis(*header_timeout_ms),
        read_pace: ReadPace { grace, ..defaults.read_pace },
        ..defaults
    };
    let body = BodyLimits {
        max_body_bytes: size(*request_body_bytes),
        inflate: InflateLimits {
            max_inflated_bytes: size(*inflated_body_bytes),
            max_ratio: size(*inflate_ratio),
            ..InflateLimits::default()
        },
        idle_timeout: Duration::from_millis(*body_idle_timeout_ms),
        ..BodyLimits::default()
    };
    (serve, body)
}

fn connections_that_fit(connections: u32, handles: HandleLimit) -> usize {
    let left = handles.now.saturating_sub(HANDLES_FOR_FILES).max(handles.now / 2);
    let fit = u64::from(connections).min(left);
    if fit < u64::from(connections) {
        tracing::warn!(
            handles = handles.now,
            connections = fit,
            "the operating system allows few file handles: limits.connections is lowered to fit; \
             raise the hard limit (ulimit -Hn)"
        );
    }
    size(fit)
}

fn ingestion_options(ingestion: &IngestionConfig, realtime: &mut RealtimeOptions) -> PoolOptions {
    let IngestionConfig {
        threads,
        nice,
        max_rows_in_memory,
        max_bytes_in_memory,
        total_bytes_in_memory: _, // the ceiling of an account
        handoff_rows,
        handoff_age_ms,
        handoff_waiting_bytes,
        open_chunks_per_datasource,
        wal_file_bytes,
        wal_group_bytes,
        wal_waiting_bytes,
        idempotency_window_ms,
        local_roots,
        waiting_tasks,
    } = ingestion;
    realtime.max_rows_in_memory = size(*max_rows_in_memory);
    realtime.max_bytes_in_memory = size(*max_bytes_in_memory);
    realtime.handoff_rows = size(*handoff_rows);
    realtime.handoff_period_ms = *handoff_age_ms;
    realtime.backlog.request_bytes = *handoff_waiting_bytes;
    realtime.max_open_chunks = *open_chunks_per_datasource as usize;
    realtime.idempotency_retention_ms = *idempotency_window_ms;
    realtime.local_roots = local_roots.clone();
    realtime.max_waiting_tasks = *waiting_tasks as usize;
    realtime.wal = WalOptions {
        max_file_bytes: *wal_file_bytes,
        max_group_bytes: size(*wal_group_bytes),
        max_waiting_bytes: *wal_waiting_bytes,
        ..WalOptions::default()
    };
    PoolOptions {
        threads: *threads as usize,
        name: "henge-ingest",
        nice: i32::try_from(*nice).unwrap_or(19),
    }
}

fn historical_options(
    historical: &HistoricalConfig,
    folder: &DataFolder,
    dictionary_budget_bytes: usize,
    node: &NodeOptions,
) -> HistoricalOptions {
    let HistoricalConfig {
        tier: _, // with the node's other names
        priority,
        codec,
        residency,
        read_ahead,
        capacity_bytes,
        block_cache_bytes,
        scrub_bytes_per_second,
        disk_timeout_ms,
    } = historical;
    let disk_bytes = folder.disk_bytes();
    HistoricalOptions {
        server_id: format!("historical-{}", node.name).into(),
        zone: Arc::clone(&node.zone),
        tier: Arc::clone(&node.tier),
        priority: *priority,
        cache_dir: folder.segment_cache(),
        capacity_bytes: match (capacity_bytes, residency) {
            (0, Residency::Cached | Residency::Pinned) => disk_bytes / 100 * 95,
            (0, Residency::OnDemand) => disk_bytes.saturating_mul(10),
            (bytes, _) => *bytes,
        },
        block_cache_bytes: match block_cache_bytes {
            0 => disk_bytes / 100 * 95,
            bytes => *bytes,
        },
        form: match (residency, codec) {
            (Residency::OnDemand, _) => ServedForm::OnDemand,
            (_, TierCodec::None) => ServedForm::Hot,
            (_, TierCodec::Lz4) => ServedForm::Lz4,
            (_, TierCodec::Zstd) => ServedForm::Zstd,
            (_, TierCodec::AsStored) => ServedForm::AsStored,
        },
        pinned: *residency == Residency::Pinned,
        read_ahead: *read_ahead,
        open_segments: mapping_limit() / 4 * 3,
        dictionary_budget_bytes,
        scrub_bytes_per_second: *scrub_bytes_per_second,
        disk_timeout_ms: *disk_timeout_ms,
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_arrive_where_they_work() {
        let mut config = ServerConfig::default();
        config.limits.event_bytes = 1_001;
        config.limits.fields_per_event = 12;
        config.limits.columns_per_datasource = 13;
        config.ingestion.wal_file_bytes = 1 << 21;
        config.ingestion.wal_group_bytes = 1_003;
        config.ingestion.wal_waiting_bytes = 1_004;
        config.ingestion.total_bytes_in_memory = 1 << 31;
        config.historical.capacity_bytes = 1_005;
        let folder = DataFolder::new(std::path::Path::new("."));
        let handles = HandleLimit { now: 1 << 20, ..HandleLimit::default() };
        let options = Options::new(&config, &folder, handles);
        let limits = &options.realtime.parse_limits;
        assert_eq!((limits.max_event_bytes, limits.max_fields), (1_001, 12));
        assert_eq!(limits.max_discovered_dimensions, 13);
        let wal = &options.realtime.wal;
        assert_eq!(
            (wal.max_file_bytes, wal.max_group_bytes, wal.max_waiting_bytes),
            (1 << 21, 1_003, 1_004)
        );
        assert_eq!(options.accounts.indexes.limit_bytes(), 1 << 31);
        assert_eq!(options.historical.capacity_bytes, 1_005);
    }

    #[test]
    fn the_form_of_a_tier_follows_from_its_codec_and_residency() {
        let folder = DataFolder::new(std::path::Path::new("."));
        for (codec, residency, form) in [
            (TierCodec::None, Residency::Cached, ServedForm::Hot),
            (TierCodec::AsStored, Residency::Cached, ServedForm::AsStored),
            (TierCodec::Lz4, Residency::Cached, ServedForm::Lz4),
            (TierCodec::Zstd, Residency::Pinned, ServedForm::Zstd),
            (TierCodec::None, Residency::Pinned, ServedForm::Hot),
            (TierCodec::None, Residency::OnDemand, ServedForm::OnDemand),
            (TierCodec::AsStored, Residency::OnDemand, ServedForm::OnDemand),
        ] {
            let mut config = ServerConfig::default();
            (config.historical.codec, config.historical.residency) = (codec, residency);
            let options = Options::new(&config, &folder, HandleLimit::default()).historical;
            assert_eq!((options.form, options.pinned), (form, residency == Residency::Pinned));
            assert!(options.open_segments > 0 && options.block_cache_bytes > 0);
            assert!(options.capacity_bytes > 0);
        }
    }
}
