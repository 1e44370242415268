//! `/druid/coordinator/v1/leader` and `isLeader`, and the same of the overlord, which is the coordinator here:
//! who decides, as the lease in the metadata says.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use henge_coordinator::LEADER_LEASE;
use henge_platform::http::DruidError;
use henge_platform::membership::{Member, Role};
use henge_platform::metadata::{MetadataError, MetadataStore};
use henge_types::ErrorClass;
use serde_json::json;

use crate::cluster::Company;
use crate::ground::Ground;
use crate::options::Options;

/// The routes, for processes that decide or send on to who does.
pub(crate) fn router(
    options: &Options,
    ground: &Ground,
    company: Option<&Company>,
    own_url: &str,
) -> Router {
    let asked = Asked {
        own_name: Arc::clone(&options.node.name),
        own_url: own_url.into(),
        is_coordinator: options.node.roles.contains(&Role::Coordinator),
        lease: LeaderLease { metadata: ground.metadata.clone() },
        company: company.cloned(),
    };
    Router::new()
        .route("/druid/coordinator/v1/leader", get(leader))
        .route("/druid/indexer/v1/leader", get(leader))
        .route("/druid/coordinator/v1/isLeader", get(is_leader))
        .route("/druid/indexer/v1/isLeader", get(is_leader))
        .with_state(Arc::new(asked))
}

#[derive(Debug)]
struct Asked {
    own_name: Arc<str>,
    own_url: Arc<str>,
    is_coordinator: bool,
    lease: LeaderLease,
    /// `None` for a process that is alone, and leads.
    company: Option<Company>,
}

/// Who leads, as the metadata say.
#[derive(Debug)]
pub(crate) struct LeaderLease {
    pub(crate) metadata: Arc<dyn MetadataStore>,
}

impl LeaderLease {
    /// The node that leads; `None` while nobody does.
    pub(crate) async fn leader(&self) -> Result<Option<String>, DruidError> {
        let unavailable =
            |error: MetadataError| DruidError::new(error.class(), format!("who leads: {error}"));
        let lease = self.metadata.lease(LEADER_LEASE).await.map_err(unavailable)?;
        let holder = lease.filter(|lease| lease.remaining_ms > 0).and_then(|lease| lease.holder);
        let node = |holder: String| holder.rsplit_once('/').map(|(node, _)| node.to_owned());
        Ok(holder.and_then(node))
    }

    /// The member of the cluster that leads.
    ///
    /// # Errors
    /// When nobody does, or the metadata do not say.
    pub(crate) async fn leading_member(&self, company: &Company) -> Result<Member, DruidError> {
        let node = self.leader().await?.ok_or_else(nobody)?;
        company.view().members.get(node.as_str()).cloned().ok_or_else(nobody)
    }
}

fn nobody() -> DruidError {
    let message = "no coordinator leads: one has to run, and to reach the metadata store";
    DruidError::new(ErrorClass::Unavailable, message.to_owned())
}

/// Where the leader is reached, as text.
async fn leader(State(asked): State<Arc<Asked>>) -> Result<String, DruidError> {
    let Some(company) = &asked.company else { return Ok(asked.own_url.to_string()) };
    let member = asked.lease.leading_member(company).await?;
    Ok(format!("http://{}", member.http_address))
}

/// Whether this process leads: 404 when it does not, as load balancers want it. One that is no coordinator sends
/// on to who leads, and answers for them.
async fn is_leader(State(asked): State<Arc<Asked>>) -> Result<impl IntoResponse, DruidError> {
    let leads = match &asked.company {
        None => asked.is_coordinator,
        Some(_) => {
            let leader = asked.lease.leader().await?;
            leader.is_some_and(|node| !asked.is_coordinator || *node == *asked.own_name)
        }
    };
    let code = if leads { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Ok((code, Json(json!({ "leader": leads }))))
}
