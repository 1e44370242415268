//! Files that fail on purpose: on a simulated thread a script is asked before each work on a file.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::runtime::simulation;

/// What is about to be done with a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileWork {
    /// It is made.
    Create,
    /// It is opened to be read or written.
    Open,
    /// Bytes are written to it.
    Write,
    /// What was written is made durable.
    Sync,
    /// It takes its final name.
    Rename,
    /// It is removed.
    Remove,
    /// It is mapped.
    Map,
    /// Its size, its real path or what a folder holds is looked up.
    Look,
}

/// Which work on files fails.
pub trait FileFaults: Debug {
    /// Called before the work is done.
    ///
    /// # Errors
    /// What the work is to fail with. It is not done then.
    fn before(&self, work: FileWork, path: &Path) -> io::Result<()>;
}

/// Asks the script of this thread, when it has one.
pub(in crate::runtime) fn before(work: FileWork, path: &Path) -> io::Result<()> {
    simulation::file_faults().map_or(Ok(()), |faults| faults.before(work, path))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::super::{TemporaryFile, create_dir_all, write_atomically};
    use super::*;

    /// Refuses one kind of work.
    #[derive(Debug)]
    struct Refuses(Cell<FileWork>);

    impl FileFaults for Refuses {
        fn before(&self, work: FileWork, _: &Path) -> io::Result<()> {
            match work == self.0.get() {
                true => Err(io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        }
    }

    #[test]
    fn f_48_whichever_step_fails_a_file_is_as_it_was_and_nothing_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_atomically(&path, b"old").unwrap();
        let simulated = simulation::enter(1);
        let refuses = Rc::new(Refuses(Cell::new(FileWork::Map)));
        simulated.fail_files(Rc::clone(&refuses) as _);
        for work in [FileWork::Create, FileWork::Open, FileWork::Write, FileWork::Rename] {
            refuses.0.set(work);
            let failed = write_atomically(&path, b"new").unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::StorageFull, "{work:?}");
            assert_eq!(std::fs::read(&path).unwrap(), b"old", "{work:?}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{work:?}");
        }
        refuses.0.set(FileWork::Sync);
        assert!(TemporaryFile::create(&path).unwrap().commit_new().is_err());
        drop(simulated);
        create_dir_all(&folder.path().join("a/b")).unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}
