//! Values of a dictionary one after another, as those who look for something in many of them want
//! them.

use crate::error::{Result, SegmentError};
use crate::format::corrupt;

/// Values are handed on once they take so many bytes: they should stay in the cache.
pub(crate) const RUN_BYTES: usize = 64 << 10;
/// Short copies are made in pieces of so many bytes, whatever they are asked for.
const CHUNK: usize = 16;
/// Longer copies are left to the library.
const SHORT: usize = 2 * CHUNK;

/// Values that are being put together.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// The values, then bytes without meaning.
    bytes: Vec<u8>,
    length: usize,
    /// Where each value ends.
    ends: Vec<u32>,
    /// Where the last value begins.
    last: usize,
}

impl Texts {
    pub(crate) fn clear(&mut self) {
        self.length = 0;
        self.ends.clear();
        self.last = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.length >= RUN_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a value that begins with `shared` bytes of the value before it, which must be that long,
    /// and goes on with `count` of `further`'s bytes.
    #[inline]
    pub(crate) fn push(&mut self, shared: usize, further: &[u8], count: usize) -> Result<()> {
        if shared > self.length - self.last {
            return Err(shares_too_much());
        }
        if count > further.len() {
            return Err(outside());
        }
        let start = self.length;
        let room = start + shared + count + 2 * SHORT;
        if room > self.bytes.len() {
            self.bytes.resize(room.max(2 * RUN_BYTES), 0);
        }
        copy_within(&mut self.bytes, self.last, start, shared);
        copy_from(&mut self.bytes[start + shared..], further, count);
        self.length += shared + count;
        self.ends.push(u32::try_from(self.length).map_err(|_| too_long())?);
        self.last = start;
        Ok(())
    }

    /// Begins a value that shares nothing: what was added before is no predecessor.
    pub(crate) fn start_bucket(&mut self) {
        self.last = self.length;
    }

    /// The values but for the first `skipped`, when the first of them has the id `first_id`.
    pub(crate) fn run(&self, skipped: usize, first_id: u32) -> Result<TextRun<'_>> {
        let start = skipped.checked_sub(1).map_or(0, |last| self.ends[last]);
        let text = std::str::from_utf8(&self.bytes[..self.length]).map_err(|_| not_text())?;
        if !self.ends.iter().all(|end| text.is_char_boundary(*end as usize)) {
            return Err(not_text());
        }
        Ok(TextRun { first_id, text, start, ends: &self.ends[skipped..] })
    }
}

/// Some values of a dictionary, one behind the other: what is looked for in all of them can be looked
/// for at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextRun<'a> {
    /// The id of the first value; those of the others follow.
    pub(crate) first_id: u32,
    /// The values, perhaps with others before them.
    pub(crate) text: &'a str,
    /// Where the first value starts in `text`.
    pub(crate) start: u32,
    /// Where each value ends and the next starts, ascending.
    pub(crate) ends: &'a [u32],
}

impl<'a> TextRun<'a> {
    /// The ids with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &'a str)> {
        let text = self.text;
        let mut start = self.start as usize;
        let values = self.ends.iter().map(move |&end| {
            let end = end as usize;
            &text[std::mem::replace(&mut start, end)..end]
        });
        (self.first_id..).zip(values)
    }
}

pub(super) fn shares_too_much() -> SegmentError {
    corrupt("a dictionary value shares more than its predecessor has")
}

pub(super) fn outside() -> SegmentError {
    corrupt("a dictionary value lies outside its page")
}

pub(super) fn not_text() -> SegmentError {
    corrupt("a dictionary value is not UTF-8")
}

fn too_long() -> SegmentError {
    corrupt("values of a dictionary take more than 4 GB")
}

/// Copies bytes of a buffer that has room for a few more behind them.
#[inline]
fn copy_within(bytes: &mut [u8], from: usize, to: usize, count: usize) {
    if count > SHORT {
        bytes.copy_within(from..from + count, to);
        return;
    }
    bytes.copy_within(from..from + CHUNK, to);
    if count > CHUNK {
        bytes.copy_within(from + CHUNK..from + 2 * CHUNK, to + CHUNK);
    }
}

/// Copies the first bytes of a slice to where there is room for a few more.
#[inline]
fn copy_from(to: &mut [u8], from: &[u8], count: usize) {
    if count > SHORT || from.len() < SHORT {
        to[..count].copy_from_slice(&from[..count]);
        return;
    }
    to[..CHUNK].copy_from_slice(&from[..CHUNK]);
    if count > CHUNK {
        to[CHUNK..2 * CHUNK].copy_from_slice(&from[CHUNK..2 * CHUNK]);
    }
}
