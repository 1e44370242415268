//! What rules would do, for people: which copies where, and what of it is another thing than today.

use anyhow::Result;
use serde_json::{Value, json};

use super::DEFAULT;
use crate::cmd::output::{Align, TextTable, counted, grouped, size};
use crate::cmd::server_at::Cluster;
use crate::cmd::shapes::{DatasourceEffect, RuleEffect, Tier};

/// Asks the leader what rules would do to today's segments.
pub(super) fn ask(cluster: &Cluster, datasource: &str, rules: &Value) -> Result<RuleEffect> {
    let datasource = Some(datasource).filter(|name| *name != DEFAULT);
    let body = json!({ "datasource": datasource, "rules": rules });
    let mut effect: RuleEffect = cluster.post("/henge/v1/coordinator/rules/test", &body)?;
    // Without them the effect is shown all the same.
    let tiers: Vec<Tier> = cluster.get("/henge/v1/coordinator/tiers").unwrap_or_default();
    effect.warnings = warnings(&effect, datasource, &tiers);
    Ok(effect)
}

fn warnings(effect: &RuleEffect, datasource: Option<&str>, tiers: &[Tier]) -> Vec<String> {
    let without = effect.tiers_without_nodes.iter();
    let mut warnings: Vec<String> = without
        .map(|tier| format!("no node is of the tier '{tier}': its copies would not be loaded"))
        .collect();
    let has_segments = effect.datasources.iter().any(|one| one.segments > 0);
    if let Some(name) = datasource.filter(|_| !has_segments) {
        warnings.push(format!("there is no datasource '{name}' with segments"));
    }
    for tier in tiers.iter().filter(|tier| tier.nodes > 0) {
        let loads = effect.datasources.iter().flat_map(|one| &one.load);
        let most = loads.filter(|load| load.tier == tier.tier).map(|load| load.replicas).max();
        if let Some(copies) = most.filter(|copies| *copies > tier.nodes) {
            let (nodes, copies) = (counted(tier.nodes, "node"), grouped(copies));
            warnings.push(format!("the tier '{}' has {nodes} for {copies} copies", tier.tier));
        }
    }
    warnings
}

/// Segments that are used now and would not be any more.
pub(super) fn dropped(effect: &RuleEffect) -> u64 {
    effect.datasources.iter().map(|one| one.changed.drop).sum()
}

/// The effect as a table, and a sentence for what somebody should know before.
pub(super) fn text(effect: &RuleEffect) -> String {
    let mut table = TextTable::new(&[
        ("datasource", Align::Left),
        ("segments", Align::Right),
        ("bytes", Align::Right),
        ("copies", Align::Left),
        ("dropped", Align::Right),
        ("against now", Align::Left),
    ]);
    for one in &effect.datasources {
        table.row([
            one.datasource.clone(),
            grouped(one.segments),
            size(one.bytes),
            copies(one),
            grouped(one.dropped.segments),
            changed(one),
        ]);
    }
    let mut lines = vec![table.or("no segments are concerned")];
    lines.extend(effect.warnings.iter().map(|warning| format!("! {warning}")));
    let drops = effect.datasources.iter().filter(|one| one.changed.drop > 0);
    lines.extend(drops.map(|one| {
        let (count, bytes) = (counted(one.changed.drop, "segment"), size(one.dropped.bytes));
        format!(
            "! '{}': {count} would be dropped, {bytes} with those dropped before: queries see them no more; under other rules \
             `henge datasource restore` brings them back until they are deleted for good",
            one.datasource
        )
    }));
    lines.join("\n")
}

/// `hot: 2 of 1,200 segments, 3.0 GiB`, a line for each tier.
fn copies(one: &DatasourceEffect) -> String {
    let tiers = one.load.iter().map(|tier| {
        let (copies, segments) = (grouped(tier.replicas), counted(tier.segments, "segment"));
        format!("{}: {copies} of {segments}, {}", tier.tier, size(tier.bytes))
    });
    let tiers: Vec<String> = tiers.collect();
    if tiers.is_empty() { "none".to_owned() } else { tiers.join("\n") }
}

fn changed(one: &DatasourceEffect) -> String {
    let changed = &one.changed;
    let parts = [
        (changed.load_more, "get more copies"),
        (changed.load_less, "get fewer copies"),
        (changed.drop, "are dropped"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> =
        parts.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    if parts.is_empty() { "the same".to_owned() } else { parts.join("\n") }
}
