//! Reading a task's input piece by piece, so that memory does not grow with the file. Pieces end
//! between events.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use henge_platform::runtime::files::{
    self, EntryKind, FolderEntry, Packing, Unpacked, ZipEntry, zip_entries,
};
use henge_query::ingest::{InputSource, TextEncoding};
use henge_tabular::Utf8Reader;

use super::roots::LocalRoots;
use crate::error::{RealtimeError, Result};

/// Bytes of a piece, unless one event or list is larger.
const PIECE_BYTES: usize = 4 << 20;
/// A list or an object that never ends is refused here.
const MAX_PIECE_BYTES: usize = 512 << 20;

/// One input: a name for messages, and its bytes.
pub(super) struct Input {
    pub(super) name: String,
    stored_bytes_read: Arc<AtomicU64>,
    reader: Box<dyn Read + Send>,
    pending: Vec<u8>,
    at_end: bool,
    max_piece_bytes: usize,
}

/// The inputs of a source with the sum of their sizes.
pub(super) fn open_all(source: &InputSource, roots: &LocalRoots) -> Result<(Vec<InputRef>, u64)> {
    match source {
        InputSource::Inline { data } => {
            let size_bytes = data.len() as u64;
            Ok((vec![InputRef::Inline(data.clone())], size_bytes))
        }
        InputSource::Local { base_dir, filter, files } => {
            let mut paths = Vec::with_capacity(files.len());
            for file in files {
                paths.push(roots.resolve(Path::new(file))?);
            }
            if let Some(base_dir) = base_dir {
                find_files(&roots.resolve(Path::new(base_dir))?, filter, roots, &mut paths)?;
            }
            paths.sort();
            paths.dedup();
            if paths.is_empty() {
                return Err(RealtimeError::Invalid(format!(
                    "ioConfig.inputSource: no file matches filter '{filter}' (those of the server itself \
                     do not count)"
                )));
            }
            let named = paths.into_iter().map(|path| (path.display().to_string(), path));
            open_files(named)
        }
        InputSource::Uploaded { .. } => Err(RealtimeError::Invalid(
            "ioConfig.inputSource: what was uploaded is fetched before it is opened".into(),
        )),
    }
}

/// Files with their names for people; those of archives one by one. And the sum of their sizes.
pub(super) fn open_files(
    named: impl IntoIterator<Item = (String, PathBuf)>,
) -> Result<(Vec<InputRef>, u64)> {
    let mut inputs = Vec::new();
    for (name, path) in named {
        match Packing::of_file(&path).map_err(RealtimeError::io(Path::new(&name)))? {
            Packing::Zip => {
                let entries = zip_entries(&path).map_err(RealtimeError::io(Path::new(&name)))?;
                inputs.extend(entries.into_iter().map(|entry| InputRef::Entry {
                    name: format!("{name}/{}", entry.name),
                    archive: path.clone(),
                    entry,
                }));
            }
            Packing::Plain | Packing::Gzip | Packing::Zstd => {
                inputs.push(InputRef::File { name, path });
            }
        }
    }
    let size_bytes = inputs.iter().map(InputRef::size_bytes).sum();
    Ok((inputs, size_bytes))
}

/// An input that is not open yet.
#[derive(Debug, Clone)]
pub(super) enum InputRef {
    /// In the spec.
    Inline(String),
    /// A file, with its name for messages.
    File { name: String, path: PathBuf },
    /// A file of a ZIP archive.
    Entry { name: String, archive: PathBuf, entry: ZipEntry },
}

