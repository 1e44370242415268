//! The endpoints of the broker over HTTP, one group a file, and over gRPC.

mod accept;
mod avatica;
mod cancel;
mod datasources;
mod drivers;
mod flight_sql;
mod grpc;
mod lookups;
mod native;
mod schema;
mod sql;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use henge_platform::http::DruidError;
use henge_platform::rpc::RpcLimits;

pub use flight_sql::{FLIGHT_SQL_SERVICE_NAME, FlightSql, FlightSqlRoute};
pub use grpc::{QueryRoute, QueryService, query_service};
pub use sql::sql_router;

use crate::error::BrokerError;
use crate::{Broker, Sql};

/// The routes of the role, but for those of SQL.
pub fn router(broker: Arc<Broker>) -> Router {
    Router::new()
        .route("/druid/v2", post(native::query))
        .route("/druid/v2/", post(native::query))
        .route("/druid/v2/{query_id}", delete(cancel::cancel))
        .route("/druid/v2/datasources", get(datasources::list))
        .route("/druid/v2/datasources/", get(datasources::list))
        .route("/druid/v2/datasources/{name}", get(datasources::columns))
        .route("/druid/v2/datasources/{name}/dimensions", get(datasources::dimensions))
        .route("/druid/v2/datasources/{name}/metrics", get(datasources::metrics))
        .route("/v1/schema/query", get(schema::of_queries))
        .route("/druid/v1/lookups/introspect", get(lookups::names))
        .route("/druid/v1/lookups/introspect/{name}", get(lookups::map))
        .route("/druid/v1/lookups/introspect/{name}/{part}", get(lookups::part))
        .route("/druid/listen/v1/lookups", get(lookups::all))
        .route("/druid/listen/v1/lookups/{name}", get(lookups::one))
        .with_state(broker)
}

/// The routes of Avatica.
pub fn avatica_router(sql: Arc<Sql>) -> Router {
    avatica::router(Arc::new(sql))
}

/// Serves statements over Arrow Flight SQL.
#[must_use]
pub fn flight_sql_service(sql: Arc<Sql>, limits: RpcLimits) -> FlightSqlRoute {
    flight_sql::service(Arc::new(sql), limits)
}

impl From<BrokerError> for DruidError {
    fn from(error: BrokerError) -> Self {
        let shown = Self::new(error.class(), error.to_string());
        let BrokerError::SegmentsUnavailable(unavailable) = error else { return shown };
        let details = unavailable.to_json();
        let details = details.as_object().into_iter().flatten();
        details.fold(shown, |shown, (name, value)| shown.with_context(name, value.to_string()))
    }
}
