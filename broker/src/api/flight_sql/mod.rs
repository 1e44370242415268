//! Arrow Flight SQL on the port of gRPC: statements, prepared ones, listings and sessions, for ADBC, JDBC and ODBC.
//!
//! The server keeps nothing between calls. A handle carries its statement, a ticket what it is the ticket of, and a
//! cookie the options of a session, so that calls of one client may come to different brokers.

mod actions;
mod bind;
mod command;
mod endpoints;
mod handle;
mod info;
mod listing;
mod schema;
mod service;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightServiceServer;
use henge_platform::rpc::RpcLimits;
use henge_platform::runtime::SystemClock;
use henge_sql::SqlError;
use tonic::Status;

pub use self::service::FlightSql;
use super::drivers::AnswerSql;

/// The service as it is added to a server.
pub type FlightSqlRoute = FlightServiceServer<FlightSql>;

/// The name under which it is served.
pub const FLIGHT_SQL_SERVICE_NAME: &str = "arrow.flight.protocol.FlightService";

/// Serves what answers statements.
pub(crate) fn service(sql: Arc<dyn AnswerSql>, limits: RpcLimits) -> FlightSqlRoute {
    let most = limits.max_request_bytes;
    let service = FlightSql::new(sql, limits, Arc::new(SystemClock));
    FlightServiceServer::new(service).max_decoding_message_size(most)
}

fn refused(error: &SqlError) -> Status {
    henge_platform::rpc::status(error.class, &error.to_string())
}

/// Something that the client does wrongly.
fn invalid(message: &str) -> Status {
    henge_platform::rpc::status(henge_types::ErrorClass::InvalidInput, message)
}

/// Something that is not built.
fn unsupported(message: &str) -> Status {
    henge_platform::rpc::status(henge_types::ErrorClass::Unsupported, message)
}

/// What cannot happen.
fn internal(error: impl std::fmt::Display) -> Status {
    henge_platform::rpc::status(henge_types::ErrorClass::Internal, &error.to_string())
}
