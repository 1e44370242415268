//! A rule, as Druid writes it.

use std::collections::BTreeMap;

use henge_types::{Interval, Period};
use serde::{Deserialize, Serialize};

use super::DEFAULT_TIER;

/// Copies by tier.
pub type Replicants = BTreeMap<String, u32>;

/// Copies in the default tier when a load rule names no tiers at all.
const REPLICAS_OF_NO_TIERS: u32 = 2;

/// One rule. Its JSON is Druid's, with Druid's names of fields; fields that no rule has are refused, since a
/// misspelt one would keep or drop what it should not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Rule {
    /// Every segment is loaded.
    LoadForever {
        /// Copies by tier; none: it stays in deep storage alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tiered_replicants: Option<Replicants>,
        /// What it means that no tiers are given: two copies in the default tier (true, or not said), or
        /// none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        use_default_tier_for_null: Option<bool>,
    },
    /// Segments that share time with the interval are loaded.
    LoadByInterval {
        /// The time.
        interval: Interval,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tiered_replicants: Option<Replicants>,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        use_default_tier_for_null: Option<bool>,
    },
    /// Segments that share time with the period before now are loaded.
    LoadByPeriod {
        /// The period, which ends now.
        period: Period,
        /// Also those of later.
        #[serde(default = "yes")]
        include_future: bool,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tiered_replicants: Option<Replicants>,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        use_default_tier_for_null: Option<bool>,
    },
    /// Every segment is marked unused. With braces, since serde takes unknown fields of units.
    DropForever {},
    /// Segments that lie in the interval are marked unused.
    DropByInterval {
        /// The time.
        interval: Interval,
    },
    /// Segments that lie in the period before now are marked unused.
    DropByPeriod {
        /// The period, which ends now.
        period: Period,
        /// Also those of later.
        #[serde(default = "yes")]
        include_future: bool,
    },
    /// Segments that end before the period before now begins are marked unused.
    DropBeforeByPeriod {
        /// The period, which ends now.
        period: Period,
    },
    /// Every segment is loaded by every node.
    BroadcastForever {
        /// Of releases that are long gone: read, and of no effect.
        #[serde(default, skip_serializing)]
        colocated_data_sources: Option<Vec<String>>,
    },
    /// Segments that share time with the interval are loaded by every node.
    BroadcastByInterval {
        /// The time.
        interval: Interval,
        /// As above.
        #[serde(default, skip_serializing)]
        colocated_data_sources: Option<Vec<String>>,
    },
    /// Segments that share time with the period before now are loaded by every node.
    BroadcastByPeriod {
        /// The period, which ends now.
        period: Period,
        /// Also those of later.
        #[serde(default = "yes")]
        include_future: bool,
        /// As above.
        #[serde(default, skip_serializing)]
        colocated_data_sources: Option<Vec<String>>,
    },
}

fn yes() -> bool {
    true
}

/// What a rule does with the segments that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Load(Replicants),
    Drop,
    Broadcast,
}

impl Rule {
    /// Everything is loaded, in so many copies, by nodes of the default tier.
    #[must_use]
    pub fn load_forever(replicas: u32) -> Self {
        let tiered_replicants = Some(Replicants::from([(DEFAULT_TIER.to_owned(), replicas)]));
        Self::LoadForever { tiered_replicants, use_default_tier_for_null: None }
    }

    /// What it does.
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::LoadForever { tiered_replicants, use_default_tier_for_null }
            | Self::LoadByInterval { tiered_replicants, use_default_tier_for_null, .. }
            | Self::LoadByPeriod { tiered_replicants, use_default_tier_for_null, .. } => {
                Effect::Load(match tiered_replicants {
                    Some(replicants) => replicants.clone(),
                    None if use_default_tier_for_null.unwrap_or(true) => {
                        Replicants::from([(DEFAULT_TIER.to_owned(), REPLICAS_OF_NO_TIERS)])
                    }
                    None => Replicants::new(),
                })
            }
            Self::DropForever {}
            | Self::DropByInterval { .. }
            | Self::DropByPeriod { .. }
            | Self::DropBeforeByPeriod { .. } => Effect::Drop,
            Self::BroadcastForever { .. }
            | Self::BroadcastByInterval { .. }
            | Self::BroadcastByPeriod { .. } => Effect::Broadcast,
        }
    }

    /// The tiers that it names.
    pub(super) fn tiers(&self) -> Option<&Replicants> {
        match self {
            Self::LoadForever { tiered_replicants, .. }
            | Self::LoadByInterval { tiered_replicants, .. }
            | Self::LoadByPeriod { tiered_replicants, .. } => tiered_replicants.as_ref(),
            _ => None,
        }
    }
}
