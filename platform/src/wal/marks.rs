//! The file with the marks of all logs of a process, beside their folders and not in one of them.
//!
//! A mark is written after every group that became durable and never synced for it: after a kill it
//! is exact, after a power cut it may be behind the log, never ahead of it. Only a log that is behind
//! its mark is wrong. Each log has a place of its own in the file, so logs do not wait for each other.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::mark::{KnownEnd, LogMark};

/// The marks of many logs. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LogMarks {
    /// `None` for marks that end with the process, or that are only looked at.
    file: Option<Arc<File>>,
    places: Arc<Mutex<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    /// By identity: the place in the file and what is there.
    marks: BTreeMap<u64, (usize, LogMark)>,
    /// Places that hold no mark.
    free: Vec<usize>,
    /// Places that the file has, or will have.
    count: usize,
    /// Places that held something else than a mark.
    damaged: usize,
}

impl Places {
    fn read(bytes: &[u8]) -> Self {
        let mut places = Self::default();
        for (place, bytes) in bytes.chunks(LogMark::SIZE_BYTES).enumerate() {
            let Some(mark) = LogMark::decode(bytes) else {
                // A power cut may leave a place that was never written.
                places.damaged += usize::from(bytes.iter().any(|byte| *byte != 0));
                places.free.push(place);
                continue;
            };
            let newer = |known: &(usize, LogMark)| !known.1.is_newer_than(&mark);
            if places.marks.get(&mark.identity).is_none_or(newer) {
                places.marks.insert(mark.identity, (place, mark));
            }
        }
        places.count = bytes.len().div_ceil(LogMark::SIZE_BYTES);
        places
    }

    /// Keeps a mark; gives its place.
    fn keep(&mut self, mark: LogMark) -> usize {
        let known = self.marks.get(&mark.identity).map(|(place, _)| *place);
        let place = known.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.marks.insert(mark.identity, (place, mark));
        place
    }
}

impl LogMarks {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(path: &Path) -> io::Result<Self> {
        let places = Self::read(path)?.places;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        Ok(Self { file: Some(Arc::new(file)), places })
    }

    /// Looks at the file, which may not be there, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let places = match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Places::default(),
            // Reading a pipe would wait for whoever writes into it.
            Ok(found) if !found.is_file() => {
                return Err(io::Error::other("it is not a file: move it away"));
            }
            _ => Places::read(&std::fs::read(path)?),
        };
        Ok(Self { file: None, places: Arc::new(Mutex::new(places)) })
    }

    /// The mark of a log.
    #[must_use]
    pub fn get(&self, identity: u64) -> Option<LogMark> {
        self.places.lock().marks.get(&identity).map(|(_, mark)| *mark)
    }

    /// Marks whose bytes were changed, of logs that are not known: they count as lost.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.places.lock().damaged
    }

    /// What is known of a log's end, with what was `noted` of it elsewhere.
    #[must_use]
    pub fn known_end(&self, identity: u64, noted: Option<LogMark>) -> KnownEnd {
        let noted = noted.filter(|noted| noted.identity == identity);
        match (self.get(identity), noted) {
            (Some(mark), Some(noted)) if noted.is_newer_than(&mark) => KnownEnd::At(noted),
            (Some(mark), _) => KnownEnd::At(mark),
            (None, Some(noted)) => KnownEnd::AtLeast(noted),
            (None, None) => KnownEnd::Unknown,
        }
    }

    /// Writes a mark in the place of the log's last one. Call it when that end is durable.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, mark: LogMark) -> io::Result<()> {
        let place = self.places.lock().keep(mark);
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(&mark.encode(), (place * LogMark::SIZE_BYTES) as u64)
    }

    /// Makes the marks durable.
    ///
    /// # Errors
    /// When that is not certain.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data())
    }
}

#[cfg(test)]
impl LogMarks {
    /// Marks that say the same and go on for themselves.
    pub(super) fn copied(&self) -> Self {
        let places = self.places.lock();
        let marks = places.marks.clone();
        let copied = Places { marks, free: Vec::new(), ..*places };
        Self { file: None, places: Arc::new(Mutex::new(copied)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(identity: u64, generation: u64, sequence: u64) -> LogMark {
        LogMark { identity, generation, sequence, before_last: sequence / 2, checksum: 7 }
    }

    #[test]
    fn f_17_marks_of_many_logs_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        assert_eq!(LogMarks::read(&path).unwrap().get(1), None);
        assert!(!path.exists());
        for round in 1..4 {
            let marks = LogMarks::open(&path).unwrap();
            for identity in 1..100 {
                assert_eq!(marks.get(identity).map_or(0, |mark| mark.sequence), (round - 1) * 10);
                marks.note(mark(identity, 1, round * 10)).unwrap();
            }
            marks.sync().unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 99 * 64);
        }
        // Taken back.
        LogMarks::open(&path).unwrap().note(mark(5, 2, 3)).unwrap();
        assert_eq!(LogMarks::read(&path).unwrap().get(5), Some(mark(5, 2, 3)));
    }

    #[test]
    fn f_17_damaged_marks_are_lost_one_by_one_and_their_places_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks");
        let marks = LogMarks::open(&path).unwrap();
        (1..=4).for_each(|identity| marks.note(mark(identity, 1, identity)).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[64 + 20] ^= 1;
        bytes[128..192].fill(0);
        bytes.truncate(4 * 64 - 1);
        std::fs::write(&path, bytes).unwrap();
        let marks = LogMarks::open(&path).unwrap();
        assert_eq!(marks.damaged(), 2);
        let known = |identity| marks.get(identity).map(|mark| mark.sequence);
        assert_eq!([1, 2, 3, 4].map(known), [Some(1), None, None, None]);
        (2..=5).for_each(|identity| marks.note(mark(identity, 1, identity)).unwrap());
        let marks = LogMarks::read(&path).unwrap();
        assert_eq!(marks.damaged(), 0);
        assert!((1..=5).all(|identity| marks.get(identity) == Some(mark(identity, 1, identity))));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 5 * 64);
    }

    #[test]
    fn f_17_what_is_no_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let refused = LogMarks::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("not a file"), "{refused}");
    }

    #[test]
    fn f_17_the_newest_mark_counts_wherever_it_was_noted() {
        let marks = LogMarks::default();
        let other = Some(mark(9, 5, 50));
        assert_eq!(marks.known_end(1, None), KnownEnd::Unknown);
        assert_eq!(marks.known_end(1, other), KnownEnd::Unknown);
        assert_eq!(marks.known_end(1, Some(mark(1, 1, 3))), KnownEnd::AtLeast(mark(1, 1, 3)));
        marks.note(mark(1, 1, 5)).unwrap();
        for noted in [None, other, Some(mark(1, 1, 3))] {
            assert_eq!(marks.known_end(1, noted), KnownEnd::At(mark(1, 1, 5)));
        }
        for noted in [mark(1, 1, 9), mark(1, 2, 3)] {
            assert_eq!(marks.known_end(1, Some(noted)), KnownEnd::At(noted));
        }
    }
}
