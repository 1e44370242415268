//! The commands, one a file.

mod backup;
mod cluster;
mod completions;
mod config;
mod datasource;
mod demo;
#[cfg(test)]
mod fake_server;
mod http;
mod ingest;
mod man;
mod metadata;
mod output;
mod rules;
mod said;
mod segment;
mod segments;
mod server;
mod server_at;
mod shapes;
mod sql;
mod stop;
mod task;
mod tier;
mod upgrade;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use henge_platform::membership::Role;

pub(crate) use output::exit_code_of;

/// Real-time analytics: push events, query them at once, keep them for ever.
#[derive(Debug, Parser)]
#[command(name = "henge", version, about, max_term_width = 100)]
pub(crate) enum Command {
    /// Start a server with live sample events and print a few answers.
    ///
    /// Page views of the last hours are pushed over HTTP and handed off as segments; then live ones
    /// go on until Ctrl-C.
    Demo(demo::DemoArgs),
    /// Run a server: all roles in this process, or some of a cluster.
    Server(server::ServerArgs),
    /// Run a realtime node of a cluster: as `henge server --roles realtime`.
    Realtime(server::ServerArgs),
    /// Run a historical node of a cluster: as `henge server --roles historical`.
    Historical(server::ServerArgs),
    /// Run a broker of a cluster: as `henge server --roles broker`.
    Broker(server::ServerArgs),
    /// Run a coordinator of a cluster: as `henge server --roles coordinator`.
    Coordinator(server::ServerArgs),
    /// Load files into a datasource, with a progress bar.
    Ingest(ingest::IngestArgs),
    /// List tasks, as loads are, stop them, or see what became of one.
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Ask statements of SQL: one, those of a file, or a shell.
    Sql(sql::SqlArgs),
    /// See how a cluster is, tell its nodes what to do, or plan for it.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// See what tiers hold and how much of it is in memory, and name them for rules.
    #[command(subcommand)]
    Tier(tier::TierCommand),
    /// Say which tiers hold which segments, in how many copies, and which segments go.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// List datasources, drop them, or bring them back.
    #[command(subcommand)]
    Datasource(datasource::DatasourceCommand),
    /// List the segments of a datasource.
    Segments(segments::SegmentsArgs),
    /// Write the metadata into one file, or make them anew from it.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Say whether a cluster can be brought to the version of this program.
    #[command(subcommand)]
    Upgrade(upgrade::UpgradeCommand),
    /// Look into segment files, or verify them.
    #[command(subcommand)]
    Segment(segment::SegmentCommand),
    /// Check the metadata of a data folder, or restore them.
    #[command(subcommand)]
    Metadata(metadata::MetadataCommand),
    /// Check settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print what a shell needs to complete this command line.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder.
    Man(man::ManArgs),
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let outcome = match self {
            Self::Demo(args) => on_runtime(demo::run(args)),
            Self::Server(args) => on_runtime(server::run(args)),
            Self::Realtime(args) => of_role(args, Role::Realtime),
            Self::Historical(args) => of_role(args, Role::Historical),
            Self::Broker(args) => of_role(args, Role::Broker),
            Self::Coordinator(args) => of_role(args, Role::Coordinator),
            Self::Ingest(args) => ingest::run(&args),
            Self::Task(command) => task::run(&command),
            Self::Sql(args) => sql::run(&args),
            Self::Cluster(command) => cluster::run(&command),
            Self::Tier(command) => tier::run(&command),
            Self::Rules(command) => rules::run(&command),
            Self::Datasource(command) => datasource::run(&command),
            Self::Segments(args) => segments::run(&args),
            Self::Backup(command) => on_runtime(backup::run(command)),
            Self::Upgrade(command) => upgrade::run(&command),
            Self::Segment(command) => segment::run(&command),
            Self::Metadata(command) => on_runtime(metadata::run(command)),
            Self::Config(command) => config::run(&command),
            Self::Completions(args) => completions::run(&args, &mut Self::command()),
            Self::Man(args) => man::run(&args, Self::command()),
        };
        match outcome {
            // Whoever read the output has seen enough, as with `| head`.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            outcome => outcome,
        }
    }
}

fn of_role(args: server::ServerArgs, role: Role) -> Result<ExitCode> {
    on_runtime(server::run(args.of_role(role)?))
}

/// Errors go to standard error, with their causes, one a line.
#[expect(clippy::print_stderr, reason = "it is for whoever gave the command")]
pub(crate) fn print_error(error: &anyhow::Error) {
    let mut shown = error.to_string();
    eprintln!("error: {}", shown.trim_end());
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some errors quote their cause.
        if !shown.contains(&cause) {
            eprintln!("  because: {}", cause.trim_end());
        }
        shown = cause;
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn on_runtime(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Command::command().debug_assert();
    }

    /// What a command prints and how it exits is said where it is asked for.
    #[test]
    fn every_command_that_asks_a_server_says_its_exit_codes_and_shows_examples() {
        let line = Command::command();
        let mut asking = 0;
        for group in ["cluster", "tier", "rules", "datasource", "task", "backup", "upgrade"] {
            let group = line.find_subcommand(group).unwrap();
            for command in group.get_subcommands().filter(|one| one.get_name() != "simulate") {
                let help = command.clone().render_long_help().to_string();
                let name = command.get_name();
                assert!(help.contains("Exit codes: 0 "), "{name}: {help}");
                assert!(help.contains("Examples:") && help.contains("--json"), "{name}: {help}");
                asking += 1;
            }
        }
        assert_eq!(asking, 20);
    }
}
