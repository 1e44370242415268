//! `henge datasource`: what there is, dropping it, and bringing it back.

mod drop;
mod list;
mod restore;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use henge_types::Interval;
use serde_json::Value;

use super::http::path_segment;

/// What to do with datasources.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasourceCommand {
    /// List the datasources with their segments, and how much of them is loaded.
    List(list::ListArgs),
    /// Mark all segments of a datasource unused, or those of some time: queries see them no more.
    Drop(drop::DropArgs),
    /// Use segments again that were dropped and are not deleted yet.
    Restore(restore::RestoreArgs),
}

/// Runs the command.
pub(crate) fn run(command: &DatasourceCommand) -> Result<ExitCode> {
    match command {
        DatasourceCommand::List(args) => list::run(args),
        DatasourceCommand::Drop(args) => drop::run(args),
        DatasourceCommand::Restore(args) => restore::run(args),
    }
}

fn path_of(name: &str) -> String {
    format!("/druid/coordinator/v1/datasources/{}", path_segment(name))
}

/// An interval that was given, as the server wants it.
fn checked(interval: &str) -> Result<String> {
    let read = Interval::parse(interval);
    read.map(|interval| interval.to_string()).with_context(|| {
        format!("--interval '{interval}' must look like 2026-01-01/2026-02-01 or 2026-01-01/P1M")
    })
}

/// How many segments were changed, of an answer that says it.
fn changed_segments(answer: &Value) -> u64 {
    let fields = ["numChangedSegments", "segmentStateChanged"];
    let count = fields.iter().find_map(|field| answer.get(*field));
    count.map_or(0, |count| count.as_u64().unwrap_or_else(|| count.as_bool().map_or(0, u64::from)))
}
