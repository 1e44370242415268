//! The server's configuration: defaults, then a TOML file, then `HENGE_...` variables. Unknown
//! names are refused, and everything is checked before anything starts.

mod env;
mod error;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::ConfigError;

/// All settings. Every field has a default, so an empty file is a good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on. Only loopback addresses until authentication is configured.
    pub host: String,
    /// Port to listen on; 0 picks a free one.
    pub port: u16,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Bounds on what clients send.
    pub limits: LimitsConfig,
    /// Bounds on the memory of the process.
    pub memory: MemoryConfig,
    /// Realtime ingestion.
    pub ingestion: IngestionConfig,
    /// Serving published segments.
    pub historical: HistoricalConfig,
    /// Queries.
    pub query: QueryConfig,
    /// Caches of query results.
    pub cache: CacheConfig,
    /// Logs.
    pub log: LogConfig,
}

/// Bounds on what clients send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most bytes of a request's body on the wire.
    pub request_body_bytes: u64,
    /// Most bytes of a request's body once inflated.
    pub inflated_body_bytes: u64,
    /// Most bytes out of a compressed body a byte in, above 100 KiB.
    pub inflate_ratio: u64,
    /// Most connections at once.
    pub connections: u32,
    /// Time for a request's headers to arrive, counted from the answer before: how long a connection
    /// may be idle.
    pub header_timeout_ms: u64,
    /// Longest silence within a body; after it, 1 KiB a second is the least.
    pub body_idle_timeout_ms: u64,
    /// How long a client may take nothing of its answer; beyond, 16 KiB a second is the least.
    pub answer_idle_timeout_ms: u64,
    /// Most bytes of one event.
    pub event_bytes: u64,
    /// Most fields of one event.
    pub fields_per_event: u32,
    /// Most columns of a datasource.
    pub columns_per_datasource: u32,
    /// Dead letters kept of a datasource.
    pub dead_letters_per_datasource: u64,
}

/// Bounds on the memory of the process. What is 0 follows from the machine, or from the control group
/// that the process runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Bytes that everything which requests make the server hold may take together; 0 means 60 % of
    /// the memory there is. Settings of single parts are lowered to their share of it.
    pub total_bytes: u64,
    /// Bytes of requests: bodies, and the rows that were parsed from them; 0 means a quarter of the
    /// total. Requests beyond are refused with 429.
    pub requests_bytes: u64,
    /// Bytes of answers that their clients have not read yet; 0 means a quarter of the total. Answers
    /// beyond become a 429.
    pub answers_bytes: u64,
}

/// Realtime ingestion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestionConfig {
    /// Threads that parse, index and write; 0 means one a core.
    pub threads: u32,
    /// How much the operating system prefers other threads to them, 0 to 19.
    pub nice: u32,
    /// Rows of one write-optimised index before it is persisted.
    pub max_rows_in_memory: u64,
    /// Bytes of one write-optimised index before it is persisted.
    pub max_bytes_in_memory: u64,
    /// Bytes of all write-optimised indexes of the process; pushes are refused above.
    pub total_bytes_in_memory: u64,
    /// A chunk is handed off once it has this many rows.
    pub handoff_rows: u64,
    /// A chunk is handed off once its first row is this old.
    pub handoff_age_ms: u64,
    /// Time chunks of one datasource that may be open at once.
    pub open_chunks_per_datasource: u32,
    /// Bytes of one file of the write-ahead log.
    pub wal_file_bytes: u64,
    /// Bytes that one group commit takes at most.
    pub wal_group_bytes: u64,
    /// Bytes that may wait for the write-ahead log of one datasource; pushes are refused above.
    pub wal_waiting_bytes: u64,
    /// How long an idempotency key is remembered.
    pub idempotency_window_ms: u64,
}

/// Serving published segments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoricalConfig {
    /// The codec of the segments that are served.
    pub codec: TierCodec,
}

/// The codec of the segments that a tier serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TierCodec {
    /// None: the fastest to scan. Segments are rewritten on the node's disk after loading.
    #[default]
    None,
    /// That of deep storage: the smallest.
    AsStored,
}

/// Queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryConfig {
    /// Threads that compute; 0 means one a core.
    pub threads: u32,
    /// Time a query may take when its context does not say.
    pub timeout_ms: u64,
    /// Longest time that a query's context may ask for.
    pub max_timeout_ms: u64,
    /// Bytes that one query may take on a node.
    pub memory_budget_bytes: u64,
    /// Bytes that all queries may take together; queries beyond are refused with 429.
    pub total_memory_bytes: u64,
    /// Bytes that one groupBy may put into temporary files once its memory is full; 0 switches it
    /// off. `maxOnDiskStorage` in a query's context lowers it.
    pub max_on_disk_storage_bytes: u64,
    /// Bytes that node-wide dictionaries, which make merging segments fast, may take.
    pub dictionary_budget_bytes: u64,
    /// Queries at work at once; more wait.
    pub max_concurrent: u32,
    /// Queries that may wait; more are refused with 429.
    pub max_waiting: u32,
    /// By lane, the share of both in percent. Queries with a priority below 0 run in lane `low`.
    pub lanes: BTreeMap<String, u32>,
    /// Queries that take longer are logged.
    pub slow_ms: u64,
    /// Most time buckets of one query.
    pub max_buckets: u64,
}

/// Caches of query results. 0 bytes switch one off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Bytes of what single segments contributed to queries.
    pub segment_bytes: u64,
    /// Bytes of whole answers.
    pub result_bytes: u64,
    /// Larger entries are kept in neither.
    pub max_entry_bytes: u64,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged, as in `RUST_LOG`.
    pub filter: String,
}

const MIB: u64 = 1 << 20;
const MINUTE_MS: u64 = 60_000;

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8888,
            data_dir: "./data".into(),
            limits: LimitsConfig::default(),
            memory: MemoryConfig::default(),
            ingestion: IngestionConfig::default(),
            historical: HistoricalConfig::default(),
            query: QueryConfig::default(),
            cache: CacheConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            request_body_bytes: 16 * MIB,
            inflated_body_bytes: 64 * MIB,
            inflate_ratio: 100,
            connections: 10_000,
            header_timeout_ms: 5 * MINUTE_MS,
            body_idle_timeout_ms: 10_000,
            answer_idle_timeout_ms: 30_000,
            event_bytes: MIB,
            fields_per_event: 2_000,
            columns_per_datasource: 10_000,
            dead_letters_per_datasource: 10_000,
        }
    }
}

impl Default for IngestionConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            nice: 5,
            max_rows_in_memory: 1_000_000,
            max_bytes_in_memory: 128 * MIB,
            total_bytes_in_memory: 512 * MIB,
            handoff_rows: 5_000_000,
            handoff_age_ms: 10 * MINUTE_MS,
            open_chunks_per_datasource: 1_000,
            wal_file_bytes: 128 * MIB,
            wal_group_bytes: 8 * MIB,
            wal_waiting_bytes: 128 * MIB,
            idempotency_window_ms: 24 * 60 * MINUTE_MS,
        }
    }
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            threads: 0,
            timeout_ms: 5 * MINUTE_MS,
            max_timeout_ms: 60 * MINUTE_MS,
            memory_budget_bytes: 1_024 * MIB,
            total_memory_bytes: 4_096 * MIB,
            max_on_disk_storage_bytes: 4_096 * MIB,
            dictionary_budget_bytes: 1024 * MIB,
            max_concurrent: 64,
            max_waiting: 1_000,
            lanes: BTreeMap::from([("low".to_owned(), 50)]),
            slow_ms: 2_000,
            max_buckets: 1_000_000,
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { segment_bytes: 256 * MIB, result_bytes: 64 * MIB, max_entry_bytes: MIB }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".into() }
    }
}

