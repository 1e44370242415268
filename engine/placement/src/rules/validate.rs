//! What a list of rules must be before it is kept. What is refused leaves the rules as they were (H-103).

use super::model::Rule;
use crate::error::{PlacementError, Result};

/// Rules in one list, at most: each is tried for each segment in each run.
pub const MOST_RULES: usize = 1_000;

/// Copies in one tier, at most.
pub const MOST_REPLICAS: u32 = 1_000;

/// The rules of an array of JSON.
///
/// # Errors
/// When it is none, a rule is of no known type, has a field that is missing, unknown or no valid value, or
/// the list as a whole makes no sense.
pub fn parse_rules(json: &str) -> Result<Vec<Rule>> {
    let values: Vec<serde_json::Value> = serde_json::from_str(json)
        .map_err(|error| PlacementError::Rules(format!("write an array of rules: {error}")))?;
    let rule = |(at, value): (usize, serde_json::Value)| {
        let invalid = |reason| PlacementError::Rule { position: at + 1, reason };
        let name = value.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
        if name.starts_with("loadPartial") {
            return Err(invalid(format!("'{name}' is not supported: segments are loaded whole")));
        }
        serde_json::from_value(value).map_err(|error| invalid(error.to_string()))
    };
    let rules: Vec<Rule> = values.into_iter().enumerate().map(rule).collect::<Result<_>>()?;
    validate_rules(&rules)?;
    Ok(rules)
}

/// Checks rules that were read, one by one and as a list.
///
/// # Errors
/// When there are too many, a number of copies is beyond what is allowed, a tier has no name, or a rule can
/// never match because one before it always does.
pub fn validate_rules(rules: &[Rule]) -> Result<()> {
    if rules.len() > MOST_RULES {
        let count = rules.len();
        return Err(PlacementError::Rules(format!("{count} rules, at most {MOST_RULES}")));
    }
    for (at, rule) in rules.iter().enumerate() {
        let invalid = |reason| Err(PlacementError::Rule { position: at + 1, reason });
        for (tier, copies) in rule.tiers().into_iter().flatten() {
            if tier.is_empty() {
                return invalid("a tier of tieredReplicants has no name".to_owned());
            }
            if *copies > MOST_REPLICAS {
                return invalid(format!(
                    "{copies} copies in tier '{tier}', at most {MOST_REPLICAS}"
                ));
            }
        }
        let always = |rule: &Rule| {
            matches!(
                rule,
                Rule::LoadForever { .. } | Rule::DropForever | Rule::BroadcastForever { .. }
            )
        };
        if always(rule) && at + 1 < rules.len() {
            let reason = "the rules after it never match: put it last";
            return invalid(reason.to_owned());
        }
    }
    Ok(())
}
