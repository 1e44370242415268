//! `/henge/v1/coordinator/rules/test`: what rules would do, before they are saved. Nothing is changed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use henge_placement::rules::{DEFAULT_RULES, Rule, parse_rules};
use henge_platform::http::{DruidError, LimitedBody};
use henge_types::json_read::refuse_repeated;
use serde::Deserialize;
use serde_json::Value;

use super::compute;
use crate::inventory::of_datasource;
use crate::preview::{Books, Preview, nodes_by_tier};
use crate::{Coordinator, CoordinatorError};

/// Whose rules they would be; without a datasource those of all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    datasource: Option<String>,
    rules: Value,
}

/// Counts what the rules would load and drop, and what of that is new.
pub(super) async fn test(
    State(coordinator): State<Arc<Coordinator>>,
    LimitedBody(body): LimitedBody,
) -> Result<Json<Preview>, DruidError> {
    let asked: Result<Asked, _> = refuse_repeated(&body)
        .and_then(|()| serde_json::from_slice(&body).map_err(|e| e.to_string()));
    let Asked { datasource, rules } = asked.map_err(|error| {
        DruidError::invalid(format!("write {{\"datasource\": …, \"rules\": […]}}: {error}"))
    })?;
    let datasource = datasource.filter(|name| name != DEFAULT_RULES);
    let rules = parse_rules(&rules.to_string()).map_err(CoordinatorError::from)?;
    preview(&coordinator, datasource, rules).await.map(Json)
}

/// What rules would do, as those of a datasource or, without one, as those of all.
pub(super) async fn preview(
    coordinator: &Coordinator,
    datasource: Option<String>,
    rules: Vec<Rule>,
) -> Result<Preview, DruidError> {
    let name = datasource.as_deref().unwrap_or(DEFAULT_RULES);
    let replicas = coordinator.replicas();
    let now = coordinator.rules.book(replicas).await?.book;
    let then = coordinator.rules.book_with(replicas, Some((name, rules))).await?.book;
    let used = coordinator.used_now().await?;
    let nodes = nodes_by_tier(coordinator.hosts.servers().values());
    let now_ms = coordinator.shared.clock.now_ms();
    let preview = move || {
        let books = Books { now, then };
        match &datasource {
            Some(name) => {
                let segments = of_datasource(&used, name).map(|(_, segment)| segment);
                Preview::of(segments, &books, &nodes, now_ms)
            }
            None => Preview::of(used.values(), &books, &nodes, now_ms),
        }
    };
    compute(preview).await
}
