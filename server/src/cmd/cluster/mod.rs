//! `henge cluster`: what a cluster looks like, what its nodes are told, and what it would do.

mod decommission;
mod explain;
mod nodes;
mod simulate;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What to do with a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Say who leads, who lives, and what is not served or not loaded yet; exit with 3 if anything is wrong.
    Status(status::StatusArgs),
    /// List the processes of the cluster, and what those hold that serve segments.
    Nodes(nodes::NodesArgs),
    /// Empty a historical node, so that it can be taken away; its copies are loaded elsewhere first.
    Decommission(decommission::DecommissionArgs),
    /// Say which copies were moved lately, and what each move was good for.
    Explain(explain::ExplainArgs),
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
        ClusterCommand::Status(args) => status::run(args),
        ClusterCommand::Nodes(args) => nodes::run(args),
        ClusterCommand::Decommission(args) => decommission::run(args),
        ClusterCommand::Explain(args) => explain::run(args),
        ClusterCommand::Simulate(args) => simulate::run(args),
    }
}