impl InputRef {
    /// Opens it, to be read as UTF-8. Packed files are inflated, whatever their names say. What is in the spec is
    /// UTF-8.
    pub(super) fn open(self, encoding: TextEncoding) -> Result<Input> {
        let name = self.name();
        let (reader, stored_bytes_read): (Box<dyn Read + Send>, _) = match self {
            Self::Inline(data) => {
                let count = Arc::<AtomicU64>::default();
                let inner = std::io::Cursor::new(data);
                (Box::new(Counted { inner, count: Arc::clone(&count) }), count)
            }
            file => {
                let unpacked = file.unpack().map_err(RealtimeError::io(Path::new(&name)))?;
                let count = unpacked.stored_bytes_read();
                (Box::new(Utf8Reader::new(unpacked, encoding)), count)
            }
        };
        Ok(Input {
            name,
            stored_bytes_read,
            reader,
            pending: Vec::new(),
            at_end: false,
            max_piece_bytes: MAX_PIECE_BYTES,
        })
    }

    /// What is in a file.
    ///
    /// # Errors
    /// When it cannot be read, or there is none.
    pub(super) fn unpack(&self) -> std::io::Result<Unpacked> {
        match self {
            Self::Inline(_) => Err(std::io::ErrorKind::InvalidInput.into()),
            Self::File { path, .. } => Unpacked::open(path),
            Self::Entry { archive, entry, .. } => Unpacked::open_entry(archive, entry),
        }
    }

    /// Its name, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Inline(_) => "inline".to_owned(),
            Self::File { name, .. } | Self::Entry { name, .. } => name.clone(),
        }
    }

    /// The path of a file of its own; `None` for events in the spec and for files of archives.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Inline(_) | Self::Entry { .. } => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// Its size on disk.
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::Inline(data) => data.len() as u64,
            Self::File { path, .. } => files::size_bytes(path).unwrap_or(0),
            Self::Entry { entry, .. } => entry.stored_bytes,
        }
    }
}

/// Counts the bytes that are read through it.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Input {
    /// Refuses pieces above so many bytes, where that is less than otherwise.
    pub(super) fn bounded(mut self, max_piece_bytes: usize) -> Self {
        self.max_piece_bytes = self.max_piece_bytes.min(max_piece_bytes.max(PIECE_BYTES));
        self
    }

    /// How much of [`InputRef::size_bytes`] was read: compressed bytes, of a compressed file.
    pub(super) fn stored_bytes_read(&self) -> u64 {
        self.stored_bytes_read.load(Ordering::Relaxed)
    }

    /// The next piece of JSON; `None` at the end.
    pub(super) fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        self.next_cut(|bytes| Ok(last_boundary(bytes)))
    }

    /// The next piece, which ends where `boundary` finds the last place to cut; `None` at the end.
    pub(super) fn next_cut(
        &mut self,
        mut boundary: impl FnMut(&[u8]) -> Result<Option<usize>>,
    ) -> Result<Option<Vec<u8>>> {
        let mut wanted = PIECE_BYTES;
        loop {
            self.fill(wanted)?;
            if self.at_end {
                let rest = std::mem::take(&mut self.pending);
                return Ok(Some(rest).filter(|rest| !rest.iter().all(u8::is_ascii_whitespace)));
            }
            if let Some(end) = boundary(&self.pending)? {
                let rest = self.pending.split_off(end);
                return Ok(Some(std::mem::replace(&mut self.pending, rest)));
            }
            if wanted >= self.max_piece_bytes {
                return Err(RealtimeError::Invalid(format!(
                    "{}: no end of an event within {} bytes; send one event a line",
                    self.name, self.max_piece_bytes
                )));
            }
            wanted = (wanted * 2).min(self.max_piece_bytes);
        }
    }

    fn fill(&mut self, wanted: usize) -> Result<()> {
        let missing = wanted.saturating_sub(self.pending.len()) as u64;
        let read = (&mut self.reader)
            .take(missing)
            .read_to_end(&mut self.pending)
            .map_err(RealtimeError::io(Path::new(&self.name)))?;
        self.at_end = (read as u64) < missing;
        Ok(())
    }
}

