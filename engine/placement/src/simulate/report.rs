//! What came of a simulation, for people and for programs.

use std::fmt::Write;

use super::measure::TierMeasures;
use super::run::Stage;

/// As JSON, an object with a list of stages.
///
/// # Errors
/// Never in practice: all of it can be written.
pub fn as_json(stages: &[Stage]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "stages": stages }))
}

/// As Markdown: how even it is, what the three wishes came to, what it took, and why something moved.
#[must_use]
pub fn as_markdown(stages: &[Stage]) -> String {
    let mut text = String::new();
    balance(&mut text, stages);
    wishes(&mut text, stages);
    work(&mut text, stages);
    reasons(&mut text, stages);
    text
}

fn by_tier(stages: &[Stage]) -> impl Iterator<Item = (&Stage, &TierMeasures)> {
    stages.iter().flat_map(|stage| stage.measures.tiers.iter().map(move |tier| (stage, tier)))
}

fn balance(text: &mut String, stages: &[Stage]) {
    text.push_str(
        "## Balance\n\nLargest over mean of the nodes of a tier.\n\n\
         | placement | tier | nodes | copies | bytes | query load | over cap | missing copies | in one zone |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (stage, tier) in by_tier(stages) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.3} | {:.3} | {} | {} | {} |",
            stage.name,
            tier.tier,
            tier.nodes,
            tier.copies,
            tier.bytes_largest_over_mean,
            tier.load_largest_over_mean,
            tier.nodes_over_cap,
            stage.measures.missing_copies,
            stage.measures.crowded_segments,
        );
    }
}

fn wishes(text: &mut String, stages: &[Stage]) {
    text.push_str(
        "\n## Wishes\n\nSegments on the node that has most of them, on average over the datasources or chunks; \
         in brackets the least that is possible, and the most by which one is above it.\n\n\
         | placement | tier | recent of a datasource | overlapping of a datasource | datasources per node | fewest |\n\
         | --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for (stage, tier) in by_tier(stages) {
        let of = |measured: &super::measure::PerNode| {
            let super::measure::PerNode { largest_mean, possible_mean, excess, .. } = measured;
            format!("{largest_mean:.2} ({possible_mean:.2}, +{excess})")
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} | {} |",
            stage.name,
            tier.tier,
            of(&tier.recent_of_datasource),
            of(&tier.overlapping),
            tier.datasources_mean,
            tier.datasources_fewest,
        );
    }
}

fn work(text: &mut String, stages: &[Stage]) {
    text.push_str(
        "\n## Work\n\n\
         | stage | plans | longest plan, ms | all plans, ms | loads | GB loaded | drops | moves | GB moved | to do once settled | without room |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    for stage in stages.iter().filter(|stage| stage.plans > 0) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.0} | {} | {} | {:.0} | {} | {} |",
            stage.name,
            stage.plans,
            stage.longest_plan_ms,
            stage.planned_ms,
            stage.loads,
            gigabytes(stage.loaded_bytes),
            stage.drops,
            stage.moves,
            gigabytes(stage.moved_bytes),
            stage.moves_when_settled,
            stage.without_room,
        );
    }
    for stage in stages {
        for (tier, count) in &stage.tiers_without_nodes {
            let _ = writeln!(
                text,
                "\n{}: tier `{tier}` has no nodes; {count} segments want it.",
                stage.name
            );
        }
    }
}

fn reasons(text: &mut String, stages: &[Stage]) {
    let mut shown = stages.iter().flat_map(|stage| stage.examples.iter().map(move |e| (stage, e)));
    let Some(first) = shown.next() else { return };
    text.push_str("\n## Why some of the moves\n\n");
    for (stage, example) in std::iter::once(first).chain(shown) {
        let (before, after) = (&example.before, &example.after);
        let terms = before.terms().into_iter().zip(after.terms());
        let terms: Vec<String> = terms
            .filter(|((_, before), (_, after))| (before - after).abs() >= 0.05)
            .map(|((name, before), (_, after))| format!("{name} {before:.1} → {after:.1}"))
            .collect();
        let _ = writeln!(
            text,
            "- {}: {}, `{}` → `{}`, for {}: {}",
            stage.name,
            example.segment,
            example.from,
            example.to,
            after.main_gain(before),
            terms.join(", "),
        );
    }
}
