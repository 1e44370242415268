//! `/druid/coordinator/v1/cluster[/{role}]`: the processes that live, by what they do, as Druid lists them. Of
//! gossip, which knows where each is reached over HTTP.

use std::collections::BTreeMap;

use henge_platform::http::DruidError;
use henge_platform::membership::Role;
use serde_json::{Value, json};

use crate::nodes::{NodeRow, NodeState};

/// Those of all roles.
pub(crate) fn by_role(rows: &[NodeRow]) -> BTreeMap<&'static str, Vec<Value>> {
    let of_role = |role: Role| {
        let has = |row: &&NodeRow| {
            row.state == NodeState::Alive && row.roles.iter().any(|name| name == role.name())
        };
        (role.name(), rows.iter().filter(has).map(|row| node(row, role)).collect())
    };
    Role::ALL.into_iter().map(of_role).collect()
}

/// Those of one role.
///
/// # Errors
/// When there is no such role.
pub(crate) fn of_role(rows: &[NodeRow], role: &str) -> Result<Vec<Value>, DruidError> {
    let mut all = by_role(rows);
    let known = all.keys().copied().collect::<Vec<_>>().join(", ");
    all.remove(role).ok_or_else(|| {
        DruidError::not_found(format!("no role '{}' here: ask for {known}", role.escape_debug()))
    })
}

/// Druid's `host` is without the port.
fn node(row: &NodeRow, role: Role) -> Value {
    let (host, port) = row.http.rsplit_once(':').unwrap_or((row.http.as_str(), ""));
    let mut node = json!({
        "host": host, "service": role.name(), "plaintextPort": port.parse::<u16>().ok(), "tlsPort": null,
        "node": row.node,
    });
    if role == Role::Historical {
        node["tier"] = row.tier.as_str().into();
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_named_by_where_http_reaches_them() {
        let row = |node: &str, roles: &[&str], state| NodeRow {
            node: node.into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            http: format!("{node}.example:8888"),
            grpc: format!("{node}.example:8889"),
            tier: "hot".into(),
            state,
            ..NodeRow::default()
        };
        let rows = [
            row("h1", &["historical", "broker"], NodeState::Alive),
            row("h2", &["historical"], NodeState::Gone),
        ];
        let historical = json!({
            "host": "h1.example", "service": "historical", "plaintextPort": 8888, "tlsPort": null,
            "node": "h1", "tier": "hot",
        });
        assert_eq!(of_role(&rows, "historical").unwrap(), [historical]);
        let all = by_role(&rows);
        assert_eq!(
            (all["broker"].len(), all["coordinator"].len(), all["realtime"].len()),
            (1, 0, 0)
        );
        assert!(of_role(&rows, "x").unwrap_err().error_message.contains("realtime"));
    }
}
