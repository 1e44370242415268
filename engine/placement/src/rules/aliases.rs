//! Tier aliases: one name in rules for several tiers, so that these can be renamed, split or replaced without
//! touching the rules of every datasource.

use std::collections::{BTreeMap, BTreeSet};

use henge_types::validate_tier_name;
use serde::{Deserialize, Serialize};

use super::model::Replicants;
use crate::error::{PlacementError, Result};

/// Tiers by alias. What a rule says of the alias holds for each of its tiers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TierAliases(BTreeMap<String, BTreeSet<String>>);

impl TierAliases {
    /// Aliases of which each names tiers, and no tier is named by two.
    ///
    /// # Errors
    /// When one names none or itself alone, a tier has two aliases, an alias is named by another, or a name is
    /// none that a tier may have.
    pub fn new(aliases: BTreeMap<String, BTreeSet<String>>) -> Result<Self> {
        let mut named: BTreeMap<&str, &str> = BTreeMap::new();
        for (alias, tiers) in &aliases {
            for name in tiers.iter().chain([alias]) {
                validate_tier_name(name)
                    .map_err(|error| PlacementError::Rules(error.to_string()))?;
            }
            if tiers.is_empty() {
                let reason = format!("tier alias '{alias}' names no tier");
                return Err(PlacementError::Rules(reason));
            }
            if tiers.iter().eq([alias]) {
                let reason = format!("tier alias '{alias}' stands for itself: leave it out");
                return Err(PlacementError::Rules(reason));
            }
            for tier in tiers {
                if aliases.contains_key(tier) && tier != alias {
                    let reason =
                        format!("'{tier}' is an alias itself: '{alias}' can name tiers only");
                    return Err(PlacementError::Rules(reason));
                }
                if let Some(other) = named.insert(tier, alias) {
                    let reason = format!("tier '{tier}' has two aliases, '{other}' and '{alias}'");
                    return Err(PlacementError::Rules(reason));
                }
            }
        }
        Ok(Self(aliases))
    }

    /// The tiers of each alias.
    #[must_use]
    pub fn tiers_by_alias(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.0
    }

    /// The same copies with tiers in place of aliases. Where a tier is named by itself too, the larger number
    /// holds.
    #[must_use]
    pub fn resolve(&self, replicants: &Replicants) -> Replicants {
        let mut resolved = Replicants::new();
        let mut ask = |tier: &str, copies: u32| {
            let asked = resolved.entry(tier.to_owned()).or_default();
            *asked = copies.max(*asked);
        };
        for (name, copies) in replicants {
            match self.0.get(name) {
                Some(tiers) => tiers.iter().for_each(|tier| ask(tier, *copies)),
                None => ask(name, *copies),
            }
        }
        resolved
    }
}
