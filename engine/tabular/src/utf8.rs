//! Text of any encoding as UTF-8, while it is read. A byte-order mark goes before what was said of the encoding.

use std::io::{ErrorKind, Read, Result};

use encoding_rs::{Decoder, DecoderResult};
use henge_query::ingest::TextEncoding;

/// The longest byte-order mark.
const MARK_BYTES: usize = 4;
/// Bytes that are read, and made, at once.
const BUFFER_BYTES: usize = 64 << 10;
/// No character becomes longer than this.
const LONGEST_BYTES: usize = 16;
/// What stands for bytes that are no text: it is in no text of UTF-8, so that whoever reads on refuses the line or the
/// event, and does not take a character for what was sent.
const NO_TEXT: u8 = 0xff;

/// Reads text as UTF-8. Text that is to be UTF-8 already passes unchanged, whether or not it is.
pub struct Utf8Reader<R> {
    inner: R,
    encoding: TextEncoding,
    stage: Stage,
    /// Bytes of the source that were read ahead.
    raw: Part,
}

enum Stage {
    /// Nothing was read so far.
    Begins,
    /// It is taken as it is.
    Passes,
    /// It is decoded; the text that was made.
    Decodes(Box<Decoder>, Part),
    /// All is decoded; the rest of the text.
    Ended(Part),
}

/// The part of a buffer that is to be used.
#[derive(Default)]
struct Part {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> Utf8Reader<R> {
    /// Text that is written in this encoding, unless it says otherwise itself.
    #[must_use]
    pub fn new(inner: R, encoding: TextEncoding) -> Self {
        Self { inner, encoding, stage: Stage::Begins, raw: Part::default() }
    }

    /// Looks for a byte-order mark.
    fn begin(&mut self) -> Result<()> {
        self.raw = Part::of_size(MARK_BYTES);
        while self.raw.end < MARK_BYTES && self.raw.fill(&mut self.inner)? {}
        if passes(self.raw.bytes(), self.encoding) {
            self.stage = Stage::Passes;
            return Ok(());
        }
        let begun = std::mem::replace(&mut self.raw, Part::of_size(BUFFER_BYTES));
        self.raw.add(begun.bytes());
        let decoder = Box::new(self.encoding.encoding().new_decoder());
        self.stage = Stage::Decodes(decoder, Part::of_size(BUFFER_BYTES));
        Ok(())
    }
}

/// Whether text that begins so is taken as it is: of UTF-32 nobody reads anything, and it says so in the end.
fn passes(begin: &[u8], encoding: TextEncoding) -> bool {
    let is_utf32 = begin.starts_with(b"\xff\xfe\0\0");
    let is_utf16 = begin.starts_with(b"\xff\xfe") || begin.starts_with(b"\xfe\xff");
    begin.starts_with(b"\xef\xbb\xbf") || is_utf32 || (encoding.is_utf8() && !is_utf16)
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match &mut self.stage {
                Stage::Begins => self.begin()?,
                Stage::Passes => match self.raw.take(buffer) {
                    0 => return self.inner.read(buffer),
                    taken => return Ok(taken),
                },
                Stage::Ended(text) => return Ok(text.take(buffer)),
                Stage::Decodes(decoder, text) => {
                    let taken = text.take(buffer);
                    if taken > 0 || buffer.is_empty() {
                        return Ok(taken);
                    }
                    let is_last = self.raw.is_empty() && !self.raw.fill(&mut self.inner)?;
                    if decode(decoder, &mut self.raw, text, is_last) {
                        self.stage = Stage::Ended(std::mem::take(text));
                    }
                }
            }
        }
    }
}

/// Makes text of what was read, as much as fits; true when that was the last of all.
fn decode(decoder: &mut Decoder, raw: &mut Part, text: &mut Part, is_last: bool) -> bool {
    loop {
        let space = &mut text.buffer[text.end..];
        if space.len() < LONGEST_BYTES {
            return false;
        }
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(raw.bytes(), space, is_last);
        raw.start += read;
        text.end += written;
        match result {
            DecoderResult::InputEmpty => return is_last,
            DecoderResult::OutputFull => return false,
            DecoderResult::Malformed(..) => text.add(&[NO_TEXT]),
        }
    }
}

impl Part {
    fn of_size(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes].into(), start: 0, end: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Adds as many bytes as there is room for.
    fn add(&mut self, bytes: &[u8]) {
        let room = &mut self.buffer[self.end..];
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.end += count;
    }

    /// Gives away as much as fits; an empty part begins anew.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.bytes().len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes()[..count]);
        self.start += count;
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        count
    }

    /// Reads more; false at the end.
    fn fill(&mut self, source: &mut impl Read) -> Result<bool> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        loop {
            match source.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl<R> std::fmt::Debug for Utf8Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Utf8Reader").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
