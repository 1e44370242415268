//! `henge rules`: which tiers hold which segments, in how many copies, and which segments go.

mod effect;
mod get;
mod history;
mod set;
mod test;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use henge_placement::rules::parse_rules;
use serde_json::Value;

use super::output::{Align, TextTable};

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Print the rules of a datasource, or of all.
    Get(get::GetArgs),
    /// Set the rules of a datasource, after showing what they do to its segments.
    Set(set::SetArgs),
    /// Say what rules would do to the segments of today. Nothing is changed.
    Test(test::TestArgs),
    /// List who changed which rules, when and why.
    History(history::HistoryArgs),
}

/// Runs the command.
pub(crate) fn run(command: &RulesCommand) -> Result<ExitCode> {
    match command {
        RulesCommand::Get(args) => get::run(args),
        RulesCommand::Set(args) => set::run(args),
        RulesCommand::Test(args) => test::run(args),
        RulesCommand::History(args) => history::run(args),
    }
}

/// The name for the rules that hold for every datasource after its own.
const DEFAULT: &str = henge_placement::rules::DEFAULT_RULES;

/// The rules in a file, or in what comes over standard input for `-`; checked, so that no server needs to
/// refuse them.
fn read_rules(file: &Path) -> Result<Value> {
    let text = match file.to_str() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("read standard input")?;
            text
        }
        _ => std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?,
    };
    let place = || format!("in {}", file.display());
    parse_rules(&text).with_context(place)?;
    serde_json::from_str(&text).with_context(place)
}

/// Rules in their order, the first match of which decides.
fn table_of(rules: &[Value]) -> TextTable {
    let mut table = TextTable::new(&[
        ("", Align::Right),
        ("rule", Align::Left),
        ("segments of", Align::Left),
        ("copies", Align::Left),
    ]);
    for (index, rule) in rules.iter().enumerate() {
        let number = (index + 1).to_string();
        table.row([number, text_of(rule, "type"), time_of(rule), copies_of(rule)]);
    }
    table
}

fn text_of(rule: &Value, field: &str) -> String {
    rule[field].as_str().unwrap_or_default().to_owned()
}

fn time_of(rule: &Value) -> String {
    let period = text_of(rule, "period");
    match (rule["interval"].as_str(), period.as_str()) {
        (Some(interval), _) => interval.to_owned(),
        (None, "") => "all time".to_owned(),
        (None, period) if rule["type"] == "dropBeforeByPeriod" => {
            format!("before the last {period}")
        }
        (None, period) => match rule["includeFuture"].as_bool().unwrap_or(true) {
            true => format!("the last {period} and later"),
            false => format!("the last {period}"),
        },
    }
}

fn copies_of(rule: &Value) -> String {
    let kind = text_of(rule, "type");
    if kind.starts_with("drop") {
        return "none, and unused".to_owned();
    }
    if kind.starts_with("broadcast") {
        return "one on every node".to_owned();
    }
    match rule["tieredReplicants"].as_object() {
        Some(tiers) if tiers.is_empty() => "in deep storage alone".to_owned(),
        Some(tiers) => {
            let tiers = tiers.iter().map(|(tier, copies)| format!("{tier}: {copies}"));
            tiers.collect::<Vec<_>>().join(", ")
        }
        None if rule["useDefaultTierForNull"] == false => "in deep storage alone".to_owned(),
        None => format!("{}: 2", henge_placement::rules::DEFAULT_TIER),
    }
}
