//! `/druid/coordinator/v1/cluster`: the processes that the coordinator knows, by what they do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use henge_platform::discovery::{ServerAddress, ServerId};
use henge_platform::http::DruidError;
use serde_json::{Value, json};

use super::servers::kind_of;
use crate::Coordinator;
use crate::preview::tier_name;

/// Those of all roles.
pub(super) async fn all(State(coordinator): State<Arc<Coordinator>>) -> Json<Value> {
    Json(json!(by_role(&coordinator)))
}

/// Those of one role.
pub(super) async fn of_role(
    State(coordinator): State<Arc<Coordinator>>,
    Path(role): Path<String>,
) -> Result<Json<Vec<Value>>, DruidError> {
    match by_role(&coordinator).remove(role.as_str()) {
        Some(nodes) => Ok(Json(nodes)),
        None => Err(DruidError::not_found(format!(
            "no role '{}' here: ask for coordinator, historical or realtime; /henge/v1/nodes lists all \
             processes",
            role.escape_debug()
        ))),
    }
}

fn by_role(coordinator: &Coordinator) -> BTreeMap<&'static str, Vec<Value>> {
    let leader = coordinator.leader().holder.map(|holder| {
        let node = holder.rsplit_once('/').map_or(holder.as_str(), |(node, _)| node);
        json!({ "host": node, "service": "coordinator", "plaintextPort": null, "tlsPort": null })
    });
    let mut roles: BTreeMap<&str, Vec<Value>> = BTreeMap::from([
        ("coordinator", leader.into_iter().collect()),
        ("historical", Vec::new()),
        ("realtime", Vec::new()),
    ]);
    for (name, server) in coordinator.discovery.snapshot().servers {
        let role = kind_of(server.description.kind);
        let node = node(&name, role, &server.description.address);
        let tier = tier_name(&server.description.tier);
        let node = match role {
            "historical" => with_tier(node, &tier),
            _ => node,
        };
        roles.entry(role).or_default().push(node);
    }
    roles
}

fn node(name: &ServerId, role: &str, address: &ServerAddress) -> Value {
    let port = match address {
        ServerAddress::Network(address) => {
            address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok())
        }
        ServerAddress::InProcess => None,
    };
    json!({ "host": name, "service": role, "plaintextPort": port, "tlsPort": null })
}

fn with_tier(mut node: Value, tier: &str) -> Value {
    node["tier"] = tier.into();
    node
}
