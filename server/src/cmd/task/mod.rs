//! `henge task`: loads and other tasks of the cluster, what became of them, and stopping them.

mod list;
mod log;
mod stop;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::http::path_segment;

/// What to do with tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List tasks, the newest first.
    List(list::ListArgs),
    /// Stop a task that waits or runs: nothing of it is stored.
    Stop(stop::StopArgs),
    /// Print what a task has done: its numbers, what was refused and changed, why it failed.
    Log(log::LogArgs),
}

/// Runs the command.
pub(crate) fn run(command: &TaskCommand) -> Result<ExitCode> {
    match command {
        TaskCommand::List(args) => list::run(args),
        TaskCommand::Stop(args) => stop::run(args),
        TaskCommand::Log(args) => log::run(args),
    }
}

fn path_of(id: &str) -> String {
    format!("/druid/indexer/v1/task/{}", path_segment(id))
}
