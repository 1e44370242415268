//! `/druid/coordinator/v1/config`: what operators set while the coordinator runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use henge_placement::rules::TierAliases;
use henge_platform::discovery::{ServerAddress, ServerId};
use henge_platform::http::{DruidError, LimitedBody};
use henge_types::format_timestamp;
use henge_types::json_read::refuse_repeated;
use serde_json::{Map, Value, json};

use super::asked::{Asker, Parameters};
use super::tiers::without_nodes;
use super::warnings;
use crate::config::{ConfigChange, DynamicConfig, Said};
use crate::queue::MOST_LOADS;
use crate::{Coordinator, CoordinatorError};

/// What holds, whether it was set or not.
pub(super) async fn get(
    State(coordinator): State<Arc<Coordinator>>,
) -> Result<Json<Value>, DruidError> {
    let set = coordinator.config.read().await?;
    let aliases = coordinator.rules.aliases().await?;
    let limits = set.limits(&coordinator.shared.options);
    let DynamicConfig { without_effect, .. } = &set.config;
    let mut shown: Map<String, Value> = without_effect.clone().into_iter().collect();
    let holds = json!({
        "millisToWaitBeforeDeleting": set.wait_before_deleting_ms(),
        "maxSegmentsToMove": limits.moves,
        "replicationThrottleLimit": limits.further_copies,
        "maxSegmentsInNodeLoadingQueue":
            set.config.max_segments_in_node_loading_queue.unwrap_or(MOST_LOADS),
        "killDataSourceWhitelist":
            set.kill_whitelist(),
        "killUnusedSegments": set.kills(),
        "killUnpublishedUploads": set.deletes_uploads(),
        "killDurationToRetain": set.kill_duration_to_retain(),
        "killBufferPeriod": set.kill_buffer_period(),
        "decommissioningNodes": set.draining,
        "pauseCoordination": set.config.pause_coordination.unwrap_or(false),
        "historicalTierAliases": aliases.tiers_by_alias(),
    });
    shown.extend(holds.as_object().cloned().unwrap_or_default());
    Ok(Json(Value::Object(shown)))
}

/// Sets the fields that are named; names those that are kept and do nothing, and warns, in a header too, of what
/// may not be meant.
pub(super) async fn set(
    State(coordinator): State<Arc<Coordinator>>,
    Asker { author, comment }: Asker,
    LimitedBody(body): LimitedBody,
) -> Result<Response, DruidError> {
    refuse_repeated(&body).map_err(DruidError::invalid)?;
    let mut config = DynamicConfig::parse(&body).map_err(DruidError::invalid)?;
    let term = coordinator.leading()?;
    let fence = term.fence.as_ref();
    let aliases = config.historical_tier_aliases.clone().map(TierAliases::new).transpose();
    let aliases = aliases.map_err(CoordinatorError::from)?;
    if let Some(nodes) = &config.decommissioning_nodes {
        let nodes = servers_of(&coordinator, nodes);
        config.decommissioning_nodes = Some(nodes.iter().map(ToString::to_string).collect());
        // The change is in the history already.
        coordinator.config.drain_only(nodes, &Said::default(), fence).await?;
    }
    if let Some(aliases) = aliases {
        coordinator.rules.set_aliases(&aliases).await?;
    }
    let ignored: Vec<String> = config.without_effect.keys().cloned().collect();
    let time_ms = coordinator.shared.clock.now_ms();
    let warnings = warnings_of(&coordinator, &config);
    coordinator.config.merge(ConfigChange { config, author, comment, time_ms }, fence).await?;
    coordinator.shared.wake.notify_one();
    let body = Json(json!({ "keptWithoutEffect": ignored, "warnings": warnings }));
    Ok((warnings::header(warnings), body).into_response())
}

/// Values that are allowed and do more, or less, than they seem to.
fn warnings_of(coordinator: &Coordinator, config: &DynamicConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.max_segments_in_node_loading_queue == Some(0) {
        let most = format!("0 of maxSegmentsInNodeLoadingQueue is no limit but {MOST_LOADS}");
        warnings.push(most);
    }
    if config.replication_throttle_limit == Some(0) {
        let none = "with 0 of replicationThrottleLimit lost copies are not replaced";
        warnings.push(none.to_owned());
    }
    let known = coordinator.discovery.snapshot().servers;
    let nodes = config.decommissioning_nodes.iter().flatten();
    let unknown = nodes.filter(|node| !known.contains_key(node.as_str()));
    warnings.extend(unknown.map(|node| format!("no node '{}' is known", node.escape_default())));
    let tiers =
        config.historical_tier_aliases.iter().flat_map(|aliases| aliases.values().flatten());
    let lacking = without_nodes(coordinator, tiers).into_iter();
    warnings.extend(lacking.map(|tier| format!("tier '{}' has no nodes", tier.escape_default())));
    warnings
}

/// Nodes by their names; Druid's clients name them by host and port.
fn servers_of(coordinator: &Coordinator, nodes: &BTreeSet<String>) -> BTreeSet<ServerId> {
    let view = coordinator.discovery.snapshot();
    let by_address: BTreeMap<&str, &ServerId> = view
        .servers
        .iter()
        .filter_map(|(name, server)| match &server.description.address {
            ServerAddress::Network(address) => Some((&**address, name)),
            ServerAddress::InProcess => None,
        })
        .collect();
    let server = |node: &String| match by_address.get(node.as_str()) {
        Some(name) => Arc::clone(name),
        None => node.as_str().into(),
    };
    nodes.iter().map(server).collect()
}

/// Changes, the newest first: `?count=`, `?interval=`.
pub(super) async fn history(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Vec<Value>>, DruidError> {
    let count = parameters.number("count")?.unwrap_or(1_000);
    let within = parameters.interval("interval")?;
    let changes = coordinator.config.history(1_000).await?;
    let asked = changes.iter().filter(|change| within.is_none_or(|i| i.contains(change.time_ms)));
    asked.take(count).map(entry).collect::<Result<_, _>>().map(Json)
}

/// Druid's `AuditEntry`.
fn entry(change: &ConfigChange) -> Result<Value, DruidError> {
    let payload = serde_json::to_string(&change.config)
        .map_err(|error| CoordinatorError::Internal(error.to_string()))?;
    Ok(json!({
        "key": "coordinator.config",
        "type": "coordinator.config",
        "auditInfo": { "author": change.author, "comment": change.comment, "ip": "" },
        "payload": payload,
        "auditTime": format_timestamp(change.time_ms),
    }))
}