/// The last place between two events: after a `}` that is followed by a line break and then by `{`.
/// Within a list events are separated by commas, so a list is never cut.
fn last_boundary(bytes: &[u8]) -> Option<usize> {
    let mut end = bytes.len();
    while let Some(open) = bytes[..end].iter().rposition(|byte| *byte == b'{') {
        let gap_start =
            bytes[..open].iter().rposition(|byte| !byte.is_ascii_whitespace()).map(|at| at + 1)?;
        let gap = &bytes[gap_start..open];
        if bytes[gap_start - 1] == b'}' && gap.contains(&b'\n') {
            return Some(open);
        }
        end = open;
    }
    None
}

/// Files under a directory whose names match the glob (`*` and `?`). Links are not followed.
/// Files of the server itself are passed over.
fn find_files(
    directory: &Path,
    glob: &str,
    roots: &LocalRoots,
    found: &mut Vec<PathBuf>,
) -> Result<()> {
    for FolderEntry { path, kind } in
        files::list(directory).map_err(RealtimeError::io(directory))?
    {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match kind {
            _ if roots.is_own(&path) => {}
            EntryKind::Folder => find_files(&path, glob, roots, found)?,
            EntryKind::File if matches_glob(glob, &name) => found.push(path),
            EntryKind::File | EntryKind::Other => {}
        }
    }
    Ok(())
}

fn matches_glob(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut g, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, n));
                g += 1;
            }
            Some('?') => (g, n) = (g + 1, n + 1),
            Some(c) if *c == name[n] => (g, n) = (g + 1, n + 1),
            _ => match star {
                Some((star_g, star_n)) => {
                    star = Some((star_g, star_n + 1));
                    (g, n) = (star_g + 1, star_n + 1);
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_between_events_and_never_inside_lists() {
        assert_eq!(last_boundary(b"{\"a\":1}\n{\"a\":2}\n{\"a"), Some(16));
        assert_eq!(last_boundary(b"[{\"a\":1},\n{\"a\":2}"), None);
        assert_eq!(last_boundary(b"{\"a\":\n{\"b\":1}}\r\n {\"a\":2"), Some(17));
        assert_eq!(last_boundary(b""), None);
        assert_eq!(last_boundary(b"   {"), None);
    }

    #[test]
    fn h_36_files_of_the_server_are_passed_over_in_folders() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("data");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("realtime-node.json"), "{}").unwrap();
        std::fs::write(folder.path().join("own.json"), "{}").unwrap();
        std::fs::write(folder.path().join("events.json"), "{}").unwrap();
        let roots =
            LocalRoots::new(&[folder.path().into()], &[own, folder.path().join("own.json")]);
        let find = |filter: &str| {
            let base_dir = Some(folder.path().display().to_string());
            open_all(
                &InputSource::Local { base_dir, filter: filter.into(), files: Vec::new() },
                &roots,
            )
        };
        let (found, _) = find("*.json").unwrap();
        let names: Vec<String> = found.iter().map(InputRef::name).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].ends_with("events.json"), "{names:?}");
        let error = find("own*").unwrap_err().to_string();
        assert!(error.contains("no file matches filter 'own*'"), "{error}");
    }

    #[test]
    fn pieces_hold_all_bytes_in_order() {
        let data: String = (0..600_000).map(|i| format!("{{\"n\":{i}}}\n")).collect();
        let mut input = InputRef::Inline(data.clone()).open(TextEncoding::default()).unwrap();
        let mut joined = Vec::new();
        let mut pieces = 0;
        while let Some(piece) = input.next_piece().unwrap() {
            assert!(piece.starts_with(b"{") && piece.len() <= PIECE_BYTES);
            joined.extend(piece);
            pieces += 1;
        }
        assert!(pieces > 1);
        assert_eq!(joined, data.as_bytes());
        assert_eq!(input.stored_bytes_read(), data.len() as u64);
    }

    #[test]
    fn globs() {
        assert!(matches_glob("*", "x") && matches_glob("*.json*", "a.json.gz"));
        assert!(matches_glob("a?c*", "abcd") && !matches_glob("*.json", "a.jsonx"));
    }
}
