//! Which local files a batch task may read: whoever may submit a task may read through it.

use std::path::{Path, PathBuf};

use henge_platform::runtime::files;

use crate::error::{RealtimeError, Result};

/// Where files of the system are, which are nobody's events.
const SYSTEM_FOLDERS: [&str; 7] = ["/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/var"];

/// The folders that may be read, or those that may not.
#[derive(Debug, Clone)]
pub(crate) struct LocalRoots {
    allowed: Vec<PathBuf>,
    refused: Vec<PathBuf>,
}

impl LocalRoots {
    /// Only below `allowed`; when that is empty, everywhere but in the system's folders and in `own`.
    pub(crate) fn new(allowed: &[PathBuf], own: &Path) -> Self {
        let canonical = |path: &Path| files::real_path(path).unwrap_or_else(|_| path.into());
        let system = SYSTEM_FOLDERS.iter().map(Path::new);
        Self {
            allowed: allowed.iter().map(|path| canonical(path)).collect(),
            refused: system.chain([own]).map(canonical).collect(),
        }
    }

    /// The file or folder that a path of a spec means, without links.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf> {
        let real = files::real_path(path).map_err(RealtimeError::io(path))?;
        let is_below = |root: &PathBuf| real.starts_with(root);
        let may_read = if self.allowed.is_empty() {
            !self.refused.iter().any(is_below)
        } else {
            self.allowed.iter().any(is_below)
        };
        if may_read {
            return Ok(real);
        }
        Err(RealtimeError::Invalid(format!(
            "ioConfig.inputSource: tasks may not read {}: add its folder to ingestion.local_roots",
            path.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_36_files_of_the_system_and_of_the_server_are_not_read() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let own = folder.path().join("data");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("metadata.sqlite"), "").unwrap();
        std::fs::write(folder.path().join("events.json"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.json")).unwrap();
        let roots = LocalRoots::new(&[], &own);
        roots.resolve(&folder.path().join("events.json")).unwrap();
        let sly = folder.path().join("../../etc/passwd");
        for path in [
            Path::new("/etc/passwd"),
            Path::new("/proc/self/environ"),
            Path::new("/dev/zero"),
            &sly,
        ] {
            let error = roots.resolve(path).unwrap_err().to_string();
            assert!(error.contains("local_roots"), "{error}");
        }
        assert!(roots.resolve(&folder.path().join("link.json")).is_err());
        assert!(roots.resolve(&own.join("metadata.sqlite")).is_err());
        assert!(roots.resolve(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn only_what_lies_below_a_root_is_read_when_there_are_roots() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&inside, &outside] {
            std::fs::write(folder.path().join("a.json"), "").unwrap();
        }
        let link = inside.path().join("out.json");
        std::os::unix::fs::symlink(outside.path().join("a.json"), &link).unwrap();
        let roots = LocalRoots::new(&[inside.path().to_owned()], Path::new("/nowhere"));
        roots.resolve(&inside.path().join("a.json")).unwrap();
        assert!(roots.resolve(&outside.path().join("a.json")).is_err());
        assert!(roots.resolve(&link).is_err());
        assert!(roots.resolve(&inside.path().join("../").join("a.json")).is_err());
    }
}
