//! `henge metadata`: does a data folder fit together, and restoring lost metadata.

mod accept;
mod check;
mod rebuild;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use henge_platform::config::ServerConfig;
use henge_platform::metadata::DATASOURCE;
use henge_platform::metadata::manifest::Manifest;
use henge_realtime_node::node_of_folder;
use henge_server::data_folder::DataFolder;
use serde_json::{Value, json};

use super::output::{Align, TextTable, grouped};

/// What to do with the metadata of a data folder that no server uses.
#[derive(Debug, Subcommand)]
pub(crate) enum MetadataCommand {
    /// Say what does not fit in a data folder; exit with 1 if anything does not. Nothing is changed.
    Check(FolderArgs),
    /// Restore the metadata from the manifests in deep storage, and from nothing else.
    ///
    /// The old file is kept beside the new one. Objects that no manifest names are reported and never
    /// adopted. Tasks and refused events are not in manifests and are not restored.
    Rebuild(FolderArgs),
    /// Go on without the pushes that a damaged log has lost. What can be read is kept.
    AcceptLogLoss(accept::AcceptArgs),
    /// Go on without the tasks and refused events that an older copy of the metadata does not have.
    AcceptMetadataLoss(accept::AcceptMetadataArgs),
}

/// Which data folder, and where its metadata and its objects are.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// The server's settings, of which `[metadata]` and `[storage]` are read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The PostgreSQL database of metadata that are not in the data folder, as in `metadata.url`.
    #[arg(long, value_name = "URL", env = "HENGE_METADATA__URL", hide_env_values = true)]
    metadata_url: Option<String>,
}

/// The settings of the server that a folder belongs to.
pub(super) fn folder_settings(
    file: Option<&Path>,
    data_dir: Option<&Path>,
    metadata_url: Option<&str>,
) -> Result<ServerConfig> {
    let mut config = ServerConfig::load(file)?;
    if let Some(data_dir) = data_dir {
        data_dir.clone_into(&mut config.data_dir);
    }
    if let Some(url) = metadata_url {
        config.metadata.url = url.to_owned().into();
    }
    // The folder knows best whose logs it has.
    if let Some(node) = node_of_folder(&config.data_dir)? {
        config.cluster.node = node;
    }
    Ok(config)
}

impl PlaceArgs {
    /// The settings of the server that the folder belongs to.
    fn config(&self) -> Result<ServerConfig> {
        let url = self.metadata_url.as_deref();
        folder_settings(self.config.as_deref(), Some(&self.data_dir), url)
    }

    fn folder(&self) -> Result<DataFolder> {
        self.folder_of(&self.config()?)
    }

    fn folder_of(&self, config: &ServerConfig) -> Result<DataFolder> {
        Ok(DataFolder::of(config)?.with_settings(self.config.as_deref()))
    }
}

/// Which data folder, and how it is said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge metadata check --data-dir ./data
  henge metadata check --data-dir ./data --config henge.toml     where deep storage is a bucket
  henge metadata rebuild --data-dir ./data")]
pub(crate) struct FolderArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(command: MetadataCommand) -> Result<ExitCode> {
    match command {
        MetadataCommand::Check(args) => check::run(&args).await,
        MetadataCommand::Rebuild(args) => rebuild::run(&args).await,
        MetadataCommand::AcceptLogLoss(args) => accept::run(&args).await,
        MetadataCommand::AcceptMetadataLoss(args) => accept::run_metadata(&args).await,
    }
}

/// Segments and rows that are used, by datasource.
struct Summary {
    name: String,
    schemas: usize,
    segments: usize,
    rows: u64,
}

fn summarize(all: &Manifest) -> Vec<Summary> {
    let mut found = std::collections::BTreeMap::<String, Summary>::new();
    let mut of = |name: &str, change: &dyn Fn(&mut Summary)| {
        let summary = found.entry(name.to_owned()).or_insert_with(|| Summary {
            name: name.to_owned(),
            schemas: 0,
            segments: 0,
            rows: 0,
        });
        change(summary);
    };
    let unused: std::collections::BTreeSet<_> = all.unused.iter().collect();
    for schema in all.documents.iter().filter(|document| document.kind == DATASOURCE) {
        of(&schema.name, &|summary| summary.schemas += 1);
    }
    for segment in all.segments.iter().filter(|segment| !unused.contains(&segment.id)) {
        of(&segment.id.datasource, &|summary| {
            summary.segments += 1;
            summary.rows += segment.row_count;
        });
    }
    found.into_values().collect()
}

fn table(all: &Manifest) -> TextTable {
    let columns =
        [("datasource", Align::Left), ("used segments", Align::Right), ("rows", Align::Right)];
    let mut table = TextTable::new(&columns);
    for summary in summarize(all) {
        table.row([summary.name, grouped(summary.segments as u64), grouped(summary.rows)]);
    }
    table
}

fn as_json(all: &Manifest) -> Value {
    let datasources: Vec<Value> = summarize(all)
        .iter()
        .map(|s| {
            json!({
                "datasource": s.name,
                "schemas": s.schemas,
                "usedSegments": s.segments,
                "rows": s.rows,
            })
        })
        .collect();
    json!({
        "clusterUuid": all.cluster_uuid,
        "manifest": all.number,
        "datasources": datasources,
        "positions": all.positions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_says_whose_logs_it_has_and_commands_name_what_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path();
        let node = || folder_settings(None, Some(data_dir), None).unwrap().node_name();
        assert_eq!(node(), "0");
        let identity = r#"{"node":"r1","folder":"0123"}"#;
        std::fs::write(data_dir.join("realtime-node.json"), identity).unwrap();
        assert_eq!(node(), "r1");
        let settings = data_dir.join("henge.toml");
        std::fs::write(&settings, "port = 0\n").unwrap();
        let config = folder_settings(Some(&settings), Some(data_dir), None).unwrap();
        let of = DataFolder::of(&config).unwrap();
        let (root, file) = (data_dir.display(), settings.display());
        let plain = format!("henge metadata check --data-dir '{root}'");
        assert_eq!(of.command("check"), plain);
        let whole = of.with_settings(Some(&settings)).command("check");
        assert_eq!(whole, format!("{plain} --config '{file}'"));
    }
}
