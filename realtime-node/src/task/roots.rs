//! Which local files a batch task may read: whoever may submit a task may read through it.

use std::path::{Path, PathBuf};

use henge_platform::runtime::files;

use crate::error::{RealtimeError, Result};

/// Where files of the system are, which are nobody's events.
const SYSTEM_FOLDERS: [&str; 7] = ["/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/var"];

/// The folders that may be read, and those that may not.
#[derive(Debug, Clone)]
pub(crate) struct LocalRoots {
    /// All but the system's when it is empty.
    allowed: Vec<PathBuf>,
    system: Vec<PathBuf>,
    /// The server's own files and folders.
    own: Vec<PathBuf>,
}

impl LocalRoots {
    /// Only below `allowed`, or, when that is empty, everywhere but in the system's folders; and nothing of what
    /// is the server's own in either case.
    pub(crate) fn new(allowed: &[PathBuf], own: &[PathBuf]) -> Self {
        let canonical = |path: &Path| files::real_path(path).unwrap_or_else(|_| path.into());
        Self {
            allowed: allowed.iter().map(|path| canonical(path)).collect(),
            system: SYSTEM_FOLDERS.iter().map(|path| canonical(Path::new(path))).collect(),
            own: own.iter().map(|path| canonical(path)).collect(),
        }
    }

    /// The file or folder that a path of a spec means, without links.
    ///
    /// # Errors
    /// When it is not there, or may not be read.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf> {
        let real = files::real_path(path).map_err(RealtimeError::io(path))?;
        let shown = path.display();
        if self.is_own(&real) {
            return Err(RealtimeError::Invalid(format!(
                "ioConfig.inputSource: tasks may not read {shown}: it is a file or folder of the server itself \
                 (its data folder, deep storage, metadata or configuration); put events elsewhere"
            )));
        }
        let is_below = |root: &PathBuf| real.starts_with(root);
        let may_read = match self.allowed.is_empty() {
            true => !self.system.iter().any(is_below),
            false => self.allowed.iter().any(is_below),
        };
        match may_read {
            true => Ok(real),
            false => Err(RealtimeError::Invalid(format!(
                "ioConfig.inputSource: tasks may not read {shown}: add its folder to ingestion.local_roots"
            ))),
        }
    }

    /// True of the server's own files, and of what lies in its folders; `real` has no links.
    pub(crate) fn is_own(&self, real: &Path) -> bool {
        self.own.iter().any(|own| real.starts_with(own))
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
        let roots = LocalRoots::new(&[], std::slice::from_ref(&own));
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
        let roots = LocalRoots::new(&[inside.path().to_owned()], &[]);
        roots.resolve(&inside.path().join("a.json")).unwrap();
        assert!(roots.resolve(&outside.path().join("a.json")).is_err());
        assert!(roots.resolve(&link).is_err());
        assert!(roots.resolve(&inside.path().join("../").join("a.json")).is_err());
    }

    #[test]
    fn h_36_what_is_the_servers_own_is_not_read_below_a_root_either() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("henge.toml");
        let objects = folder.path().join("objects");
        std::fs::write(&config, "").unwrap();
        std::fs::create_dir(&objects).unwrap();
        std::fs::write(objects.join("a.segment"), "").unwrap();
        std::fs::write(folder.path().join("a.json"), "").unwrap();
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&config, &link).unwrap();
        let own = [config.clone(), objects.clone()];
        for allowed in [vec![folder.path().to_owned()], vec![objects.clone()]] {
            let roots = LocalRoots::new(&allowed, &own);
            for path in [&config, &objects, &objects.join("a.segment"), &link] {
                let error = roots.resolve(path).unwrap_err().to_string();
                assert!(error.contains("of the server itself"), "{error}");
            }
        }
        LocalRoots::new(&[folder.path().to_owned()], &own)
            .resolve(&folder.path().join("a.json"))
            .unwrap();
    }
}
