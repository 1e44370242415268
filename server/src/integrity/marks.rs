//! The marks beside what they mark: how far each log was durable, and how many changes the metadata had
//! that no manifest says and no log repeats.

use anyhow::{Context, Result};
use henge_platform::metadata::SqlMetadataStore;
use henge_platform::wal::LogMarks;

use super::Report;
use crate::data_folder::DataFolder;

/// Opens the marks of a data folder that is ours, or makes them.
///
/// # Errors
/// When the file cannot be read or made.
pub fn open_marks(folder: &DataFolder) -> Result<LogMarks> {
    let path = folder.marks();
    LogMarks::open(&path).with_context(|| format!("open '{}'", path.display()))
}

/// Reads them and changes nothing.
pub(super) fn read_marks(folder: &DataFolder) -> Result<LogMarks> {
    let path = folder.marks();
    LogMarks::read(&path).with_context(|| format!("read '{}'", path.display()))
}

/// The metadata must have all changes that are marked.
pub(super) async fn compare(
    folder: &DataFolder,
    metadata: &SqlMetadataStore,
    report: &mut Report,
) -> Result<()> {
    let (made, marked) = metadata.unpublished_changes(&read_marks(folder)?).await?;
    if made < marked {
        report.loss(format!(
            "the metadata '{}' are an older copy: {} of {marked} changes of tasks and refused events are \
             missing; put the right file back, or go on without them with `{}`",
            folder.metadata_place(),
            marked - made,
            folder.command("accept-metadata-loss")
        ));
    }
    Ok(())
}
