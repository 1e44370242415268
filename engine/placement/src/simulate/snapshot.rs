//! A cluster as it was exported: JSON with the nodes, the segments, who holds them, and the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_types::Interval;
use serde::{Deserialize, Serialize};

use super::world::{Stored, World};
use crate::cluster::{Server, ServerIndex, ServerState};
use crate::error::{PlacementError, Result};
use crate::rules::{Rule, RuleBook, TierAliases, validate_rules};

/// The version of the format.
const VERSION: u32 = 1;

/// An exported cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// 1.
    pub version: u32,
    /// When it was made, in milliseconds since 1970: what periods of rules end at.
    pub now_ms: i64,
    /// What holds for all datasources.
    pub default_rules: Vec<Rule>,
    /// What comes before that.
    #[serde(default)]
    pub rules: BTreeMap<String, Vec<Rule>>,
    /// Tiers by alias.
    #[serde(default)]
    pub tier_aliases: BTreeMap<String, std::collections::BTreeSet<String>>,
    /// The nodes.
    pub servers: Vec<SnapshotServer>,
    /// The segments, in any order.
    pub segments: Vec<SnapshotSegment>,
}

/// A node of an exported cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotServer {
    /// Its name.
    pub name: Arc<str>,
    /// Its tier.
    pub tier: Arc<str>,
    /// Its zone.
    #[serde(default = "no_zone")]
    pub zone: Arc<str>,
    /// Bytes it may hold.
    pub capacity_bytes: u64,
    /// That of its tier.
    #[serde(default)]
    pub priority: i32,
    /// It is to be empty.
    #[serde(default)]
    pub is_draining: bool,
}

/// A segment of an exported cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotSegment {
    /// Its datasource.
    pub datasource: Arc<str>,
    /// Its time chunk.
    pub interval: Interval,
    /// Bytes on a node.
    pub size_bytes: u64,
    /// Work of queries on it.
    #[serde(default)]
    pub load: u32,
    /// Names of the nodes that have it.
    #[serde(default)]
    pub servers: Vec<Arc<str>>,
}

fn no_zone() -> Arc<str> {
    Arc::from("")
}

impl Snapshot {
    /// Reads one.
    ///
    /// # Errors
    /// When it is no JSON of this form, or of a later version.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let snapshot: Self = serde_json::from_slice(json)
            .map_err(|error| PlacementError::Cluster(format!("snapshot: {error}")))?;
        if snapshot.version != VERSION {
            let reason = format!("snapshot: version {}, known is {VERSION}", snapshot.version);
            return Err(PlacementError::Cluster(reason));
        }
        Ok(snapshot)
    }

    /// The cluster to simulate.
    ///
    /// # Errors
    /// When rules are refused, or a segment is on a node that is not given.
    pub fn into_world(self) -> Result<World> {
        let mut rules =
            RuleBook::new(checked(self.default_rules)?, TierAliases::new(self.tier_aliases)?);
        for (datasource, of_datasource) in self.rules {
            rules.set(&datasource, checked(of_datasource)?);
        }
        let mut servers: Vec<Server> = self.servers.into_iter().map(server).collect();
        servers.sort_by(|left, right| (&left.tier, &left.name).cmp(&(&right.tier, &right.name)));
        let places: BTreeMap<&str, ServerIndex> =
            (0..).zip(&servers).map(|(at, server)| (&*server.name, at)).collect();
        let mut segments = self.segments;
        segments.sort_by(|left, right| {
            (&left.datasource, left.interval).cmp(&(&right.datasource, right.interval))
        });
        let mut datasources: Vec<Arc<str>> = Vec::new();
        let mut stored = Vec::with_capacity(segments.len());
        for segment in segments {
            if datasources.last() != Some(&segment.datasource) {
                datasources.push(Arc::clone(&segment.datasource));
            }
            let holder = |name: &Arc<str>| {
                let unknown = || format!("a segment is on node '{name}', which is not given");
                places.get(&**name).copied().ok_or_else(|| PlacementError::Cluster(unknown()))
            };
            stored.push(Stored {
                datasource: datasources.len() as u32 - 1,
                interval: segment.interval,
                size_bytes: segment.size_bytes,
                load: segment.load,
                holders: segment.servers.iter().map(holder).collect::<Result<_>>()?,
            });
        }
        Ok(World { now_ms: self.now_ms, datasources, rules, servers, segments: stored })
    }
}

fn checked(rules: Vec<Rule>) -> Result<Vec<Rule>> {
    validate_rules(&rules)?;
    Ok(rules)
}

fn server(server: SnapshotServer) -> Server {
    let SnapshotServer { name, tier, zone, capacity_bytes, priority, is_draining } = server;
    let state = if is_draining { ServerState::Draining } else { ServerState::Active };
    Server { name, tier, zone, capacity_bytes, priority, state }
}
