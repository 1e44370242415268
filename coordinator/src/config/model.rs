//! Druid's dynamic configuration of the coordinator: the fields that do something here, and those that are only
//! kept, since clients send back all that they were given.

use std::collections::{BTreeMap, BTreeSet};

use henge_types::{Period, validate_datasource_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields of Druid's coordinators that nothing here goes by.
const WITHOUT_EFFECT: [&str; 19] = [
    "balancerComputeThreads",
    "cloneServers",
    "debugDimensions",
    "decommissioningMaxPercentOfMaxSegmentsToMove",
    "decommissioningMaxSegmentsToMovePercent",
    "emitBalancingStats",
    "killPendingSegmentsSkipList",
    "killTaskSlotRatio",
    "maxKillTaskSlots",
    "maxNonPrimaryReplicantsToLoad",
    "mergeBytesLimit",
    "mergeSegmentsLimit",
    "percentOfSegmentsToConsiderPerMove",
    "replicantLifetime",
    "replicateAfterLoadTimeout",
    "smartSegmentLoading",
    "turboLoadingNodes",
    "useBatchedSegmentSampler",
    "useRoundRobinSegmentAssignment",
];

/// What is set; what is not is as the settings of the process say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DynamicConfig {
    /// A coordinator leads this long before it deletes anything, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis_to_wait_before_deleting: Option<u64>,
    /// Copies on their way to a better place at once; 0: nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_segments_to_move: Option<usize>,
    /// Copies of segments that have one already, asked for by one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_throttle_limit: Option<usize>,
    /// Loads that wait for one node; 0: as many as its queue takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_segments_in_node_loading_queue: Option<usize>,
    /// Unused segments are deleted of these datasources only; none: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_data_source_whitelist: Option<BTreeSet<String>>,
    /// Whether unused segments are deleted once their grace is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_unused_segments: Option<bool>,
    /// Whether objects are deleted that were uploaded and never published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_unpublished_uploads: Option<bool>,
    /// Segments whose time ended within this period are not deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_duration_to_retain: Option<Period>,
    /// Nor those that became unused within this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_buffer_period: Option<Period>,
    /// Nothing is planned and nobody is told anything while this is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_coordination: Option<bool>,
    /// Nodes that are to be empty; where it is read, what holds is in a document of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decommissioning_nodes: Option<BTreeSet<String>>,
    /// Tiers by names that rules may give them; where it is read, as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub historical_tier_aliases: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What else clients sent, and nothing goes by.
    #[serde(flatten)]
    pub without_effect: BTreeMap<String, Value>,
}

impl DynamicConfig {
    /// Those of an object of JSON.
    ///
    /// # Errors
    /// A sentence that names the field, when there is no such one or its value is none of its kind.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let object: BTreeMap<String, Value> = serde_json::from_slice(json)
            .map_err(|error| format!("write an object of fields: {error}"))?;
        let mut config = Self::default();
        for (name, value) in object {
            // As in Druid, null is as good as nothing.
            if !value.is_null() {
                config.set(&name, value)?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        match name {
            "millisToWaitBeforeDeleting" => {
                self.millis_to_wait_before_deleting = Some(read(name, value)?);
            }
            "maxSegmentsToMove" => self.max_segments_to_move = Some(read(name, value)?),
            "replicationThrottleLimit" => {
                self.replication_throttle_limit = Some(read(name, value)?);
            }
            "maxSegmentsInNodeLoadingQueue" => {
                self.max_segments_in_node_loading_queue = Some(read(name, value)?);
            }
            "killDataSourceWhitelist" => {
                let names = names(name, value)?;
                for of in &names {
                    validate_datasource_name(of).map_err(|e| format!("field '{name}': {e}"))?;
                }
                self.kill_data_source_whitelist = Some(names);
            }
            // Druid's newer releases have no such field: no list is all of them.
            "killAllDataSources" => {
                if read::<bool>(name, value)? {
                    self.kill_data_source_whitelist = Some(BTreeSet::new());
                }
            }
            "killUnusedSegments" => self.kill_unused_segments = Some(read(name, value)?),
            "killUnpublishedUploads" => {
                self.kill_unpublished_uploads = Some(read(name, value)?);
            }
            "killDurationToRetain" => self.kill_duration_to_retain = Some(read(name, value)?),
            "killBufferPeriod" => self.kill_buffer_period = Some(read(name, value)?),
            "pauseCoordination" => self.pause_coordination = Some(read(name, value)?),
            "decommissioningNodes" => {
                let nodes = names(name, value)?;
                if let Some(node) = nodes.iter().find(|node| !is_node(node)) {
                    let node = node.escape_debug();
                    return Err(format!(
                        "field '{name}': '{node}' is no node, and no host and port"
                    ));
                }
                self.decommissioning_nodes = Some(nodes);
            }
            "historicalTierAliases" => self.historical_tier_aliases = Some(read(name, value)?),
            name if WITHOUT_EFFECT.contains(&name) => {
                self.without_effect.insert(name.to_owned(), value);
            }
            unknown => return Err(format!("field '{}' is unknown", unknown.escape_debug())),
        }
        Ok(())
    }

    /// The same with what another one sets in its place.
    #[must_use]
    pub fn with(mut self, set: &Self) -> Self {
        let Self {
            millis_to_wait_before_deleting,
            max_segments_to_move,
            replication_throttle_limit,
            max_segments_in_node_loading_queue,
            kill_data_source_whitelist,
            kill_unused_segments,
            kill_unpublished_uploads,
            kill_duration_to_retain,
            kill_buffer_period,
            pause_coordination,
            decommissioning_nodes,
            historical_tier_aliases,
            without_effect,
        } = set.clone();
        self.millis_to_wait_before_deleting =
            millis_to_wait_before_deleting.or(self.millis_to_wait_before_deleting);
        self.max_segments_to_move = max_segments_to_move.or(self.max_segments_to_move);
        self.replication_throttle_limit =
            replication_throttle_limit.or(self.replication_throttle_limit);
        self.max_segments_in_node_loading_queue =
            max_segments_in_node_loading_queue.or(self.max_segments_in_node_loading_queue);
        self.kill_data_source_whitelist =
            kill_data_source_whitelist.or(self.kill_data_source_whitelist);
        self.kill_unused_segments = kill_unused_segments.or(self.kill_unused_segments);
        self.kill_unpublished_uploads = kill_unpublished_uploads.or(self.kill_unpublished_uploads);
        self.kill_duration_to_retain = kill_duration_to_retain.or(self.kill_duration_to_retain);
        self.kill_buffer_period = kill_buffer_period.or(self.kill_buffer_period);
        self.pause_coordination = pause_coordination.or(self.pause_coordination);
        self.decommissioning_nodes = decommissioning_nodes.or(self.decommissioning_nodes);
        self.historical_tier_aliases = historical_tier_aliases.or(self.historical_tier_aliases);
        self.without_effect.extend(without_effect);
        self
    }
}

fn read<T: for<'de> Deserialize<'de>>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("field '{name}': {error}"))
}

/// Whether a node may be called so, or be there.
fn is_node(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
    (1..=256).contains(&text.len()) && text.chars().all(is_plain)
}

/// A list of names, or names between commas.
fn names(name: &str, value: Value) -> Result<BTreeSet<String>, String> {
    match value {
        Value::String(text) => {
            let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
            Ok(names.map(str::to_owned).collect())
        }
        value => read(name, value),
    }
}
