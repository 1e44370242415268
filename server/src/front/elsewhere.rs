//! What this process neither answers nor sends on: who does is said, instead of that there is no such thing.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use henge_platform::http::DruidError;
use henge_platform::membership::Role;

use crate::cluster::Company;

/// The routes of a process without a broker that other processes answer. `has` are its roles.
pub(crate) fn elsewhere(company: Company, has: &BTreeSet<Role>) -> Router {
    let names = has.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
    let mut routes =
        Router::new().route("/druid/v2", any(say)).route("/druid/v2/{*rest}", any(say));
    if !has.contains(&Role::Realtime) {
        for path in [
            "/v1/datasources",
            "/v1/datasources/{name}",
            "/v1/datasources/{name}/{*rest}",
            "/v1/uploads/{*rest}",
            "/druid/indexer/{*rest}",
        ] {
            routes = routes.route(path, any(say));
        }
    }
    if !has.contains(&Role::Coordinator) {
        for path in ["/druid/coordinator/v1/{*rest}", "/henge/v1/coordinator/{*rest}"] {
            routes = routes.route(path, any(say));
        }
    }
    routes.with_state(Arc::new(Elsewhere { company, names }))
}

#[derive(Debug)]
struct Elsewhere {
    company: Company,
    names: String,
}

async fn say(State(elsewhere): State<Arc<Elsewhere>>) -> DruidError {
    let view = elsewhere.company.view();
    let brokers =
        view.with_role(Role::Broker).map(|broker| format!("http://{}", broker.http_address));
    let brokers = brokers.collect::<Vec<_>>().join(" or ");
    let who = match brokers.as_str() {
        "" => "a broker, of which none lives".to_owned(),
        brokers => brokers.to_owned(),
    };
    DruidError::not_found(format!(
        "this process ({}) does not answer this: ask {who}",
        elsewhere.names
    ))
}
