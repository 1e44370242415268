//! What operators set while the coordinator runs, under Druid's names: documents of the metadata (ADR 26), so
//! that whoever leads next goes by the same, and every version says who set it.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use henge_platform::discovery::ServerId;
use henge_platform::metadata::{Document, Fence, MetadataError, MetadataStore};
use henge_types::Period;
use serde::{Deserialize, Serialize};

pub use model::DynamicConfig;

use crate::error::{CoordinatorError, Result};
use crate::options::CoordinatorOptions;
use crate::snapshot::{Limits, ServerState};

/// The kind of the documents.
const COORDINATOR: &str = "coordinator";
const CONFIG: &str = "config";
const DRAINING: &str = "draining";
/// Somebody else changes the same at once, hardly ever more often than this.
const ATTEMPTS: usize = 10;

/// Druid's defaults.
const KILL_BUFFER: Period = days(30);
const KILL_RETAIN: Period = days(90);
const WAIT_BEFORE_DELETING_MS: u64 = 900_000;

const fn days(days: u32) -> Period {
    Period { years: 0, months: 0, weeks: 0, days, hours: 0, minutes: 0, seconds: 0, millis: 0 }
}

/// A period that reaches beyond the beginning of time keeps everything.
fn before(now_ms: i64, period: Period) -> i64 {
    period.checked_add_utc(now_ms, -1).unwrap_or(i64::MIN)
}

/// One version of the settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigChange {
    /// All that is set from then on.
    pub config: DynamicConfig,
    /// Who set it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
}

/// The nodes that are to be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Draining {
    servers: BTreeSet<ServerId>,
    #[serde(flatten)]
    said: Said,
}

/// Who changed something, why, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Said {
    /// Who.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// When, in milliseconds since 1970; `None` for what no history shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<i64>,
}

impl Draining {
    /// As a version of the settings.
    fn as_change(&self) -> Option<ConfigChange> {
        let Said { author, comment, time_ms } = self.said.clone();
        let servers = self.servers.iter().map(ToString::to_string).collect();
        let config =
            DynamicConfig { decommissioning_nodes: Some(servers), ..DynamicConfig::default() };
        Some(ConfigChange { config, author, comment, time_ms: time_ms? })
    }
}

/// What a run goes by.
#[derive(Debug, Clone, Default)]
pub(crate) struct OperatorSettings {
    pub config: DynamicConfig,
    pub draining: BTreeSet<ServerId>,
    /// Changes with each of them.
    pub stamp: Vec<(String, u64)>,
}

impl OperatorSettings {
    pub(crate) fn limits(&self, options: &CoordinatorOptions) -> Limits {
        let config = &self.config;
        Limits {
            moves: config.max_segments_to_move.unwrap_or(options.moves_at_once),
            further_copies: config
                .replication_throttle_limit
                .unwrap_or(options.further_copies_per_run),
        }
    }

    /// How long a coordinator leads before it deletes anything.
    pub(crate) fn wait_before_deleting_ms(&self) -> u64 {
        self.config.millis_to_wait_before_deleting.unwrap_or(WAIT_BEFORE_DELETING_MS)
    }

    /// True unless an operator said that nothing is to be deleted.
    pub(crate) fn kills(&self) -> bool {
        self.config.kill_unused_segments.unwrap_or(true)
    }

    /// True once an operator said that objects that were never published are to be deleted.
    pub(crate) fn deletes_uploads(&self) -> bool {
        self.config.kill_unpublished_uploads.unwrap_or(false)
    }

    /// Unused segments go of these datasources; of all when none is named.
    pub(crate) fn kill_whitelist(&self) -> BTreeSet<String> {
        self.config.kill_data_source_whitelist.clone().unwrap_or_default()
    }

    /// What goes is not used since before this moment.
    pub(crate) fn unused_before_ms(&self, now_ms: i64) -> i64 {
        before(now_ms, self.kill_buffer_period())
    }

    pub(crate) fn kill_buffer_period(&self) -> Period {
        self.config.kill_buffer_period.unwrap_or(KILL_BUFFER)
    }

    pub(crate) fn kill_duration_to_retain(&self) -> Period {
        self.config.kill_duration_to_retain.unwrap_or(KILL_RETAIN)
    }

    /// The time of what goes ended before this moment.
    pub(crate) fn ends_before_ms(&self, now_ms: i64) -> i64 {
        before(now_ms, self.kill_duration_to_retain())
    }

    /// Leaves no more room in the queues of nodes than was set.
    pub(crate) fn limit_queues(&self, servers: &mut BTreeMap<ServerId, ServerState>) {
        let Some(most) = self.config.max_segments_in_node_loading_queue.filter(|most| *most > 0)
        else {
            return;
        };
        for server in servers.values_mut() {
            let room = most.saturating_sub(server.coming.len());
            server.room_for_loads = server.room_for_loads.min(room);
        }
    }
}

/// The settings and their history.
#[derive(Debug, Clone)]
pub struct ConfigStore {
    metadata: Arc<dyn MetadataStore>,
}

