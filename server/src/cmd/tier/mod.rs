//! `henge tier`: what is fast, what is cheap, and what each of them does with its memory.

mod dial;
mod list;
mod plot;
mod set;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What to do with tiers.
#[derive(Debug, Subcommand)]
pub(crate) enum TierCommand {
    /// List the tiers with their nodes, what these hold, and the names that rules may call them by.
    List(list::ListArgs),
    /// Give a tier another name that rules may use, or take it away.
    Set(set::SetArgs),
    /// Show what of each tier's segments is in memory, what had to be read, and how long queries took.
    Dial(dial::DialArgs),
}

/// Runs the command.
pub(crate) fn run(command: &TierCommand) -> Result<ExitCode> {
    match command {
        TierCommand::List(args) => list::run(args),
        TierCommand::Set(args) => set::run(args),
        TierCommand::Dial(args) => dial::run(args),
    }
}
