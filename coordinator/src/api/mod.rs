//! The endpoints of the coordinator over HTTP, one family a file: Druid's under `/druid/coordinator/v1`, and
//! ours under `/henge/v1/coordinator`. The coordinator that leads answers; the others say who does.

mod asked;
mod audit;
mod balancer;
mod compaction;
mod config;
mod data_segment;
mod datasources;
mod guard;
mod intervals;
mod kill;
mod load_queue;
mod load_status;
mod lookups;
mod mark;
mod metadata;
mod nodes;
mod rules;
mod rules_test;
mod segments;
mod served;
mod servers;
mod stream;
#[cfg(test)]
mod tests;
mod tiers;
mod warnings;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use henge_platform::http::DruidError;
use henge_platform::runtime::blocking;
use henge_types::ErrorClass;

use crate::Coordinator;
use crate::error::CoordinatorError;

/// The routes of the role.
pub fn router(coordinator: Arc<Coordinator>) -> Router {
    let guard = Arc::new(guard::Guard::new(Arc::clone(&coordinator)));
    Router::new()
        .nest("/druid/coordinator/v1", druid())
        .nest("/druid/indexer/v1/compaction", compaction::overlord())
        .nest("/henge/v1/coordinator", ours())
        .route("/v1/datasources/{name}", delete(mark::drop_rows))
        .route_layer(from_fn_with_state(guard, guard::guard))
        .with_state(coordinator)
}

fn druid() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/rules", get(rules::all))
        .route("/rules/history", get(rules::history_of_all))
        .route("/rules/{name}", get(rules::get).post(rules::set))
        .route("/rules/{name}/history", get(rules::history))
        .route("/tiers", get(servers::tiers))
        .route("/tiers/{tier}", get(servers::datasources_of_tier))
        .route("/servers", get(servers::list))
        .route("/servers/{name}", get(servers::one))
        .route("/servers/{name}/segments", get(servers::segments))
        .route("/servers/{name}/segments/{id}", get(servers::segment))
        .route("/loadstatus", get(load_status::all))
        .route("/loadqueue", get(load_queue::list))
        .route("/intervals", get(intervals::list))
        .route("/intervals/{interval}", get(intervals::one))
        .route("/config", get(config::get).post(config::set))
        .route("/config/history", get(config::history))
        .merge(of_datasources())
        .merge(of_metadata())
        .merge(compaction::druid())
        .merge(lookups::druid())
}

fn of_datasources() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/datasources", get(datasources::list))
        .route(
            "/datasources/{name}",
            get(datasources::one).delete(mark::unuse_datasource).post(mark::use_datasource),
        )
        .route("/datasources/{name}/intervals", get(intervals::of_datasource))
        .route(
            "/datasources/{name}/intervals/{interval}",
            get(intervals::one_of_datasource).delete(kill::kill_interval),
        )
        .route("/datasources/{name}/segments", get(segments::list))
        .route(
            "/datasources/{name}/segments/{id}",
            get(segments::one).delete(mark::unuse_segment).post(mark::use_segment),
        )
        .route("/datasources/{name}/tiers", get(datasources::tiers))
        .route("/datasources/{name}/loadstatus", get(load_status::one))
        .route("/datasources/{name}/handoffComplete", get(segments::handoff_complete))
        .route("/datasources/{name}/markUsed", post(mark::mark_used))
        .route("/datasources/{name}/markUnused", post(mark::mark_unused))
}

fn of_metadata() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/metadata/datasources", get(metadata::datasources))
        .route("/metadata/datasources/{name}", get(metadata::datasource))
        .route(
            "/metadata/datasources/{name}/segments",
            get(metadata::segments_of).post(metadata::segments_within),
        )
        .route("/metadata/datasources/{name}/segments/{id}", get(metadata::segment))
        .route("/metadata/segments", get(metadata::segments))
}

fn ours() -> Router<Arc<Coordinator>> {
    Router::new()
        .route("/balancer/explain", get(balancer::explain))
        .route("/nodes", get(nodes::list))
        .route("/nodes/{server}/drain", post(nodes::drain).delete(nodes::undrain))
        .route("/rules/test", post(rules_test::test))
        .route("/tiers", get(tiers::list))
        .route("/tiers/{alias}", put(tiers::set_alias).delete(tiers::remove_alias))
        .route("/kill", get(kill::dry_run))
        .route("/kill/uploads", get(kill::unpublished_uploads))
        .route("/audit/{name}", get(audit::list))
        .merge(compaction::ours())
}

impl From<CoordinatorError> for DruidError {
    fn from(error: CoordinatorError) -> Self {
        Self::new(error.class(), error.to_string())
    }
}

/// Work over all segments: of up to a million, so not on the network's threads.
async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DruidError> {
    blocking(work).await.map_err(|error| DruidError::new(ErrorClass::Internal, error.to_string()))
}
