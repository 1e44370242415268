//! `/druid/v1/lookups/introspect` and `/druid/listen/v1/lookups`: the lookups that this process answers with.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::http::DruidError;
use henge_platform::metadata::LookupSpec;
use henge_types::ErrorClass;
use serde_json::{Map, Value, json};

use crate::Broker;

/// The names of all.
pub(super) async fn names(
    State(broker): State<Arc<Broker>>,
) -> Result<Json<Vec<String>>, DruidError> {
    let specs = broker.lookups.specs().await?;
    Ok(Json(specs.into_iter().map(|(name, _)| name).collect()))
}

/// Keys and values of one.
pub(super) async fn map(
    State(broker): State<Arc<Broker>>,
    Path(name): Path<String>,
) -> Result<Json<Map<String, Value>>, DruidError> {
    let spec = find(&broker, &name).await?;
    Ok(Json(spec.map().cloned().unwrap_or_default()))
}

/// Its keys, its values, or the version that it was set with.
pub(super) async fn part(
    State(broker): State<Arc<Broker>>,
    Path((name, part)): Path<(String, String)>,
) -> Result<Json<Value>, DruidError> {
    let spec = find(&broker, &name).await?;
    let map = spec.map().cloned().unwrap_or_default();
    Ok(Json(match part.as_str() {
        "keys" => map.keys().map(String::as_str).collect(),
        "values" => map.values().cloned().collect(),
        "version" => json!({ "version": spec.version }),
        _ => {
            let message = "ask for keys, values or version";
            return Err(DruidError::new(ErrorClass::NotFound, message));
        }
    }))
}

/// What was set of each.
pub(super) async fn all(
    State(broker): State<Arc<Broker>>,
) -> Result<Json<Map<String, Value>>, DruidError> {
    let specs = broker.lookups.specs().await?;
    Ok(Json(specs.into_iter().map(|(name, spec)| (name, json!(spec))).collect()))
}

/// What was set of one.
pub(super) async fn one(
    State(broker): State<Arc<Broker>>,
    Path(name): Path<String>,
) -> Result<Json<LookupSpec>, DruidError> {
    find(&broker, &name).await.map(Json)
}

async fn find(broker: &Broker, name: &str) -> Result<LookupSpec, DruidError> {
    let specs = broker.lookups.specs().await?;
    let found = specs.into_iter().find(|(known, _)| known == name);
    found.map(|(_, spec)| spec).ok_or_else(|| {
        DruidError::new(ErrorClass::NotFound, format!("there is no lookup '{name}'"))
    })
}
