//! What a list of rules must be before it is kept. What is refused leaves the rules as they were (H-103).

use henge_types::json_read::{read_named, refuse_repeated};
use henge_types::validate_tier_name;

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
    refuse_repeated(json.as_bytes()).map_err(PlacementError::Rules)?;
    let rule = |(at, value): (usize, serde_json::Value)| {
        let invalid = |reason| PlacementError::Rule { position: at + 1, reason };
        let name = value.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
        if name.starts_with("loadPartial") {
            return Err(invalid(format!("'{name}' is not supported: segments are loaded whole")));
        }
        read_named(&value).map_err(invalid)
    };
    let rules: Vec<Rule> = values.into_iter().enumerate().map(rule).collect::<Result<_>>()?;
    validate_rules(&rules)?;
    Ok(rules)
}

/// Checks rules that were read, one by one and as a list.
///
/// # Errors
/// When there are too many, a number of copies or the name of a tier is none that is allowed, or a rule can
/// never match because one before it always does.
pub fn validate_rules(rules: &[Rule]) -> Result<()> {
    if rules.len() > MOST_RULES {
        let count = rules.len();
        return Err(PlacementError::Rules(format!("{count} rules, at most {MOST_RULES}")));
    }
    for (at, rule) in rules.iter().enumerate() {
        let invalid = |reason| Err(PlacementError::Rule { position: at + 1, reason });
        for (tier, copies) in rule.tiers().into_iter().flatten() {
            if let Err(error) = validate_tier_name(tier) {
                return invalid(format!("field 'tieredReplicants': {error}"));
            }
            if *copies > MOST_REPLICAS {
                return invalid(format!(
                    "field 'tieredReplicants': {copies} copies in tier '{tier}', at most {MOST_REPLICAS}"
                ));
            }
        }
        let always = |rule: &Rule| {
            matches!(
                rule,
                Rule::LoadForever { .. } | Rule::DropForever {} | Rule::BroadcastForever { .. }
            )
        };
        if always(rule) && at + 1 < rules.len() {
            let reason = "the rules after it never match: put it last";
            return invalid(reason.to_owned());
        }
    }
    Ok(())
}
