//! What a process serves over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use henge_broker::Sql;
use henge_platform::http::{
    assign_request_id, charge_answers, refuse_strangers, require_token, with_fallbacks,
};
use henge_platform::membership::Role;

use crate::cluster::Company;
use crate::front::{self, Front};
use crate::ground::Ground;
use crate::leader;
use crate::loaded;
use crate::nodes;
use crate::options::Options;
use crate::roles::Roles;
use crate::status;
use crate::welcome;

/// Where a process stands among others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// The processes of its cluster, where it is of one.
    pub(crate) company: Option<&'a Company>,
    /// What passes on the calls that another process answers.
    pub(crate) front: Option<&'a Arc<Front>>,
    /// The URL under which it is reached.
    pub(crate) own_url: &'a str,
    /// The address of its gRPC, where it has one.
    pub(crate) grpc: Option<SocketAddr>,
}

/// The routes of the roles, and with a broker those of the roles that other processes have.
pub(crate) fn of(
    options: &Options,
    ground: &Ground,
    roles: &Roles,
    sql: Option<Arc<Sql>>,
    around: Around<'_>,
) -> Router {
    let Around { company, front, own_url, grpc } = around;
    let alone = nodes::alone(&options.node, ground.incarnation, own_url, grpc);
    let mut router = status::router(options, ground, roles)
        .merge(welcome::router(options, roles))
        .merge(nodes::router(company, alone))
        .merge(loaded::router(roles, company, &options.node.name));
    if roles.broker.is_some() || options.node.roles.contains(&Role::Coordinator) {
        router = router.merge(leader::router(options, ground, company, own_url));
    }
    if let Some(broker) = &roles.broker {
        router = router.merge(henge_broker::router(Arc::clone(broker)));
    }
    if let Some(sql) = sql {
        router = router.merge(henge_broker::avatica_router(Arc::clone(&sql)));
        router = router.merge(henge_broker::sql_router(sql));
    }
    if let Some(coordinator) = &roles.coordinator {
        let routes = henge_coordinator::router(Arc::clone(coordinator));
        router = router.merge(match front {
            Some(front) => front::by_leader(Arc::clone(front), Arc::clone(coordinator), routes),
            None => routes,
        });
    }
    if let Some(historical) = &roles.historical {
        router = router.merge(henge_historical_node::router(Arc::clone(historical)));
    }
    if let Some(realtime) = &roles.realtime {
        router = router.merge(henge_realtime_node::router(Arc::clone(realtime)));
    } else if let (Some(front), Some(_)) = (front, &roles.broker) {
        router = router.merge(front::to_realtime(Arc::clone(front)));
    }
    if let (Some(front), Some(_), None) = (front, &roles.broker, &roles.coordinator) {
        router = router.merge(front::to_leader(Arc::clone(front)));
    }
    if let (Some(company), None) = (company, &roles.broker) {
        router = router.merge(front::elsewhere(company.clone(), &options.node.roles));
    }
    let answers = options.accounts.answers.clone();
    let router = with_fallbacks(router)
        .layer(from_fn_with_state(answers, charge_answers))
        .layer(Extension(Arc::new(options.body.clone())))
        .layer(from_fn_with_state(options.allowed_hosts.clone(), refuse_strangers))
        .layer(from_fn(assign_request_id));
    match &options.required_token {
        Some(token) => router.layer(from_fn_with_state(token.clone(), require_token)),
        None => router,
    }
}