impl ConfigStore {
    /// Those kept in this store.
    #[must_use]
    pub fn new(metadata: Arc<dyn MetadataStore>) -> Self {
        Self { metadata }
    }

    /// What is set.
    ///
    /// # Errors
    /// When the metadata cannot be read, or hold what this version does not understand.
    pub async fn get(&self) -> Result<DynamicConfig> {
        let document = self.metadata.get_document(COORDINATOR, CONFIG).await?;
        document.map_or(Ok(DynamicConfig::default()), |d| Ok(parse::<ConfigChange>(&d)?.config))
    }

    /// Sets what `change` names, and leaves the rest; gives what holds then.
    ///
    /// # Errors
    /// When the metadata cannot be written, or somebody else leads by now.
    pub async fn merge(
        &self,
        change: ConfigChange,
        fence: Option<&Fence>,
    ) -> Result<DynamicConfig> {
        let set = |before: Option<ConfigChange>| {
            let before = before.map(|before| before.config).unwrap_or_default();
            let config = before.with(&change.config);
            Some(ConfigChange { config, ..change.clone() })
        };
        Ok(self.swap(CONFIG, set, fence).await?.config)
    }

    /// Versions of the settings, and of which nodes are to be empty, the newest first, at most `limit`.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<ConfigChange>> {
        let versions = self.metadata.document_versions(COORDINATOR, CONFIG, u64::MAX, limit);
        let mut changes: Vec<ConfigChange> =
            versions.await?.iter().map(parse).collect::<Result<_>>()?;
        let drains = self.metadata.document_versions(COORDINATOR, DRAINING, u64::MAX, limit);
        for document in drains.await? {
            changes.extend(parse::<Draining>(&document)?.as_change());
        }
        changes.sort_by_key(|change| std::cmp::Reverse(change.time_ms));
        changes.truncate(limit);
        Ok(changes)
    }

    /// The nodes that are to be empty.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn draining(&self) -> Result<BTreeSet<ServerId>> {
        let document = self.metadata.get_document(COORDINATOR, DRAINING).await?;
        document.map_or(Ok(BTreeSet::new()), |d| Ok(parse::<Draining>(&d)?.servers))
    }

    /// Says whether a node is to be empty from now on.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub async fn drain(
        &self,
        server: &ServerId,
        drain: bool,
        said: &Said,
        fence: Option<&Fence>,
    ) -> Result<()> {
        let set = |before: Option<Draining>| {
            let mut servers = before.unwrap_or_default().servers;
            let changes = match drain {
                true => servers.insert(Arc::clone(server)),
                false => servers.remove(server),
            };
            changes.then(|| Draining { servers, said: said.clone() })
        };
        self.swap(DRAINING, set, fence).await.map(|_| ())
    }

    /// These nodes are to be empty, and no others.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub async fn drain_only(
        &self,
        servers: BTreeSet<ServerId>,
        said: &Said,
        fence: Option<&Fence>,
    ) -> Result<()> {
        let set = |before: Option<Draining>| {
            let draining = Draining { servers: servers.clone(), said: said.clone() };
            (before.unwrap_or_default().servers != draining.servers).then_some(draining)
        };
        self.swap(DRAINING, set, fence).await.map(|_| ())
    }

    /// All that a run goes by.
    pub(crate) async fn read(&self) -> Result<OperatorSettings> {
        let mut set = OperatorSettings::default();
        for document in self.metadata.list_documents(COORDINATOR).await? {
            match document.name.as_str() {
                CONFIG => set.config = parse::<ConfigChange>(&document)?.config,
                DRAINING => set.draining = parse::<Draining>(&document)?.servers,
                _ => continue,
            }
            set.stamp.push((format!("{COORDINATOR}/{}", document.name), document.version));
        }
        Ok(set)
    }

    /// Changes a document, also when others do so at once; `None` leaves it as it is.
    async fn swap<T>(
        &self,
        name: &str,
        change: impl Fn(Option<T>) -> Option<T>,
        fence: Option<&Fence>,
    ) -> Result<T>
    where
        T: Serialize + for<'de> Deserialize<'de> + Default + Clone,
    {
        let mut changed = None;
        for _ in 0..ATTEMPTS {
            let document = self.metadata.get_document(COORDINATOR, name).await?;
            let version = document.as_ref().map_or(0, |document| document.version);
            let before: Option<T> = document.as_ref().map(parse).transpose()?;
            let Some(new) = change(before.clone()) else { return Ok(before.unwrap_or_default()) };
            let body = serde_json::to_string(&new)
                .map_err(|error| CoordinatorError::Internal(error.to_string()))?;
            match self.metadata.swap_document(COORDINATOR, name, version, &body, fence).await {
                Ok(_) => return Ok(new),
                Err(error @ MetadataError::DocumentChanged { .. }) => changed = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(changed.map_or_else(
            || CoordinatorError::Internal(format!("{name} was not set")),
            CoordinatorError::from,
        ))
    }
}

fn parse<T: for<'de> Deserialize<'de>>(document: &Document) -> Result<T> {
    serde_json::from_str(&document.body_json).map_err(|error| CoordinatorError::Stored {
        kind: document.kind.clone(),
        name: document.name.clone(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
