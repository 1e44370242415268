//! `henge server`, and `henge realtime` and the like for one role.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use henge_platform::config::{LogFormat, ServerConfig};
use henge_platform::membership::Role;
use henge_platform::telemetry::init_logging;

use super::output::UsageError;
use super::stop::StopSignals;

/// Options of `henge server`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge server --data-dir ./data
  henge server --config henge.toml
  henge server --config henge.toml --roles broker,coordinator
  HENGE_QUERY__TIMEOUT_MS=60000 henge server

One role of a cluster, where henge.toml has metadata.url, storage.url, grpc.listen and cluster.seeds:
  henge historical --config henge.toml --data-dir /data/h1 --node h1 --port 8081
  henge realtime --config henge.toml --data-dir /data/r1 --node r1 --port 8082
  henge broker --config henge.toml --data-dir /data/b1 --node b1 --port 8083")]
pub(crate) struct ServerArgs {
    /// A TOML file with settings; see `henge config check`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Port to listen on; 0 takes a free one and prints it.
    #[arg(long)]
    port: Option<u16>,
    /// What this process does, separated by commas: realtime, historical, broker, coordinator. All of it
    /// when nothing is given. Processes of a cluster share `metadata.url` and `storage.url`.
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    roles: Option<Vec<String>>,
    /// The name of this process in its cluster.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Log filter, for example `info` or `henge_broker=debug`.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How lines of the log are written: for people, or as a JSON object each.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// Runs until Ctrl-C or SIGTERM.
#[expect(clippy::print_stdout, reason = "whoever started it waits for the line that says where")]
pub(crate) async fn run(args: ServerArgs) -> Result<ExitCode> {
    let mut config = ServerConfig::load(args.config.as_deref())?;
    config.data_dir = args.data_dir.unwrap_or(config.data_dir);
    config.port = args.port.unwrap_or(config.port);
    config.log.filter = args.log.unwrap_or(config.log.filter);
    config.log.format = args.log_format.map_or(config.log.format, LogFormat::from);
    config.cluster.roles = args.roles.unwrap_or(config.cluster.roles);
    config.cluster.node = args.node.unwrap_or(config.cluster.node);
    config.validate()?;
    init_logging(&config.log).context("start logging")?;
    let mut stop = StopSignals::listen()?;
    let mut starting = Box::pin(henge_server::start(&config, args.config.as_deref()));
    let running = tokio::select! {
        started = &mut starting => started?,
        () = stop.next() => {
            tracing::info!("stopped before it was ready");
            // As at the end of `run`: what was begun is not cleaned up while it may still be at work.
            std::mem::forget(starting);
            return Ok(ExitCode::SUCCESS);
        }
    };
    println!(
        "henge is ready on {} ({} segments, {} ms, data in {}{})",
        running.url,
        running.segments,
        running.startup.as_millis(),
        config.data_dir.display(),
        running.grpc.map(|address| format!(", gRPC on {address}")).unwrap_or_default()
    );
    tokio::select! {
        () = stop.next() => {}
        () = running.superseded() => {
            let node = config.node_name();
            anyhow::bail!("another process of the cluster is called '{node}': set cluster.node");
        }
        () = running.lost() => anyhow::bail!(
            "this realtime node was taken for dead, and others go on with its logs: start it again"
        ),
    }
    tracing::info!("stopping");
    // Work in the background ends with the process and not before: until then the folder is ours.
    std::mem::forget(running.stop().await);
    Ok(ExitCode::SUCCESS)
}

impl ServerArgs {
    /// The same for a process with one role.
    ///
    /// # Errors
    /// When it is told to have others.
    pub(crate) fn of_role(self, role: Role) -> Result<Self, UsageError> {
        if let Some(roles) = &self.roles {
            let (all, role) = (roles.join(","), role.name());
            return Err(UsageError(format!(
                "`henge {role}` is a process with that one role: leave --roles out, or run \
                 `henge server --roles {all}`"
            )));
        }
        Ok(Self { roles: Some(vec![role.name().to_owned()]), ..self })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServerArgs,
    }

    #[test]
    fn a_command_of_one_role_takes_no_others() {
        let args = |line: &[&str]| Line::parse_from(line).args;
        let one = args(&["historical"]).of_role(Role::Historical).unwrap();
        assert_eq!(one.roles.unwrap(), ["historical"]);
        let line = ["historical", "--roles", "broker,realtime"];
        let error = args(&line).of_role(Role::Historical).unwrap_err().to_string();
        assert!(error.contains("`henge server --roles broker,realtime`"), "{error}");
    }
}
