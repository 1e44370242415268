//! `/druid/coordinator/v1/lookups`: which lookups there are, and which processes have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use henge_platform::http::{DruidError, LimitedBody};
use henge_platform::metadata::{DEFAULT_LOOKUP_TIER, LookupSpec};
use henge_types::ErrorClass;
use serde_json::{Map, Value, json};

use super::asked::Parameters;
use crate::Coordinator;
use crate::lookups::ByTier;

type Of = State<Arc<Coordinator>>;

/// The routes.
pub(super) fn druid() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/lookups/config", get(tiers).post(set_all))
        .route("/lookups/config/all", get(all))
        .route("/lookups/config/{tier}", get(of_tier).post(set_tier).delete(remove_tier))
        .route("/lookups/config/{tier}/{id}", get(one).post(set_one).delete(remove_one))
        .route("/lookups/status", get(status))
        .route("/lookups/status/{tier}", get(status_of_tier))
        .route("/lookups/status/{tier}/{id}", get(status_of_one))
        .route("/lookups/nodeStatus", get(nodes))
        .route("/lookups/nodeStatus/{tier}", get(nodes_of_tier))
        .route("/lookups/nodeStatus/{tier}/{host}", get(node))
}

async fn tiers(State(coordinator): Of) -> Result<Json<Vec<String>>, DruidError> {
    let mut tiers: Vec<String> = coordinator.lookups.all().await?.into_keys().collect();
    if !tiers.iter().any(|tier| tier == DEFAULT_LOOKUP_TIER) {
        tiers.push(DEFAULT_LOOKUP_TIER.to_owned());
    }
    Ok(Json(tiers))
}

async fn all(State(coordinator): Of) -> Result<Json<ByTier>, DruidError> {
    Ok(Json(coordinator.lookups.all().await?))
}

/// `?detailed=true` gives what was set of each.
async fn of_tier(
    State(coordinator): Of,
    Path(tier): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, DruidError> {
    let lookups = tier_of(&coordinator, &tier).await?;
    Ok(Json(match parameters.has("detailed") {
        true => json!(lookups),
        false => lookups.into_keys().collect(),
    }))
}

async fn one(
    State(coordinator): Of,
    Path((tier, id)): Path<(String, String)>,
) -> Result<Json<LookupSpec>, DruidError> {
    let mut lookups = tier_of(&coordinator, &tier).await?;
    lookups.remove(&id).map(Json).ok_or_else(|| no_lookup(&tier, &id))
}

/// An empty object only says that lookups are to be used.
async fn set_all(
    State(coordinator): Of,
    LimitedBody(body): LimitedBody,
) -> Result<(StatusCode, Json<ByTier>), DruidError> {
    let wanted: ByTier = read(&body, "an object of tiers, each of lookups by name")?;
    coordinator.lookups.set(&wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(wanted)))
}

async fn set_tier(
    State(coordinator): Of,
    Path(tier): Path<String>,
    LimitedBody(body): LimitedBody,
) -> Result<(StatusCode, Json<ByTier>), DruidError> {
    let lookups = read(&body, "an object of lookups by name")?;
    let wanted = ByTier::from([(tier, lookups)]);
    coordinator.lookups.set(&wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(wanted)))
}

async fn set_one(
    State(coordinator): Of,
    Path((tier, id)): Path<(String, String)>,
    LimitedBody(body): LimitedBody,
) -> Result<(StatusCode, Json<Value>), DruidError> {
    let spec: LookupSpec = read(&body, "a lookup: its version and lookupExtractorFactory")?;
    coordinator.lookups.set(&ByTier::from([(tier, BTreeMap::from([(id, spec)]))])).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

async fn remove_tier(
    State(coordinator): Of,
    Path(tier): Path<String>,
) -> Result<(StatusCode, Json<Value>), DruidError> {
    for id in tier_of(&coordinator, &tier).await?.into_keys() {
        coordinator.lookups.remove(&tier, &id).await?;
    }
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

async fn remove_one(
    State(coordinator): Of,
    Path((tier, id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), DruidError> {
    match coordinator.lookups.remove(&tier, &id).await? {
        true => Ok((StatusCode::ACCEPTED, Json(json!({})))),
        false => Err(no_lookup(&tier, &id)),
    }
}

/// Every process reads the lookups from the metadata, so what is set is there.
async fn status(State(coordinator): Of) -> Result<Json<Value>, DruidError> {
    let all = coordinator.lookups.all().await?;
    let of_tiers = all.into_iter().map(|(tier, lookups)| (tier, loaded(&lookups)));
    Ok(Json(Value::Object(of_tiers.collect())))
}

async fn status_of_tier(
    State(coordinator): Of,
    Path(tier): Path<String>,
) -> Result<Json<Value>, DruidError> {
    Ok(Json(loaded(&tier_of(&coordinator, &tier).await?)))
}

async fn status_of_one(
    State(coordinator): Of,
    Path((tier, id)): Path<(String, String)>,
) -> Result<Json<Value>, DruidError> {
    match tier_of(&coordinator, &tier).await?.contains_key(&id) {
        true => Ok(Json(json!({ "loaded": true }))),
        false => Err(no_lookup(&tier, &id)),
    }
}

async fn nodes(State(coordinator): Of) -> Result<Json<Value>, DruidError> {
    let all = coordinator.lookups.all().await?;
    let lookups = all.get(DEFAULT_LOOKUP_TIER).cloned().unwrap_or_default();
    Ok(Json(json!({ DEFAULT_LOOKUP_TIER: of_nodes(&coordinator, &lookups) })))
}

async fn nodes_of_tier(
    State(coordinator): Of,
    Path(tier): Path<String>,
) -> Result<Json<Value>, DruidError> {
    let lookups = tier_of(&coordinator, &tier).await?;
    Ok(Json(Value::Object(of_nodes(&coordinator, &lookups))))
}

async fn node(
    State(coordinator): Of,
    Path((tier, host)): Path<(String, String)>,
) -> Result<Json<Value>, DruidError> {
    let lookups = tier_of(&coordinator, &tier).await?;
    of_nodes(&coordinator, &lookups)
        .remove(&host)
        .map(Json)
        .ok_or_else(|| DruidError::new(ErrorClass::NotFound, format!("there is no node '{host}'")))
}

fn of_nodes(
    coordinator: &Coordinator,
    lookups: &BTreeMap<String, LookupSpec>,
) -> Map<String, Value> {
    let servers = coordinator.hosts.servers();
    let node = json!({ "current": lookups, "toLoad": {}, "toDrop": [] });
    servers.keys().map(|server| (server.to_string(), node.clone())).collect()
}

fn loaded(lookups: &BTreeMap<String, LookupSpec>) -> Value {
    lookups.keys().map(|id| (id.clone(), json!({ "loaded": true }))).collect::<Map<_, _>>().into()
}

async fn tier_of(
    coordinator: &Coordinator,
    tier: &str,
) -> Result<BTreeMap<String, LookupSpec>, DruidError> {
    let found = coordinator.lookups.all().await?.remove(tier);
    found.ok_or_else(|| {
        DruidError::new(ErrorClass::NotFound, format!("tier '{tier}' has no lookups"))
    })
}

fn no_lookup(tier: &str, id: &str) -> DruidError {
    DruidError::new(ErrorClass::NotFound, format!("tier '{tier}' has no lookup '{id}'"))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8], what: &str) -> Result<T, DruidError> {
    serde_json::from_slice(body)
        .map_err(|error| DruidError::invalid(format!("send {what}: {error}")))
}
