//! Single steps with files and folders, for roles: each fails when the script of a simulated thread
//! says so (see [`FileFaults`](super::FileFaults)).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::faults::{FileWork, before};

/// Makes a folder with its missing parents.
///
/// # Errors
/// When one of them cannot be made.
pub fn create_dir_all(folder: &Path) -> io::Result<()> {
    before(FileWork::Create, folder)?;
    fs::create_dir_all(folder)
}

/// Removes a folder with everything in it.
///
/// # Errors
/// When something in it cannot be removed; the rest may be gone.
pub fn remove_dir_all(folder: &Path) -> io::Result<()> {
    before(FileWork::Remove, folder)?;
    fs::remove_dir_all(folder)
}

/// Removes a file.
///
/// # Errors
/// When it is not there or cannot be removed.
pub fn remove_file(path: &Path) -> io::Result<()> {
    before(FileWork::Remove, path)?;
    fs::remove_file(path)
}

/// The size of a file in bytes.
///
/// # Errors
/// When it cannot be looked at.
pub fn size_bytes(path: &Path) -> io::Result<u64> {
    before(FileWork::Look, path)?;
    Ok(fs::metadata(path)?.len())
}

/// The bytes that a file takes on the disk: fewer than its size where it has holes.
///
/// # Errors
/// When it cannot be looked at.
pub fn allocated_bytes(path: &Path) -> io::Result<u64> {
    before(FileWork::Look, path)?;
    Ok(fs::metadata(path)?.blocks() * 512)
}

/// Makes a file of this size that takes no room and reads as zeros, unless there is a file of this size. One
/// of another size loses its content.
///
/// # Errors
/// When it cannot be made.
pub fn create_with_holes(path: &Path, size_bytes: u64) -> io::Result<()> {
    before(FileWork::Create, path)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    if file.metadata()?.len() != size_bytes {
        file.set_len(0)?;
        file.set_len(size_bytes)?;
    }
    Ok(())
}

/// Writes into a file that is there. Whoever has it mapped sees that; after a power cut it may be gone.
///
/// # Errors
/// When it is not there or cannot be written.
pub fn write_at(path: &Path, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
    before(FileWork::Write, path)?;
    OpenOptions::new().write(true).open(path)?.write_all_at(bytes, offset_bytes)
}

/// The absolute path of a file or folder, without links.
///
/// # Errors
/// When it is not there or cannot be looked at.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    before(FileWork::Look, path)?;
    fs::canonicalize(path)
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// The folder's path with the name.
    pub path: PathBuf,
    /// What has the name. Links are not followed.
    pub kind: EntryKind,
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, device, pipe or socket.
    Other,
}

/// What a folder holds directly, by name.
///
/// # Errors
/// When it cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<FolderEntry>> {
    before(FileWork::Look, folder)?;
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let file_type = entry.file_type()?;
        let kind = match (file_type.is_file(), file_type.is_dir()) {
            (true, _) => EntryKind::File,
            (_, true) => EntryKind::Folder,
            _ => EntryKind::Other,
        };
        Ok(FolderEntry { path: entry.path(), kind })
    };
    let mut entries = fs::read_dir(folder)?.map(entry).collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// A file that has an end, open to be read. It is read, not mapped: when somebody shortens it
/// meanwhile, reading gives an error.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    size_bytes: u64,
}

impl RegularFile {
    /// Opens a file. Devices, pipes, sockets and folders are refused, without waiting for whoever is at
    /// their other side.
    ///
    /// # Errors
    /// When it cannot be opened or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        before(FileWork::Open, path)?;
        let nonblocking = OFlags::NONBLOCK.bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            return Ok(Self { file, size_bytes: metadata.len() });
        }
        let message = "not a regular file: devices, pipes, sockets and folders are not read";
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }

    /// Its size when it was opened, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Fills a buffer with what lies at an offset.
    ///
    /// # Errors
    /// When it cannot be read, or ends before.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset_bytes)
    }
}

impl Read for RegularFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// A file that is appended to.
#[derive(Debug)]
pub struct AppendedFile {
    file: File,
    path: PathBuf,
}

impl AppendedFile {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        before(FileWork::Open, path)?;
        let file = OpenOptions::new().append(true).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Appends all bytes.
    ///
    /// # Errors
    /// When not all were written; some may have been.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        before(FileWork::Write, &self.path)?;
        self.file.write_all(bytes)
    }

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// When that is not certain.
    pub fn sync(&self) -> io::Result<()> {
        before(FileWork::Sync, &self.path)?;
        self.file.sync_data()
    }

    /// Cuts the file to a length.
    ///
    /// # Errors
    /// When it could not be cut.
    pub fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_len(size_bytes)
    }
}

/// A file that is being written, from its start.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        before(FileWork::Open, path)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When that is not certain.
    pub fn sync(&self) -> io::Result<()> {
        before(FileWork::Sync, &self.path)?;
        self.file.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        before(FileWork::Write, &self.path)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_36_pipes_devices_and_folders_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            assert!(RegularFile::open(path).is_err(), "{}", path.display());
        }
        let file = folder.path().join("file");
        fs::write(&file, "xyz").unwrap();
        let file = RegularFile::open(&file).unwrap();
        let mut bytes = [0; 2];
        file.read_exact_at(&mut bytes, 1).unwrap();
        assert_eq!((file.size_bytes(), &bytes), (3, b"yz"));
        assert!(file.read_exact_at(&mut bytes, 2).is_err());
    }

    #[test]
    fn files_with_holes_take_the_room_of_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create_with_holes(&path, 1 << 30).unwrap();
        assert_eq!((size_bytes(&path).unwrap(), allocated_bytes(&path).unwrap()), (1 << 30, 0));
        let mapped = crate::runtime::map_file(&path).unwrap();
        assert_eq!((*mapped).as_ref()[5_000_000], 0);
        write_at(&path, 5_000_000, b"x").unwrap();
        assert_eq!(std::hint::black_box((*mapped).as_ref())[5_000_000], b'x');
        create_with_holes(&path, 1 << 30).unwrap();
        assert!((1..1 << 20).contains(&allocated_bytes(&path).unwrap()));
        drop(mapped);
        create_with_holes(&path, 1 << 20).unwrap();
        assert_eq!((size_bytes(&path).unwrap(), allocated_bytes(&path).unwrap()), (1 << 20, 0));
        assert!(write_at(&folder.path().join("none"), 0, b"x").is_err());
    }

    #[test]
    fn what_a_folder_holds_is_listed_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "x").unwrap();
        create_dir_all(&path("folder/below")).unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let listed = list(folder.path()).unwrap();
        let kinds: Vec<_> = listed.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [EntryKind::File, EntryKind::Folder, EntryKind::Other]);
        assert_eq!(real_path(&path("link")).unwrap(), real_path(&path("file")).unwrap());
        assert_eq!(size_bytes(&path("file")).unwrap(), 1);
        remove_file(&path("file")).unwrap();
        remove_dir_all(&path("folder")).unwrap();
        assert_eq!(list(folder.path()).unwrap().len(), 1);
    }
}
