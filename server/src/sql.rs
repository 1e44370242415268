//! SQL of a process with a broker: the bounds of its engine, and what system tables tell of processes.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use henge_broker::{ClusterFacts, Process, Sql, SqlDependencies};
use henge_coordinator::Coordinator;
use henge_platform::config::ServerConfig;
use henge_platform::runtime::SideThreads;
use serde_json::Value;

use crate::cluster::Company;
use crate::ground::Ground;
use crate::nodes::{NodeRow, NodeState};
use crate::options::Options;
use crate::roles::Roles;

/// What this process knows of processes, for system tables.
pub(crate) struct Processes {
    own: NodeRow,
    properties: Vec<(String, String)>,
    coordinator: Option<Arc<Coordinator>>,
    company: OnceLock<Company>,
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processes").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Processes {
    /// This process, alone so far; `own` is its row.
    pub(crate) fn new(own: NodeRow, config: &ServerConfig, roles: &Roles) -> Self {
        let mut properties = Vec::new();
        // What is secret is not part of it.
        let settings = serde_json::to_value(config).unwrap_or_default();
        flatten("", &settings, &mut properties);
        let coordinator = roles.coordinator.clone();
        Self { own, properties, coordinator, company: OnceLock::new() }
    }

    /// It has joined a cluster.
    pub(crate) fn join(&self, company: &Company) {
        self.company.get_or_init(|| company.clone());
    }

    /// Whether a process leads the coordinators; known to a process with one of them.
    fn is_leader(&self, node: &str) -> Option<bool> {
        let leader = self.coordinator.as_ref()?.leader();
        match (node == self.own.node, &leader.holder) {
            (true, _) => Some(leader.is_leading),
            (false, Some(holder)) => {
                Some(holder.split_once('/').is_some_and(|(leading, _)| leading == node))
            }
            (false, None) => None,
        }
    }

    fn process_of(&self, row: NodeRow) -> Process {
        Process {
            is_self: row.node == self.own.node,
            is_leader: self.is_leader(&row.node),
            node: row.node,
            roles: row.roles,
            http: row.http,
            grpc: row.grpc,
            tier: row.tier,
            version: row.version,
        }
    }
}

impl ClusterFacts for Processes {
    fn processes(&self) -> Vec<Process> {
        let rows: Vec<NodeRow> = match self.company.get() {
            Some(company) => {
                let heard = company.heard_nodes().into_iter().map(NodeRow::from);
                heard.filter(|row| row.state == NodeState::Alive).collect()
            }
            None => vec![self.own.clone()],
        };
        rows.into_iter().map(|row| self.process_of(row)).collect()
    }

    fn properties(&self) -> Vec<(String, String)> {
        self.properties.clone()
    }
}

/// Settings by their names with the sections before them.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, member, out);
            }
        }
        Value::Null => {}
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

/// SQL over the broker of this process, if it has one.
///
/// # Errors
/// When there are no threads for it.
pub(crate) fn start(
    options: &Options,
    ground: &Ground,
    roles: &Roles,
    processes: &Arc<Processes>,
) -> Result<Option<Arc<Sql>>> {
    let Some(broker) = roles.broker.clone() else { return Ok(None) };
    let threads = SideThreads::start("sql", options.sql.partitions);
    let planners = SideThreads::start("sql-plan", options.sql.planners);
    let dependencies = SqlDependencies {
        clock: Arc::clone(&ground.clock),
        cluster: processes.clone(),
        metrics: ground.metrics.clone(),
        threads: threads.context("start the threads of SQL")?,
        planners: planners.context("start the threads that plan SQL")?,
        options: options.sql.clone(),
    };
    Ok(Some(Arc::new(Sql::new(broker, dependencies))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_named_as_in_the_environment() {
        let mut found = Vec::new();
        flatten(
            "",
            &json!({"port": 1, "log": {"filter": "info"}, "x": [1], "none": null}),
            &mut found,
        );
        let expected = [("port", "1"), ("log.filter", "info"), ("x", "[1]")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }
}
