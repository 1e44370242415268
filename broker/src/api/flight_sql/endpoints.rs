//! Where the rows of an answer are fetched: at one endpoint, or, for a large scan, at one for each of its parts. The
//! parts go to the brokers in turn. Any broker takes any of them, as a ticket is all that is known of it.

use arrow_flight::{FlightEndpoint, Ticket};
use tonic::Status;

use super::command::Asked;
use super::service::FlightSql;

/// Stands for the connection over which an answer was asked for.
const SAME_CONNECTION: &str = "arrow-flight-reuse-connection://?";

impl FlightSql {
    /// The endpoints that together give all rows. A statement with a part in it is not divided again.
    ///
    /// # Errors
    /// Never for what was read.
    pub(super) async fn endpoints(&self, asked: Asked) -> Result<Vec<FlightEndpoint>, Status> {
        let handle = match asked {
            Asked::Statement(handle) if handle.part.is_none() => handle,
            other => return Ok(vec![endpoint(other, None)?]),
        };
        let now_ms = self.clock.now_ms();
        let dated = handle.clone().dated(now_ms);
        // What cannot be planned, as its parameters have no values yet or a limit is reached, stays whole: whoever
        // fetches it is told why.
        let division = self.sql.divide(dated.clone().request(now_ms)).await.unwrap_or_default();
        if division.parts.is_empty() {
            return Ok(vec![endpoint(Asked::Statement(handle), None)?]);
        }
        let elsewhere = division.elsewhere.iter().map(|address| Some(address.as_str()));
        let in_turn = std::iter::once(None).chain(elsewhere).cycle();
        let endpoints = division.parts.into_iter().zip(in_turn);
        endpoints
            .map(|(part, address)| endpoint(Asked::Statement(dated.part(part)), address))
            .collect()
    }
}

/// One without an address is fetched where the question was asked. What another broker gives can be fetched there as
/// well, by clients that reach no other.
fn endpoint(asked: Asked, address: Option<&str>) -> Result<FlightEndpoint, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(asked.ticket()?));
    Ok(match address {
        None => endpoint,
        Some(address) => {
            endpoint.with_location(format!("grpc://{address}")).with_location(SAME_CONNECTION)
        }
    })
}
