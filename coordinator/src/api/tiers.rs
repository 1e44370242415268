//! `/henge/v1/coordinator/tiers`: what each tier has, and the other names that rules may give it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use henge_platform::http::{DruidError, LimitedBody};
use serde::{Deserialize, Serialize};

use super::asked::Parameters;
use super::compute;
use crate::Coordinator;
use crate::preview::{copies, nodes_by_tier, tier_name};

/// A tier.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TierRow {
    tier: Arc<str>,
    nodes: u32,
    capacity_bytes: u64,
    used_bytes: u64,
    /// Copies, of published segments.
    segments: u64,
    /// The most copies that rules ask of it for any used segment.
    replication_factor: u32,
    aliases: BTreeSet<String>,
}

/// The tiers that have nodes, and those that rules or aliases name in vain.
pub(super) async fn list(
    State(coordinator): State<Arc<Coordinator>>,
) -> Result<Json<Vec<TierRow>>, DruidError> {
    let aliases = coordinator.rules.aliases().await?;
    let rules = coordinator.rules.book(coordinator.replicas()).await?;
    let used = coordinator.used_now().await?;
    let servers = coordinator.hosts.servers();
    let now_ms = coordinator.shared.clock.now_ms();
    let rows = move || {
        let nodes = nodes_by_tier(servers.values());
        let mut rows: BTreeMap<Arc<str>, TierRow> = BTreeMap::new();
        for segment in used.values() {
            let id = &segment.id;
            let wanted = rules.book.wanted(&id.datasource, id.interval, now_ms);
            for (tier, copies) in copies(&wanted, &nodes) {
                let row = rows.entry(tier).or_default();
                row.replication_factor = row.replication_factor.max(copies);
            }
        }
        for server in servers.values() {
            let row = rows.entry(tier_name(&server.tier)).or_default();
            row.nodes += 1;
            // What older processes do not tell is not counted.
            let told = Some(server.capacity_bytes).filter(|bytes| *bytes != u64::MAX);
            row.capacity_bytes = row.capacity_bytes.saturating_add(told.unwrap_or(0));
            row.used_bytes += server.loaded.values().map(|segment| segment.size_bytes).sum::<u64>();
            row.segments += server.loaded.len() as u64;
        }
        for (alias, tiers) in aliases.tiers_by_alias() {
            for tier in tiers {
                let row = rows.entry(tier.as_str().into()).or_default();
                row.aliases.insert(alias.clone());
            }
        }
        rows.into_iter().map(|(tier, row)| TierRow { tier, ..row }).collect()
    };
    compute(rows).await.map(Json)
}

/// The tier, or the tiers, that a name stands for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    tier: Option<String>,
    tiers: Option<BTreeSet<String>>,
}

/// Lets a name stand for tiers. Those that have no nodes take `?force`: what rules ask of them is not loaded.
pub(super) async fn set_alias(
    State(coordinator): State<Arc<Coordinator>>,
    Path(alias): Path<String>,
    parameters: Parameters,
    LimitedBody(body): LimitedBody,
) -> Result<Json<BTreeMap<String, BTreeSet<String>>>, DruidError> {
    let invalid = |reason: String| {
        DruidError::invalid(format!("write {{\"tier\": …}} or {{\"tiers\": […]}}: {reason}"))
    };
    let named = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
    let tiers: BTreeSet<String> = match named {
        Named { tier: Some(tier), tiers: None } => [tier].into(),
        Named { tier: None, tiers: Some(tiers) } if !tiers.is_empty() => tiers,
        Named { .. } => return Err(invalid("one of them, and no empty list".to_owned())),
    };
    let term = coordinator.leading()?;
    let lacking = without_nodes(&coordinator, &tiers);
    if !lacking.is_empty() && !parameters.has("force") {
        let names: Vec<String> =
            lacking.iter().map(|tier| tier.escape_debug().to_string()).collect();
        return Err(DruidError::invalid(format!(
            "no node has the tier '{}': segments that rules send there are not loaded; add ?force=true if nodes \
             of it will come",
            names.join("', '")
        )));
    }
    coordinator.rules.set_alias(&alias, tiers.clone(), term.fence.as_ref()).await?;
    coordinator.shared.wake.notify_one();
    Ok(Json([(alias, tiers)].into()))
}

/// Those of some tiers that no node has.
pub(super) fn without_nodes<'t>(
    coordinator: &Coordinator,
    tiers: impl IntoIterator<Item = &'t String>,
) -> BTreeSet<&'t String> {
    let nodes = nodes_by_tier(coordinator.hosts.servers().values());
    tiers.into_iter().filter(|tier| !nodes.contains_key(tier.as_str())).collect()
}

/// The name stands for nothing any more.
pub(super) async fn remove_alias(
    State(coordinator): State<Arc<Coordinator>>,
    Path(alias): Path<String>,
) -> Result<StatusCode, DruidError> {
    let term = coordinator.leading()?;
    let fence = term.fence.as_ref();
    if !coordinator.rules.set_alias(&alias, BTreeSet::new(), fence).await? {
        let alias = alias.escape_debug();
        return Err(DruidError::not_found(format!("'{alias}' is no alias of a tier")));
    }
    coordinator.shared.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
