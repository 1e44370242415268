//! The commands, one a file.

mod cluster;
mod config;
mod demo;
mod http;
mod ingest;
mod metadata;
mod output;
mod segment;
mod server;
mod stop;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use henge_platform::membership::Role;

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
    /// Look into segment files, or verify them.
    #[command(subcommand)]
    Segment(segment::SegmentCommand),
    /// Check the metadata of a data folder, or restore them.
    #[command(subcommand)]
    Metadata(metadata::MetadataCommand),
    /// See what a cluster would do.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Check settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

impl Command {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let outcome = match self {
            Self::Demo(args) => on_runtime(demo::run(args)),
            Self::Server(args) => on_runtime(server::run(args)),
            Self::Realtime(args) => on_runtime(server::run(args.of_role(Role::Realtime))),
            Self::Historical(args) => on_runtime(server::run(args.of_role(Role::Historical))),
            Self::Broker(args) => on_runtime(server::run(args.of_role(Role::Broker))),
            Self::Coordinator(args) => on_runtime(server::run(args.of_role(Role::Coordinator))),
            Self::Ingest(args) => ingest::run(&args),
            Self::Segment(command) => segment::run(&command),
            Self::Metadata(command) => on_runtime(metadata::run(command)),
            Self::Cluster(command) => cluster::run(&command),
            Self::Config(command) => config::run(&command),
        };
        match outcome {
            // Whoever read the output has seen enough, as with `| head`.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            outcome => outcome,
        }
    }
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
