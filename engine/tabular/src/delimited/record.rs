//! Lines of values: where they end, and what is in them.

use std::ops::Range;

/// Bytes of one line, quoted line breaks included. A quote that is never closed swallows the file up
/// to here and no further.
pub const MAX_RECORD_BYTES: usize = 8 << 20;

/// One line.
#[derive(Debug)]
pub(super) struct Record {
    /// Behind its line break.
    pub(super) end: usize,
    pub(super) is_blank: bool,
    pub(super) is_unclosed: bool,
    pub(super) is_too_long: bool,
}

/// Reads lines; the values of the last one are at hand. Buffers are reused.
#[derive(Debug)]
pub(super) struct Records {
    delimiter: u8,
    quoting: bool,
    /// Values one after the other, without quotes.
    text: Vec<u8>,
    /// Where each value is in `text`; `None` is null.
    values: Vec<Option<Range<usize>>>,
    is_utf8: bool,
}

impl Records {
    pub(super) fn new(delimiter: u8, quoting: bool) -> Self {
        Self { delimiter, quoting, text: Vec::new(), values: Vec::new(), is_utf8: true }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// A value; `None` is null.
    pub(super) fn value(&self, at: usize) -> Option<&str> {
        let range = self.values.get(at)?.clone()?;
        // Checked as a whole in `read`; delimiters and quotes are ASCII, so cuts are between
        // characters.
        std::str::from_utf8(self.text.get(range)?).ok()
    }

    /// Reads the line that begins at a place.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize) -> Record {
        self.text.clear();
        self.values.clear();
        let limit = bytes.len().min(start + MAX_RECORD_BYTES);
        let mut at = start;
        let mut is_unclosed = false;
        loop {
            let value_start = self.text.len();
            let is_quoted = self.quoting && bytes.get(at) == Some(&b'"');
            if is_quoted {
                match self.read_quoted(bytes, at + 1, limit) {
                    Some(next) => at = next,
                    None => {
                        is_unclosed = true;
                        at = line_end(bytes, start, limit);
                        break;
                    }
                }
            }
            // Text behind a closing quote is taken as it is, as most programs do.
            let rest = &bytes[at..limit];
            let stop = |byte: &u8| *byte == self.delimiter || *byte == b'\n';
            let end = at + rest.iter().position(stop).unwrap_or(rest.len());
            let ends_value = bytes.get(end) == Some(&self.delimiter) && end < limit;
            let mut value_end = end;
            if !ends_value && value_end > at && bytes[value_end - 1] == b'\r' {
                value_end -= 1;
            }
            self.text.extend_from_slice(&bytes[at..value_end]);
            let range = value_start..self.text.len();
            self.values.push((is_quoted || !range.is_empty()).then_some(range));
            at = end;
            if !ends_value {
                break;
            }
            at += 1;
        }
        self.is_utf8 = std::str::from_utf8(&self.text).is_ok();
        let is_too_long = at >= start + MAX_RECORD_BYTES;
        if is_too_long {
            at = line_end(bytes, at, bytes.len());
        } else if bytes.get(at) == Some(&b'\n') {
            at += 1;
        }
        let is_blank = matches!(self.values[..], [None]) && !is_unclosed;
        Record { end: at, is_blank, is_unclosed, is_too_long }
    }

    /// Copies a quoted value; gives the place behind its closing quote, `None` when there is none.
    fn read_quoted(&mut self, bytes: &[u8], mut at: usize, limit: usize) -> Option<usize> {
        loop {
            let rest = bytes.get(at..limit)?;
            let quote = at + rest.iter().position(|byte| *byte == b'"')?;
            self.text.extend_from_slice(&bytes[at..quote]);
            if quote + 1 < limit && bytes[quote + 1] == b'"' {
                self.text.push(b'"');
                at = quote + 2;
            } else {
                return Some(quote + 1);
            }
        }
    }

    /// The end of the last whole line, and how many bytes follow it.
    pub(super) fn last_end(&self, bytes: &[u8]) -> (Option<usize>, usize) {
        if !self.quoting {
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            return (end, bytes.len() - end.unwrap_or(0));
        }
        let mut last = None;
        let mut at = 0;
        while at < bytes.len() {
            match self.skip(bytes, at) {
                Some(end) => {
                    last = Some(end);
                    at = end;
                }
                None => break,
            }
        }
        (last, bytes.len() - last.unwrap_or(0))
    }

    /// The end of the line that begins at a place, `None` when it does not end. It has to agree with
    /// [`Records::read`]: quotes only count at the start of a value, and one that is not closed
    /// within the limit ends with its line.
    fn skip(&self, bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            if bytes.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    let rest = bytes.get(at..)?;
                    let quote = rest.iter().position(|byte| *byte == b'"').map(|place| at + place);
                    match quote {
                        Some(quote) if quote < start + MAX_RECORD_BYTES => {
                            if bytes.get(quote + 1) == Some(&b'"') {
                                at = quote + 2;
                                continue;
                            }
                            at = quote + 1;
                            break;
                        }
                        _ if bytes.len() >= start + MAX_RECORD_BYTES => {
                            return Some(line_end(bytes, start, start + MAX_RECORD_BYTES));
                        }
                        _ => return None,
                    }
                }
            }
            let rest = bytes.get(at..)?;
            let stop = |byte: &u8| *byte == self.delimiter || *byte == b'\n';
            let end = at + rest.iter().position(stop)?;
            at = end + 1;
            if bytes[end] == b'\n' {
                return Some(at);
            }
        }
    }
}

/// Behind the first line break from a place on, or the limit.
fn line_end(bytes: &[u8], start: usize, limit: usize) -> usize {
    let line = &bytes[start..limit];
    start + line.iter().position(|byte| *byte == b'\n').map_or(line.len(), |at| at + 1)
}
