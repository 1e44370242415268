//! Moving a whole log out of the way, of a datasource that is known no more. Nothing of it is lost: it can be
//! moved back.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Result, WalError};
use super::header::Link;
use super::mark::LogMark;
use super::marks::LogMarks;
use crate::runtime::files::{create_dir_durably, sync_dir};

/// Moves a log into a folder of `aside`, and takes its mark back, so that a new one may begin in its place;
/// `noted` is what is noted of it elsewhere. Nobody else may use the log. Killed in between, it is done again.
/// Gives where it is then. Blocks.
///
/// # Errors
/// When it cannot be moved or marked.
pub fn put_log_aside(
    directory: &Path,
    aside: &Path,
    identity: u64,
    noted: Option<LogMark>,
    marks: &LogMarks,
) -> Result<PathBuf> {
    let io_error = |error: std::io::Error| WalError::io(directory, &error);
    let known = marks.get(identity).into_iter().chain(noted);
    if let Some(generation) = known.map(|mark| mark.generation).max() {
        let nothing = LogMark::new(identity, generation + 1, 0, Link::default());
        marks.note(nothing).and_then(|()| marks.sync()).map_err(io_error)?;
    }
    create_dir_durably(aside).map_err(io_error)?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let place = |number: u32| aside.join(format!("{name}-{number}"));
    let number = (1..).find(|number| !place(*number).exists()).unwrap_or(u32::MAX);
    fs::rename(directory, place(number)).map_err(io_error)?;
    for changed in directory.parent().into_iter().chain([aside]) {
        sync_dir(changed).map_err(io_error)?;
    }
    Ok(place(number))
}
