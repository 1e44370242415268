//! Who answers, and how many at once: only the coordinator that leads, and no more than so many requests, since
//! some of them read all segments.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use henge_platform::http::DruidError;
use henge_types::ErrorClass;
use tokio::sync::Semaphore;

use crate::Coordinator;

/// Requests answered at once; more are refused, and may be tried again.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Guard {
    coordinator: Arc<Coordinator>,
    places: Semaphore,
}

impl Guard {
    pub(super) fn new(coordinator: Arc<Coordinator>) -> Self {
        Self { coordinator, places: Semaphore::new(AT_ONCE) }
    }
}

/// Middleware: refuses what another coordinator has to answer, and what is too much.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, DruidError> {
    check_leads(&guard.coordinator)?;
    let Ok(_place) = guard.places.try_acquire() else {
        let message = format!("{AT_ONCE} requests to the coordinator are under way: try again");
        return Err(DruidError::new(ErrorClass::Capacity, message));
    };
    Ok(next.run(request).await)
}

/// Nothing was done by one that does not lead: whoever asked may ask the leader.
pub(super) fn check_leads(coordinator: &Coordinator) -> Result<(), DruidError> {
    let status = coordinator.leader();
    if status.is_leading {
        return Ok(());
    }
    let error = match &status.holder {
        Some(holder) => {
            let node = holder.rsplit_once('/').map_or(holder.as_str(), |(node, _)| node);
            let message =
                format!("this coordinator does not lead, node '{node}' does: ask that one");
            DruidError::new(ErrorClass::Unavailable, message).with_context("leader", node)
        }
        None => {
            let message = "no coordinator is known to lead: try again in a moment";
            DruidError::new(ErrorClass::Unavailable, message)
        }
    };
    Err(error.not_taken())
}
