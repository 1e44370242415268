//! Temporary files in a folder of the local disk. A file loses its name as soon as it is open, so
//! that the operating system frees it however the process ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{SpillFile, SpillStorage};
use crate::runtime::files::temporary_path;

/// A [`SpillStorage`] in a folder.
#[derive(Debug)]
pub struct LocalSpillStorage {
    folder: PathBuf,
}

impl LocalSpillStorage {
    /// Uses a folder that nobody else uses: what is in it is removed, such as files that a crash left
    /// between making them and taking their names away.
    ///
    /// # Errors
    /// When the folder cannot be emptied or made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(folder)?,
        }
        Ok(Self { folder: folder.to_owned() })
    }
}

impl SpillStorage for LocalSpillStorage {
    fn create(&self) -> io::Result<Box<dyn SpillFile>> {
        let path = temporary_path(&self.folder.join("spill"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Box::new(LocalSpillFile { file, length: 0 }))
    }
}

#[derive(Debug)]
struct LocalSpillFile {
    file: File,
    length: u64,
}

impl SpillFile for LocalSpillFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.file.write_all(bytes)?;
        let offset = self.length;
        self.length += bytes.len() as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[test]
    fn the_contract_holds() {
        let folder = tempfile::tempdir().unwrap();
        contract::holds(&LocalSpillStorage::open(folder.path()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn f_64_nothing_is_left_in_the_folder_whatever_happens() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".spill.0123.tmp"), b"left by a crash").unwrap();
        fs::create_dir(folder.path().join("a folder")).unwrap();
        let storage = LocalSpillStorage::open(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut file = storage.create().unwrap();
        file.append(b"abc").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no name to leave behind");
        assert_eq!(file.read(1, 2).unwrap(), b"bc");
    }
}
