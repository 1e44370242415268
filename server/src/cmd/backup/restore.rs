//! `henge backup restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use henge_server::backup::Backup;
use henge_server::integrity::{Restored, restore};
use henge_server::open_existing_deep_storage;
use henge_types::format_timestamp;
use serde_json::json;

use super::PlaceArgs;
use crate::cmd::output::{Report, counted};

/// Options of `henge backup restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge backup restore --data-dir ./data henge-2026-11-30.backup
  henge backup restore --config henge.toml henge.backup          into an empty database
  henge backup restore --config henge.toml henge.backup --force

All servers on these metadata must be stopped, whatever their roles are; while one is registered as running nothing
is changed, also with --force, and one that was killed counts as running for half a minute. The old metadata are kept: as metadata.sqlite.damaged-N, or in
PostgreSQL in a schema henge_aside_TIME. Each process then starts as after an older copy: `henge metadata check`
says what its folder has that the backup does not know.

Exit codes: 0 restored, 1 refused or failed, and nothing was changed, 2 wrong usage, 3 restored, and something
does not fit.")]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The file that `henge backup create` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put aside the metadata that are there, give up changes since the backup, and do without objects that deep
    /// storage does not have.
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: &RestoreArgs) -> Result<ExitCode> {
    let shown = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("read '{shown}'"))?;
    let backup = Backup::decode(&bytes).with_context(|| format!("read '{shown}'"))?;
    let config = args.place.config()?;
    let folder = args.place.folder(&config)?;
    let storage = open_existing_deep_storage(&config.storage, &folder).await?;
    // Metadata in PostgreSQL may be restored where no server ever ran.
    let is_needed = folder.root().is_dir() || config.metadata.url.is_empty();
    let _lock = is_needed.then(|| folder.own()).transpose()?;
    let restored = restore(&folder, storage, &backup, args.force).await?;
    report(&backup, &restored).show(args.place.json)
}

fn report(backup: &Backup, restored: &Restored) -> Report {
    let Restored { all, kept, set_aside, objects, given_up, report } = restored;
    let created = format_timestamp(backup.created_ms);
    let used = all.segments.len().saturating_sub(all.unused.len());
    let mut lines = vec![format!(
        "restored the metadata of cluster {} as of {created}: {} that are used",
        all.cluster_uuid,
        counted(used as u64, "segment")
    )];
    if let Some(kept) = kept {
        lines.push(format!("the old metadata are kept as {}", kept.display()));
    }
    if let Some(schema) = set_aside {
        lines.push(format!("the old tables are in the schema {schema}"));
    }
    if *given_up > 0 {
        lines.push(format!("given up: {} made since", counted(*given_up, "change")));
    }
    if !objects.unnamed.is_empty() {
        let count = counted(objects.unnamed.len() as u64, "object");
        lines.push(format!("note: {count} in deep storage that the backup does not name"));
    }
    lines.extend(objects.missing.iter().map(|missing| format!("! not available: {missing}")));
    lines.extend(report.all_findings().map(|finding| format!("! does not fit: {finding}")));
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    lines.push(
        "tasks and refused events are in no backup: those of before are not listed any more".into(),
    );
    let json = json!({
        "cluster": all.cluster_uuid, "createdMs": backup.created_ms, "usedSegments": used,
        "kept": kept, "setAside": set_aside, "givenUpChanges": given_up,
        "missingObjects": objects.missing, "unnamedObjects": objects.unnamed,
        "findings": report.all_findings().collect::<Vec<_>>(), "notes": report.notes,
    });
    let is_alarming = !report.fits() || !objects.missing.is_empty();
    Report { is_alarming, ..Report::new(lines.join("\n"), json) }
}
