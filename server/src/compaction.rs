//! Compactions that the coordinator wants done: given to any realtime node of the cluster, as the front door
//! does with what people submit, or to that of the only process.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use henge_coordinator::{Coordinator, TaskRunner};
use henge_platform::membership::Role;
use henge_platform::runtime::spawn;
use serde_json::Value;
use tower::ServiceExt;

use crate::cluster::Company;
use crate::front::{self, Front};
use crate::roles::Roles;

/// Bytes of an answer to a submitted task.
const MOST_ANSWERED: usize = 1 << 20;

/// Lets the coordinator of this process compact, if there is one and somebody who could.
pub(crate) fn start(roles: &Roles, company: Option<&Company>, front: Option<&Arc<Front>>) {
    let Some(coordinator) = roles.coordinator.clone() else { return };
    let router = match (front, &roles.realtime) {
        // To the node with the fewest tasks, which may be this one.
        (Some(front), _) => front::to_realtime(Arc::clone(front)),
        (None, Some(realtime)) => henge_realtime_node::router(Arc::clone(realtime)),
        (None, None) => return,
    };
    let tasks = Tasks { router, company: company.cloned() };
    spawn(run(coordinator, tasks));
}

async fn run(coordinator: Arc<Coordinator>, tasks: Tasks) {
    coordinator.compact_with(&tasks).await;
}

/// The way to realtime nodes.
#[derive(Debug)]
struct Tasks {
    router: Router,
    company: Option<Company>,
}

#[async_trait]
impl TaskRunner for Tasks {
    async fn submit(&self, task_json: String) -> Result<String, String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/druid/indexer/v1/task")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(task_json))
            .map_err(|error| error.to_string())?;
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), MOST_ANSWERED).await;
        let body = body.map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        match (status, said["task"].as_str()) {
            (StatusCode::OK, Some(id)) => Ok(id.to_owned()),
            _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
        }
    }

    fn nodes(&self) -> usize {
        let of_cluster = |company: &Company| company.view().with_role(Role::Realtime).count();
        self.company.as_ref().map_or(1, of_cluster)
    }
}