impl ServerConfig {
    /// Reads a file, if one is named, and the process's environment. The environment is read here
    /// and nowhere else.
    ///
    /// # Errors
    /// When the file cannot be read, a name is unknown or a value does not fit.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?,
            None => String::new(),
        };
        Self::from_parts(&text, std::env::vars())
    }

    /// Puts together the text of a file and `HENGE_...` variables, and checks the result.
    ///
    /// # Errors
    /// When a name is unknown or a value does not fit.
    pub fn from_parts(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| ConfigError::Parse(error.to_string()))?;
        env::apply(&mut table, variables)?;
        let config: Self =
            table.try_into().map_err(|error| ConfigError::Parse(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// `Invalid`, naming the field and the fix.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let host = self.host.parse::<IpAddr>().ok();
        let is_loopback =
            host.map_or_else(|| self.host == "localhost", |address| address.is_loopback());
        // Without authentication, whoever reaches the port may do anything.
        check(is_loopback, "host", || {
            format!(
                "'{}' is not a loopback address and there is no authentication yet: \
                use 127.0.0.1 and put a proxy in front",
                self.host
            )
        })?;
        check(!self.data_dir.as_os_str().is_empty(), "data_dir", || "is empty".into())?;
        let limits = &self.limits;
        not_zero("limits.request_body_bytes", limits.request_body_bytes)?;
        not_zero("limits.inflate_ratio", limits.inflate_ratio)?;
        not_zero("limits.connections", limits.connections.into())?;
        not_zero("limits.header_timeout_ms", limits.header_timeout_ms)?;
        not_zero("limits.body_idle_timeout_ms", limits.body_idle_timeout_ms)?;
        not_zero("limits.answer_idle_timeout_ms", limits.answer_idle_timeout_ms)?;
        not_zero("limits.fields_per_event", limits.fields_per_event.into())?;
        not_zero("limits.columns_per_datasource", limits.columns_per_datasource.into())?;
        let inflated = limits.inflated_body_bytes;
        check(inflated >= limits.request_body_bytes, "limits.inflated_body_bytes", || {
            "is below limits.request_body_bytes".into()
        })?;
        check(inflated <= 256 * MIB, "limits.inflated_body_bytes", || {
            "is above 256 MiB, the most that one record of the write-ahead log takes".into()
        })?;
        check((1..=inflated).contains(&limits.event_bytes), "limits.event_bytes", || {
            "must be from 1 to limits.inflated_body_bytes".into()
        })?;
        self.validate_work()
    }

    fn validate_work(&self) -> Result<(), ConfigError> {
        let ingestion = &self.ingestion;
        not_zero("ingestion.max_rows_in_memory", ingestion.max_rows_in_memory)?;
        not_zero("ingestion.max_bytes_in_memory", ingestion.max_bytes_in_memory)?;
        not_zero("ingestion.handoff_rows", ingestion.handoff_rows)?;
        not_zero("ingestion.handoff_age_ms", ingestion.handoff_age_ms)?;
        let chunks = ingestion.open_chunks_per_datasource;
        not_zero("ingestion.open_chunks_per_datasource", chunks.into())?;
        not_zero("ingestion.wal_group_bytes", ingestion.wal_group_bytes)?;
        not_zero("ingestion.wal_waiting_bytes", ingestion.wal_waiting_bytes)?;
        check(ingestion.wal_file_bytes >= MIB, "ingestion.wal_file_bytes", || {
            "is below 1 MiB".into()
        })?;
        let total_fits = ingestion.total_bytes_in_memory >= ingestion.max_bytes_in_memory;
        check(total_fits, "ingestion.total_bytes_in_memory", || {
            "is below ingestion.max_bytes_in_memory".into()
        })?;
        let rows_fit = ingestion.max_rows_in_memory <= u64::from(u32::MAX)
            && ingestion.handoff_rows <= u64::from(u32::MAX);
        check(rows_fit, "ingestion.handoff_rows", || {
            "is above 4294967295, the most rows of a segment".into()
        })?;
        let query = &self.query;
        not_zero("query.timeout_ms", query.timeout_ms)?;
        not_zero("query.memory_budget_bytes", query.memory_budget_bytes)?;
        check(
            query.total_memory_bytes >= query.memory_budget_bytes,
            "query.total_memory_bytes",
            || "is below query.memory_budget_bytes".into(),
        )?;
        not_zero("query.max_concurrent", query.max_concurrent.into())?;
        check(
            query.lanes.values().all(|percent| (1..=100).contains(percent)),
            "query.lanes",
            || "is a lane's share in percent: from 1 to 100".into(),
        )?;
        check(ingestion.nice <= 19, "ingestion.nice", || "is above 19".into())?;
        check(ingestion.threads <= 1_024, "ingestion.threads", || "is above 1024".into())?;
        not_zero("query.max_buckets", query.max_buckets)?;
        check(query.threads <= 1_024, "query.threads", || "is above 1024".into())?;
        check(query.max_timeout_ms >= query.timeout_ms, "query.max_timeout_ms", || {
            "is below query.timeout_ms".into()
        })
    }

    /// The settings in effect, as TOML; what is secret is never part of it.
    #[must_use]
    pub fn render(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

fn check(
    holds: bool,
    field: &'static str,
    reason: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Invalid { field, reason: reason() }) }
}

fn not_zero(field: &'static str, value: u64) -> Result<(), ConfigError> {
    check(value > 0, field, || "must be above 0".into())
}

#[cfg(test)]
mod tests;
