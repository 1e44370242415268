//! `/druid/coordinator/v1/rules`: which tiers hold what, who said so, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use henge_placement::rules::{DEFAULT_RULES, Rule, parse_rules};
use henge_platform::http::{DruidError, LimitedBody};
use henge_types::{format_timestamp, validate_datasource_name};
use serde_json::{Value, json};

use super::asked::{Asker, Parameters};
use super::{rules_test, warnings};
use crate::preview::Preview;
use crate::rules::{RuleChange, RuleHistory};
use crate::{Coordinator, CoordinatorError};

/// All rules by datasource, and those that hold for every one under `_default`.
pub(super) async fn all(
    State(coordinator): State<Arc<Coordinator>>,
) -> Result<Json<BTreeMap<String, Vec<Rule>>>, DruidError> {
    let mut all: BTreeMap<String, Vec<Rule>> = coordinator.rules.all().await?.into_iter().collect();
    all.entry(DEFAULT_RULES.to_owned())
        .or_insert_with(|| vec![Rule::load_forever(coordinator.replicas())]);
    Ok(Json(all))
}

/// The rules of one datasource; with `?full` also the default ones, which are read after them.
pub(super) async fn get(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<Vec<Rule>>, DruidError> {
    let is_default = name == DEFAULT_RULES;
    let mut rules = coordinator.rules.get(&name).await?;
    if parameters.has("full") && !is_default {
        rules.extend(coordinator.rules.get(DEFAULT_RULES).await?);
    }
    let has_default = is_default || parameters.has("full");
    if has_default && coordinator.rules.get(DEFAULT_RULES).await?.is_empty() {
        rules.push(Rule::load_forever(coordinator.replicas()));
    }
    Ok(Json(rules))
}

/// Sets the rules of one datasource, or under `_default` those of all.
pub(super) async fn set(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    Asker { author, comment }: Asker,
    LimitedBody(body): LimitedBody,
) -> Result<Response, DruidError> {
    validate_datasource_name(&name)?;
    let text = std::str::from_utf8(&body)
        .map_err(|_| DruidError::invalid("write an array of rules: the body is not UTF-8"))?;
    let rules = parse_rules(text).map_err(CoordinatorError::from)?;
    let time_ms = coordinator.shared.clock.now_ms();
    let datasource = Some(name.clone()).filter(|name| name != DEFAULT_RULES);
    let preview = rules_test::preview(&coordinator, datasource, rules.clone()).await?;
    let change = RuleChange { rules, author, comment, time_ms };
    coordinator.rules.set(&name, &change).await?;
    coordinator.shared.wake.notify_one();
    Ok(with_warnings(&preview))
}

/// Nothing is said in the body, as in Druid; what the rules drop from now on is said in a header.
fn with_warnings(preview: &Preview) -> Response {
    let dropping = preview.datasources.iter().filter(|of| of.changed.drop > 0);
    let mut warnings: Vec<String> = dropping
        .map(|of| {
            let (name, drop, all) = (of.datasource.escape_default(), of.changed.drop, of.segments);
            format!("drops {drop} of {all} segments of '{name}': markUsed brings them back")
        })
        .collect();
    let lacking = preview.tiers_without_nodes.iter();
    warnings.extend(lacking.map(|tier| format!("tier '{}' has no nodes", tier.escape_default())));
    (warnings::header(warnings), ()).into_response()
}

/// Changes of the rules of one datasource.
pub(super) async fn history(
    State(coordinator): State<Arc<Coordinator>>,
    Path(name): Path<String>,
    parameters: Parameters,
) -> Result<Json<Vec<Value>>, DruidError> {
    let changes = coordinator.rules.history(Some(&name), asked(&parameters)?).await?;
    changes.iter().map(entry).collect::<Result<_, _>>().map(Json)
}

/// Changes of all rules.
pub(super) async fn history_of_all(
    State(coordinator): State<Arc<Coordinator>>,
    parameters: Parameters,
) -> Result<Json<Vec<Value>>, DruidError> {
    let changes = coordinator.rules.history(None, asked(&parameters)?).await?;
    changes.iter().map(entry).collect::<Result<_, _>>().map(Json)
}

/// `?interval=` and `?count=`, which may come together.
fn asked(parameters: &Parameters) -> Result<RuleHistory, DruidError> {
    let mut asked = RuleHistory::default();
    if let Some(interval) = parameters.interval("interval")? {
        asked.between_ms = (interval.start_ms, interval.end_ms);
    }
    if let Some(count) = parameters.number("count")? {
        asked.limit = count;
    }
    Ok(asked)
}

/// Druid's `AuditEntry`.
fn entry((name, change): &(String, RuleChange)) -> Result<Value, DruidError> {
    let payload = serde_json::to_string(&change.rules)
        .map_err(|error| CoordinatorError::Internal(error.to_string()))?;
    Ok(json!({
        "key": name,
        "type": "rules",
        "auditInfo": { "author": change.author, "comment": change.comment, "ip": "" },
        "payload": payload,
        "auditTime": format_timestamp(change.time_ms),
    }))
}
