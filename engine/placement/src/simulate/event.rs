//! What happens to a cluster.

use std::str::FromStr;

use serde::Serialize;

use crate::error::PlacementError;
use crate::rules::{Rule, parse_rules};

/// Something that happens, after which the cluster settles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// Nodes die, with what they had.
    LoseNodes {
        /// How many, spread over the tiers.
        count: usize,
    },
    /// All nodes of a zone die.
    LoseZone {
        /// The zone.
        zone: String,
    },
    /// Nodes are away for a moment: nothing is to be planned for that but what nobody else has.
    Flap {
        /// How many.
        count: usize,
    },
    /// New nodes come, with nothing, as many in each tier as its part of all.
    AddNodes {
        /// How many.
        count: usize,
    },
    /// Nodes are to be empty.
    DrainNodes {
        /// How many.
        count: usize,
    },
    /// Other rules for all datasources.
    SetRules {
        /// The rules.
        rules: Vec<Rule>,
    },
}

impl FromStr for Event {
    type Err = PlacementError;

    /// As `lose-nodes=3`, `lose-zone=zone-1`, `flap=1`, `add-nodes=10`, `drain-nodes=2` or
    /// `rules=[{"type": …}]`.
    fn from_str(text: &str) -> Result<Self, PlacementError> {
        let invalid = || {
            let forms =
                "lose-nodes=N, lose-zone=NAME, flap=N, add-nodes=N, drain-nodes=N or rules=[…]";
            PlacementError::Cluster(format!("event '{text}': write {forms}"))
        };
        let (name, value) = text.split_once('=').ok_or_else(invalid)?;
        let count = || value.parse::<usize>().map_err(|_| invalid());
        Ok(match name {
            "lose-nodes" => Self::LoseNodes { count: count()? },
            "lose-zone" => Self::LoseZone { zone: value.to_owned() },
            "flap" => Self::Flap { count: count()? },
            "add-nodes" => Self::AddNodes { count: count()? },
            "drain-nodes" => Self::DrainNodes { count: count()? },
            "rules" => Self::SetRules { rules: parse_rules(value)? },
            _ => return Err(invalid()),
        })
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes = |count: &usize| if *count == 1 { "node" } else { "nodes" };
        match self {
            Self::LoseNodes { count } => write!(f, "{count} {} lost", nodes(count)),
            Self::LoseZone { zone } => write!(f, "zone {zone} lost"),
            Self::Flap { count } => write!(f, "{count} {} away for a moment", nodes(count)),
            Self::AddNodes { count } => write!(f, "{count} empty {} added", nodes(count)),
            Self::DrainNodes { count } => write!(f, "{count} {} drained", nodes(count)),
            Self::SetRules { rules } => write!(f, "other rules ({})", rules.len()),
        }
    }
}
