//! A number that grows with each start of a node, whatever its clock says.

use std::io::ErrorKind;

use anyhow::{Context, Result};
use henge_platform::runtime::write_atomically;

use crate::data_folder::DataFolder;

/// The number of this start, written down before it is used.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn next(folder: &DataFolder, now_ms: i64) -> Result<u64> {
    let path = folder.incarnation();
    let last = match std::fs::read_to_string(&path) {
        // Damaged: the date is all there is to go by, and is above any that was given out.
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => {
            return Err(error).with_context(|| format!("read '{}'", path.display()));
        }
    };
    let next = u64::try_from(now_ms).unwrap_or(0).max(last + 1_u64);
    write_atomically(&path, format!("{next}\n").as_bytes())
        .with_context(|| format!("write '{}'", path.display()))?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_60_a_later_start_has_a_larger_number_when_the_date_went_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(folder.path());
        std::fs::create_dir_all(folder.root()).unwrap();
        assert_eq!(next(&folder, 1_000).unwrap(), 1_000);
        assert_eq!(next(&folder, 5).unwrap(), 1_001);
        std::fs::write(folder.incarnation(), "\0").unwrap();
        assert_eq!(next(&folder, 2_000).unwrap(), 2_000);
    }
}
