//! `henge segment`: what is inside segment files, and whether they are whole.

mod inspect;
mod totals;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use henge_platform::runtime::map_file;
use henge_segment::MappedSegment;

/// How the names of segment files end: as they are stored, and as the cache keeps them for scanning.
const EXTENSIONS: [&str; 2] = ["segment", "hot"];

/// What to do with segment files.
#[derive(Debug, Subcommand)]
pub(crate) enum SegmentCommand {
    /// Print what segments are made of: columns, encodings, bytes.
    Inspect(InspectArgs),
    /// Verify every checksum and that all parts of segments agree; exit with 1 if one is corrupt.
    Verify(VerifyArgs),
}

/// Options of `henge segment inspect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge segment inspect ./data/deep-storage
  henge segment inspect --columns ./data/deep-storage/segments/wikipedia
  henge segment inspect --json 0_5a52e9f3cf1f376e.segment")]
pub(crate) struct InspectArgs {
    /// Print where the bytes are, column by column, added up over the segments of each datasource.
    #[arg(long)]
    columns: bool,
    /// Print everything as JSON, one segment a line; with --columns, one datasource a line.
    #[arg(long)]
    json: bool,
    /// Segment files, or directories that hold some.
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
}

/// Options of `henge segment verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  henge segment verify ./data/deep-storage
  henge segment verify 0_5a52e9f3cf1f376e.segment")]
pub(crate) struct VerifyArgs {
    /// Segment files, or directories that hold some.
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: &SegmentCommand) -> Result<ExitCode> {
    match command {
        SegmentCommand::Inspect(args) => inspect::run(args),
        SegmentCommand::Verify(args) => verify::run(args),
    }
}

/// The files named, and all segment files in the directories named, sorted within each.
///
/// # Errors
/// When a path is not there, or a directory holds no segment.
pub(crate) fn find_segments(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let metadata =
            std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
        if !metadata.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        find_below(path, &mut found)?;
        if found.len() == before {
            bail!("{}: no file in it ends in .{}", path.display(), EXTENSIONS.join(" or ."));
        }
        found[before..].sort();
    }
    Ok(found)
}

fn find_below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let read = || format!("read {}", directory.display());
    for entry in std::fs::read_dir(directory).with_context(read)? {
        let entry = entry.with_context(read)?;
        let kind = entry.file_type().with_context(read)?;
        let path = entry.path();
        if kind.is_dir() {
            find_below(&path, found)?;
        } else if kind.is_file() && is_segment(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end == *known))
}

fn open(path: &Path) -> Result<MappedSegment> {
    Ok(MappedSegment::open(map_file(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_their_segments_and_files_are_taken_as_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("b/c")).unwrap();
        std::fs::create_dir_all(path("empty")).unwrap();
        for name in ["z.segment", "b/c/a.hot", "b/note.txt"] {
            std::fs::write(path(name), b"").unwrap();
        }
        let found = find_segments(&[dir.path().to_owned(), path("b/note.txt")]).unwrap();
        assert_eq!(found, ["b/c/a.hot", "z.segment", "b/note.txt"].map(path));
        let message = |name| find_segments(&[path(name)]).unwrap_err().to_string();
        assert!(message("empty").contains(".segment"));
        assert!(message("none").contains("none"));
    }
}
