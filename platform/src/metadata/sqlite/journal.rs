//! SQLite's own write-ahead journal, looked at before SQLite does: from the first frame that fails
//! its checksum on, SQLite drops what was committed and says nothing.
//!
//! A commit is synced before the next one begins. So frames that fail, while a later commit and what
//! follows it are whole, were durable and are damaged: no crash leaves that. Damage in the last
//! commit looks like an unfinished write; the manifests tell that one.

use std::io;
use std::path::{Path, PathBuf};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// "WAL in SQLite's format"; the last bit says that checksums read words big-endian.
const MAGIC: u32 = 0x377f_0682;

/// The journal of a database.
pub(super) fn journal_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Fails with what is wrong when commits in the journal would be dropped.
pub(super) fn check_journal(database: &Path) -> Result<(), String> {
    let path = journal_path(database);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|error| format!("read '{}': {error}", path.display()))?,
    };
    match first_damage(&bytes) {
        None => Ok(()),
        Some(offset) => Err(format!(
            "SQLite's journal '{}' is damaged at byte {offset} and later commits follow, which \
             SQLite would drop without a word",
            path.display()
        )),
    }
}

/// Where the damage is, if any.
fn first_damage(bytes: &[u8]) -> Option<usize> {
    if bytes.len() <= HEADER_BYTES || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let Some(journal) = Journal::parse(bytes) else {
        return Some(0);
    };
    let first_bad = (0..journal.frames()).find(|frame| !journal.follows(*frame))?;
    // A commit after it, and a frame after that, which were written once the commit was durable.
    let commit = (first_bad..journal.frames())
        .find(|frame| journal.is_commit(*frame) && journal.has_salt(*frame))?;
    let durable = (commit + 1..journal.frames()).any(|frame| journal.follows(frame));
    durable.then(|| journal.offset(first_bad))
}

struct Journal<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    big_endian: bool,
}

impl<'a> Journal<'a> {
    /// `None` when the header fails its checksum.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let magic = word(bytes, 0, true);
        let page_bytes = word(bytes, 8, true) as usize;
        if magic & !1 != MAGIC || !page_bytes.is_power_of_two() || page_bytes < 512 {
            return None;
        }
        let big_endian = magic & 1 == 1;
        let sum = checksum((0, 0), &bytes[..24], big_endian);
        let stored = (word(bytes, 24, true), word(bytes, 28, true));
        (sum == stored).then_some(Self { bytes, page_bytes, big_endian })
    }

    fn frames(&self) -> usize {
        (self.bytes.len() - HEADER_BYTES) / (FRAME_HEADER_BYTES + self.page_bytes)
    }

    fn offset(&self, frame: usize) -> usize {
        HEADER_BYTES + frame * (FRAME_HEADER_BYTES + self.page_bytes)
    }

    fn has_salt(&self, frame: usize) -> bool {
        let at = self.offset(frame);
        self.bytes[at + 8..at + 16] == self.bytes[16..24]
    }

    fn is_commit(&self, frame: usize) -> bool {
        word(self.bytes, self.offset(frame) + 4, true) != 0
    }

    /// True when the frame's checksum goes on from the one before it.
    fn follows(&self, frame: usize) -> bool {
        let at = self.offset(frame);
        let before = match frame.checked_sub(1) {
            None => 24,
            Some(previous) => self.offset(previous) + 16,
        };
        let seed = (word(self.bytes, before, true), word(self.bytes, before + 4, true));
        let sum = checksum(seed, &self.bytes[at..at + 8], self.big_endian);
        let page = at + FRAME_HEADER_BYTES;
        let sum = checksum(sum, &self.bytes[page..page + self.page_bytes], self.big_endian);
        let stored = (word(self.bytes, at + 16, true), word(self.bytes, at + 20, true));
        self.has_salt(frame) && sum == stored
    }
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
}

/// SQLite's checksum over pairs of words.
fn checksum(seed: (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let (mut first, mut second) = seed;
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(word(pair, 0, big_endian)).wrapping_add(second);
        second = second.wrapping_add(word(pair, 4, big_endian)).wrapping_add(first);
    }
    (first, second)
}
