//! `henge backup create`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use henge_platform::runtime::write_atomically;
use henge_server::backup::Backup;
use henge_server::data_folder::DataFolder;
use serde_json::json;

use super::PlaceArgs;
use crate::cmd::output::{Report, counted, size};

/// Options of `henge backup create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge backup create --data-dir ./data henge-2026-11-30.backup
  henge backup create --config henge.toml henge.backup       metadata in PostgreSQL

Exit codes: 0 written, 1 failed, 2 wrong usage.")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The file to write, which must not be there.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: &CreateArgs) -> Result<ExitCode> {
    let folder = args.place.folder(&args.place.config()?)?;
    report(&folder, &args.file).await?.show(args.place.json)
}

async fn report(folder: &DataFolder, file: &Path) -> Result<Report> {
    let shown = file.display();
    ensure!(!file.exists(), "'{shown}' is there already: name another file");
    let backup = Backup::of(folder).await?;
    let bytes = backup.encode()?;
    write_atomically(file, &bytes).with_context(|| format!("write '{shown}'"))?;
    let all = &backup.metadata;
    let used = all.segments.len().saturating_sub(all.unused.len());
    let text = format!(
        "wrote {shown}: {} of cluster {}, {} and {} that are used, as of manifest {}",
        size(bytes.len() as u64),
        all.cluster_uuid,
        counted(all.documents.len() as u64, "version") + " of schemas and rules",
        counted(used as u64, "segment"),
        all.number
    );
    let json = json!({
        "file": file, "bytes": bytes.len(), "cluster": all.cluster_uuid, "usedSegments": used,
        "segments": all.segments.len(), "manifest": all.number,
    });
    Ok(Report::new(text, json))
}
