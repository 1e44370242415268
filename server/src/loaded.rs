//! What Druid's clients and load balancers ask of processes by role: whether they have loaded what they need, and
//! whether the process finds itself in the cluster.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use henge_broker::Broker;
use henge_historical_node::HistoricalNode;
use serde_json::{Value, json};

use crate::cluster::Company;
use crate::roles::Roles;

/// The routes of the roles that a process has.
pub(crate) fn router(roles: &Roles, company: Option<&Company>, own_name: &Arc<str>) -> Router {
    let myself = Arc::new(Myself { company: company.cloned(), name: Arc::clone(own_name) });
    let mut router = Router::new()
        .route("/status/selfDiscovered", get(discovered))
        .route("/status/selfDiscovered/status", get(discovered_status))
        .with_state(myself);
    if let Some(historical) = &roles.historical {
        let routes = Router::new()
            .route("/druid/historical/v1/loadstatus", get(historical_status))
            .route("/druid/historical/v1/readiness", get(historical_readiness))
            .with_state(Arc::clone(historical));
        router = router.merge(routes);
    }
    if let Some(broker) = &roles.broker {
        let routes = Router::new()
            .route("/druid/broker/v1/loadstatus", get(broker_status))
            .route("/druid/broker/v1/readiness", get(broker_readiness))
            .with_state(Arc::clone(broker))
            // Everything is sent on to whoever answers it.
            .route("/proxy/enabled", get(proxy_enabled));
        router = router.merge(routes);
    }
    router
}

#[derive(Debug)]
struct Myself {
    /// `None` for a process that is alone.
    company: Option<Company>,
    name: Arc<str>,
}

impl Myself {
    fn is_discovered(&self) -> bool {
        let company = self.company.as_ref();
        company.is_none_or(|company| company.view().members.contains_key(&*self.name))
    }
}

async fn discovered(State(myself): State<Arc<Myself>>) -> StatusCode {
    code(myself.is_discovered())
}

async fn discovered_status(State(myself): State<Arc<Myself>>) -> Json<Value> {
    Json(json!({ "selfDiscovered": myself.is_discovered() }))
}

/// What lies on its disk is open before it serves anything.
async fn historical_status() -> Json<Value> {
    Json(json!({ "cacheInitialized": true }))
}

async fn historical_readiness(State(historical): State<Arc<HistoricalNode>>) -> StatusCode {
    code(historical.disk_trouble().is_none())
}

async fn broker_status(State(broker): State<Arc<Broker>>) -> Json<Value> {
    Json(json!({ "inventoryInitialized": has_seen_all(&broker) }))
}

async fn broker_readiness(State(broker): State<Arc<Broker>>) -> StatusCode {
    code(has_seen_all(&broker))
}

async fn proxy_enabled() -> Json<Value> {
    Json(json!({ "enabled": true }))
}

fn has_seen_all(broker: &Broker) -> bool {
    broker.awaited().is_empty()
}

fn code(is_ready: bool) -> StatusCode {
    if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
