//! What the coordinators answer, as far as commands read it. Fields that an older one does not send are empty.

use serde::{Deserialize, Serialize};

/// The version of a program as `/status` says it: `version` is that of Druid whose API it speaks, and was the
/// program's own before there was `hengeVersion`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ProgramVersion {
    version: String,
    henge_version: Option<String>,
}

impl ProgramVersion {
    /// The program's own.
    pub(super) fn text(&self) -> &str {
        self.henge_version.as_deref().unwrap_or(&self.version)
    }
}

/// A node that holds segments, as the leader sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DataNode {
    pub(super) server: String,
    pub(super) tier: String,
    pub(super) zone: String,
    pub(super) capacity_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) segments: u64,
    pub(super) load: f64,
    pub(super) draining: bool,
    pub(super) alive: bool,
    pub(super) queued: Queued,
}

/// Orders that a node has still to carry out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Queued {
    pub(super) load: u64,
    pub(super) drop: u64,
}

impl DataNode {
    /// The name of its process: `historical-h1` is a part of `h1`.
    pub(super) fn node(&self) -> &str {
        ["historical-", "realtime-"]
            .iter()
            .find_map(|role| self.server.strip_prefix(role))
            .unwrap_or(&self.server)
    }
}

/// A tier, as the leader sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Tier {
    pub(super) tier: String,
    pub(super) nodes: u64,
    pub(super) capacity_bytes: u64,
    pub(super) used_bytes: u64,
    pub(super) segments: u64,
    pub(super) aliases: Vec<String>,
}

/// What rules would do to the segments of today.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RuleEffect {
    pub(super) datasources: Vec<DatasourceEffect>,
    pub(super) tiers_without_nodes: Vec<String>,
    /// What of it cannot come about, or was probably not meant; found by the command.
    #[serde(skip_deserializing)]
    pub(super) warnings: Vec<String>,
}

/// The same of one datasource.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DatasourceEffect {
    pub(super) datasource: String,
    pub(super) segments: u64,
    pub(super) bytes: u64,
    pub(super) load: Vec<TierEffect>,
    pub(super) dropped: Amount,
    pub(super) changed: Changed,
}

/// Copies in one tier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TierEffect {
    pub(super) tier: String,
    pub(super) replicas: u64,
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

/// Segments and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Amount {
    pub(super) segments: u64,
    pub(super) bytes: u64,
}

/// Segments that would be treated otherwise than now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Changed {
    pub(super) load_more: u64,
    pub(super) load_less: u64,
    pub(super) drop: u64,
}

/// Why a copy was moved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Moved {
    pub(super) segment: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) main_reason: String,
    pub(super) gain: f64,
    pub(super) before: serde_json::Value,
    pub(super) after: serde_json::Value,
    pub(super) time_ms: i64,
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// The last moves, and whether there is nothing left to move.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Moves {
    pub(super) moves: Vec<Moved>,
    pub(super) settled: bool,
}
