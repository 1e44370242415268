//! What a made-up cluster is like.

use serde::{Deserialize, Serialize};

use crate::rules::{DEFAULT_TIER, Rule};

/// Nodes that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TierSpec {
    /// The tier's name.
    pub name: String,
    /// Its nodes.
    pub nodes: usize,
    /// Bytes that each may hold; as much as makes them four fifths full when it is not said.
    #[serde(default)]
    pub capacity_bytes: Option<u64>,
    /// What tiers with a larger one lack is loaded first.
    #[serde(default)]
    pub priority: i32,
}

/// A made-up cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Scenario {
    /// Whatever is chosen by chance follows from this.
    pub seed: u64,
    /// Segments.
    pub segments: usize,
    /// Datasources; their sizes differ as those of cities do.
    pub datasources: usize,
    /// How far the segments reach back, in days.
    pub days: u32,
    /// The end of the newest segments, in milliseconds since 1970.
    pub now_ms: i64,
    /// Average bytes of a segment; single ones have from a hundredth to fifty times that.
    pub mean_segment_bytes: u64,
    /// The nodes.
    pub tiers: Vec<TierSpec>,
    /// Zones, over which the nodes of each tier are spread.
    pub zones: usize,
    /// What holds for all datasources.
    pub rules: Vec<Rule>,
}

impl Default for Scenario {
    fn default() -> Self {
        let (name, nodes) = (DEFAULT_TIER.to_owned(), 100);
        Self {
            seed: 1,
            segments: 1_000_000,
            datasources: 100,
            days: 365,
            now_ms: 1_796_083_200_000,
            mean_segment_bytes: 300 << 20,
            tiers: vec![TierSpec { name, nodes, capacity_bytes: None, priority: 0 }],
            zones: 2,
            rules: vec![Rule::load_forever(2)],
        }
    }
}
