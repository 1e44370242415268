//! `henge cluster`: what a cluster looks like, and what it would.

mod simulate;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What to do with a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Plan for a cluster that is made up or was exported, through losses, new nodes and other rules.
    ///
    /// Runs the coordinator's planning code and prints how even the placement is beside one by chance
    /// and one node after the other, what is loaded and moved, and how long planning took. Nothing is
    /// touched: no server is needed.
    Simulate(simulate::SimulateArgs),
}

/// Runs the command.
pub(crate) fn run(command: &ClusterCommand) -> Result<ExitCode> {
    match command {
        ClusterCommand::Simulate(args) => simulate::run(args),
    }
}
