//! `GET /henge/v1/nodes`: the processes of the cluster as gossip tells this one, also those that are gone and not
//! forgotten; and as Druid lists them. A process that is alone is a cluster of one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use henge_platform::http::DruidError;
use henge_platform::membership::{HeardNode, NodeCondition, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::Company;
use crate::druid_cluster;
use crate::node_options::NodeOptions;

/// A process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// What it does; empty while that is not known.
    pub roles: Vec<String>,
    /// Host and port of HTTP.
    pub http: String,
    /// Host and port of gRPC; empty when it has none.
    pub grpc: String,
    /// What it shares its fate with.
    pub zone: String,
    /// The tier of its segments.
    pub tier: String,
    /// Whether it lives.
    pub state: NodeState,
    /// The version of its program; empty when it does not say.
    pub version: String,
    /// Grows with each of its starts.
    pub incarnation: u64,
    /// How long ago there was last a sign of it, in milliseconds.
    pub last_heard_ms: Option<u64>,
}

/// Whether a process lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It does.
    #[default]
    Alive,
    /// It was heard of, and it is not known yet what it is or whether it lives.
    Starting,
    /// It is silent, or said that it leaves.
    Gone,
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alive => "alive",
            Self::Starting => "starting",
            Self::Gone => "gone",
        })
    }
}

impl From<HeardNode> for NodeRow {
    fn from(heard: HeardNode) -> Self {
        let described = heard.member.map(|member| Self {
            roles: names(member.roles),
            http: member.http_address.to_string(),
            grpc: member.grpc_address.to_string(),
            zone: member.zone.to_string(),
            tier: member.tier.to_string(),
            ..Self::default()
        });
        Self {
            node: heard.node_id.to_string(),
            state: match heard.condition {
                NodeCondition::Alive => NodeState::Alive,
                NodeCondition::Starting => NodeState::Starting,
                NodeCondition::Gone => NodeState::Gone,
            },
            version: heard.version.to_string(),
            incarnation: heard.incarnation,
            last_heard_ms: Some(heard.last_heard_ms),
            ..described.unwrap_or_default()
        }
    }
}

fn names(roles: impl IntoIterator<Item = Role>) -> Vec<String> {
    roles.into_iter().map(|role| role.name().to_owned()).collect()
}

/// The row of a process that is alone.
pub(crate) fn alone(
    options: &NodeOptions,
    incarnation: u64,
    own_url: &str,
    grpc: Option<SocketAddr>,
) -> NodeRow {
    NodeRow {
        node: options.name.to_string(),
        roles: names(options.roles.iter().copied()),
        http: own_url.strip_prefix("http://").unwrap_or(own_url).to_owned(),
        grpc: grpc.map(|address| address.to_string()).unwrap_or_default(),
        zone: options.zone.to_string(),
        tier: options.tier.to_string(),
        state: NodeState::Alive,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        incarnation,
        last_heard_ms: Some(0),
    }
}

/// Who can be told of.
#[derive(Debug)]
struct Known {
    company: Option<Company>,
    alone: NodeRow,
}

impl Known {
    fn rows(&self) -> Vec<NodeRow> {
        match &self.company {
            Some(company) => company.heard_nodes().into_iter().map(NodeRow::from).collect(),
            None => vec![self.alone.clone()],
        }
    }
}

/// The routes.
pub(crate) fn router(company: Option<&Company>, alone: NodeRow) -> Router {
    let known = Arc::new(Known { company: company.cloned(), alone });
    Router::new()
        .route("/henge/v1/nodes", get(list))
        .route("/druid/coordinator/v1/cluster", get(by_role))
        .route("/druid/coordinator/v1/cluster/{role}", get(of_role))
        .with_state(known)
}

async fn list(State(known): State<Arc<Known>>) -> Json<Vec<NodeRow>> {
    Json(known.rows())
}

async fn by_role(State(known): State<Arc<Known>>) -> Json<Value> {
    Json(json!(druid_cluster::by_role(&known.rows())))
}

async fn of_role(
    State(known): State<Arc<Known>>,
    Path(role): Path<String>,
) -> Result<Json<Vec<Value>>, DruidError> {
    druid_cluster::of_role(&known.rows(), &role).map(Json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_row_of_a_node() {
        let row = NodeRow {
            node: "h1".into(),
            roles: vec!["historical".into()],
            http: "h:8888".into(),
            grpc: "h:8889".into(),
            zone: "a".into(),
            tier: "hot".into(),
            state: NodeState::Starting,
            version: "1.0.0".into(),
            incarnation: 7,
            last_heard_ms: Some(12),
        };
        let json = json!({"node": "h1", "roles": ["historical"], "http": "h:8888", "grpc": "h:8889",
            "zone": "a", "tier": "hot", "state": "starting", "version": "1.0.0", "incarnation": 7,
            "lastHeardMs": 12});
        assert_eq!(json!(row), json);
        assert_eq!(serde_json::from_value::<NodeRow>(json).unwrap(), row);
    }

    #[test]
    fn a_node_that_has_said_nothing_is_named_all_the_same() {
        let heard = HeardNode {
            node_id: "h2".into(),
            incarnation: 3,
            condition: NodeCondition::Gone,
            member: None,
            version: "".into(),
            gossip_address: ([127, 0, 0, 1], 1).into(),
            last_heard_ms: 5,
        };
        let row = NodeRow::from(heard);
        assert_eq!((row.node.as_str(), row.state, row.roles.len()), ("h2", NodeState::Gone, 0));
    }
}
