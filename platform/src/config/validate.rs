//! What types cannot check: values that cannot work, alone or together.

use std::net::IpAddr;
use std::time::Duration;

use henge_types::validate_tier_name;

use super::sections::MIB;
use super::{ConfigError, MetadataConfig, ServerConfig};
use crate::metadata::{MetadataError, PostgresOptions};
use crate::storage::{Provider, ProviderOption};

impl MetadataConfig {
    /// How the database is reached; `None` when the metadata are in the data folder.
    ///
    /// # Errors
    /// `Invalid` when the address is none of PostgreSQL.
    pub fn options(&self) -> Result<Option<PostgresOptions>, MetadataError> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let mut options = PostgresOptions::new(self.url.with_password())?;
        options.timeout = Duration::from_millis(self.timeout_ms);
        options.readers = self.readers as usize;
        Ok(Some(options))
    }
}

impl ServerConfig {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// `Invalid`, naming the field and the fix.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let has_token = !self.cluster.token.is_empty();
        check_reach("host", &self.host, has_token)?;
        if let Some((host, _)) = self.grpc_bind()? {
            check_reach("grpc.listen", &host, has_token)?;
        }
        self.validate_cluster()?;
        check(!self.data_dir.as_os_str().is_empty(), "data_dir", || "is empty".into())?;
        let tier = &self.historical.tier;
        check(validate_tier_name(tier).is_ok(), "historical.tier", || {
            format!("is {tier:?}: write 1 to 64 letters, digits, '_' and '-', for example \"hot\"")
        })?;
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
        let metadata = &self.metadata;
        not_zero("metadata.timeout_ms", metadata.timeout_ms)?;
        not_zero("metadata.readers", metadata.readers.into())?;
        if let Err(error) = metadata.options() {
            return Err(ConfigError::Invalid { field: "metadata.url", reason: error.to_string() });
        }
        self.validate_storage()?;
        self.validate_work()
    }

    fn validate_storage(&self) -> Result<(), ConfigError> {
        let storage = &self.storage;
        if storage.url.is_empty() {
            let is_alone = storage.endpoint.is_empty() && storage.options.is_empty();
            return check(is_alone, "storage.url", || {
                "is missing, though other settings of [storage] are given".into()
            });
        }
        if let Some(folder) = self.shared_folder() {
            return check(folder.starts_with('/'), "storage.url", || {
                format!("'{}' is no whole path: write file:///path", storage.url)
            });
        }
        let Some(provider) = Provider::of(&storage.url) else {
            return check(false, "storage.url", || {
                format!("'{}' begins with none of s3://, gs://, az:// and file://", storage.url)
            });
        };
        let has_scheme =
            ["http://", "https://"].iter().any(|scheme| storage.endpoint.starts_with(scheme));
        check(storage.endpoint.is_empty() || has_scheme, "storage.endpoint", || {
            format!("'{}' begins with neither https:// nor http://", storage.endpoint)
        })?;
        let is_open = storage.endpoint.starts_with("http://");
        check(!is_open || storage.allow_http, "storage.endpoint", || {
            format!(
                "'{}' is not encrypted: use https://, or set storage.allow_http",
                storage.endpoint
            )
        })?;
        let is_plain = |name: &str| provider.option(name) == ProviderOption::Plain;
        let unknown = storage.options.keys().find(|name| !is_plain(name));
        check(unknown.is_none(), "storage.options", || {
            format!(
                "has '{}', which the store of '{}' does not take or which has a setting of its own",
                unknown.map_or("", String::as_str),
                storage.url
            )
        })
    }

    /// Host and port of gRPC; `None` when it is off.
    ///
    /// # Errors
    /// When the setting is no address.
    pub fn grpc_bind(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let invalid = |reason: String| ConfigError::Invalid { field: "grpc.listen", reason };
        let listen = self.grpc.listen.trim();
        if listen == "off" {
            return Ok(None);
        }
        if listen.is_empty() {
            let none = || invalid("is empty and there is no port after `port`: set it".into());
            let after = match self.port {
                0 => 0,
                port => port.checked_add(1).ok_or_else(none)?,
            };
            return Ok(Some((self.host.clone(), after)));
        }
        let wrong =
            || invalid(format!("'{listen}' is not an address: write 127.0.0.1:8889, or off"));
        host_and_port(listen).map(Some).ok_or_else(wrong)
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
        not_zero("ingestion.handoff_waiting_bytes", ingestion.handoff_waiting_bytes)?;
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
        let all_bytes = query.total_memory_bytes;
        let one_fits = all_bytes == 0 || all_bytes >= query.memory_budget_bytes;
        check(one_fits, "query.total_memory_bytes", || {
            "is below query.memory_budget_bytes".into()
        })?;
        not_zero("query.max_concurrent", query.max_concurrent.into())?;
        check(
            query.lanes.values().all(|percent| (1..=100).contains(percent)),
            "query.lanes",
            || "is a lane's share in percent: from 1 to 100".into(),
        )?;
        check(ingestion.nice <= 19, "ingestion.nice", || "is above 19".into())?;
        check(ingestion.threads <= 1_024, "ingestion.threads", || "is above 1024".into())?;
        not_zero("query.max_buckets", query.max_buckets)?;
        check(query.hedge_percent <= 100, "query.hedge_percent", || "is above 100".into())?;
        check(query.threads <= 1_024, "query.threads", || "is above 1024".into())?;
        check(self.sql.partitions <= 1_024, "sql.partitions", || "is above 1024".into())?;
        check(query.max_timeout_ms >= query.timeout_ms, "query.max_timeout_ms", || {
            "is below query.timeout_ms".into()
        })
    }
}

/// An address as it is listened on: `127.0.0.1:80`, `[::1]:80`.
pub(super) fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?))
}

pub(super) fn check(
    holds: bool,
    field: &'static str,
    reason: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Invalid { field, reason: reason() }) }
}

/// Whether only this machine reaches it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    address.map_or_else(|| host == "localhost", |address| address.is_loopback())
}

/// Without a token, whoever reaches a port may do anything.
fn check_reach(field: &'static str, host: &str, has_token: bool) -> Result<(), ConfigError> {
    check(has_token || is_loopback(host), field, || {
        format!(
            "'{host}' is not a loopback address: use 127.0.0.1 and put a proxy in front, or set \
             cluster.token, which everybody who calls has to show then"
        )
    })
}

pub(super) fn not_zero(field: &'static str, value: u64) -> Result<(), ConfigError> {
    check(value > 0, field, || "must be above 0".into())
}
