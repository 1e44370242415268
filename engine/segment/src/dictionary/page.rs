//! One dictionary page, written and read.
//!
//! The numbers of shared and of further bytes lie apart from the bytes: like next to like is what a
//! codec compresses best, and the start of a bucket is the sum of the lengths before it.

use std::cmp::Ordering;

use crate::dictionary::table::StringTable;
use crate::dictionary::texts::{TextRun, Texts, not_text, outside, shares_too_much};
use crate::dictionary::{BUCKET_VALUES, PAGE_BYTES};
use crate::error::Result;
use crate::format::corrupt;
use henge_types::narrow::narrow;

/// The raw bytes of the page that starts at a value, and the value it ends before.
pub(crate) fn encode(table: &StringTable, start: usize) -> (Vec<u8>, usize) {
    let mut bytes: Vec<u8> = Vec::with_capacity(PAGE_BYTES);
    let mut shared: Vec<usize> = Vec::new();
    let mut further: Vec<usize> = Vec::new();
    let mut end = start;
    while end < table.len() && bytes.len() + 2 * shared.len() < PAGE_BYTES {
        let value = table.get(end);
        let count = match (end - start) % BUCKET_VALUES {
            0 => 0,
            _ => shared_bytes(table.get(end - 1), value),
        };
        shared.push(count);
        further.push(value.len() - count);
        bytes.extend_from_slice(&value.as_bytes()[count..]);
        end += 1;
    }
    let longest = shared.iter().chain(&further).copied().max().unwrap_or(0);
    let width: u8 = match longest {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    };
    let each = usize::from(width);
    let mut raw = Vec::with_capacity(1 + 2 * each * shared.len() + bytes.len());
    raw.push(width);
    for length in shared.iter().chain(&further) {
        raw.extend_from_slice(&length.to_le_bytes()[..each]);
    }
    raw.extend(bytes);
    (raw, end)
}

/// Where a codec begins anew within a page of so many values: its lengths have nothing in common with
/// its text. Bytes from the end, the most first.
pub(crate) fn cuts(raw: &[u8], values: usize) -> [usize; 2] {
    let lengths = values * raw.first().copied().map_or(0, usize::from);
    let behind = |lengths: usize| raw.len().saturating_sub(1 + lengths);
    [behind(lengths), behind(2 * lengths)]
}

/// Number of leading bytes that two values have in common.
pub(crate) fn shared_bytes(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut shared = 0;
    for (a, b) in a_words.iter().zip(b_words) {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return shared + differing.trailing_zeros() as usize / 8;
        }
        shared += 8;
    }
    shared + a[shared..].iter().zip(&b[shared..]).take_while(|(a, b)| a == b).count()
}

/// A page of `values` values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageView<'a> {
    pub(super) shared: Lengths<'a>,
    pub(super) further: Lengths<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) values: usize,
}

/// Numbers of one, two or four bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Lengths<'a> {
    /// The lengths at some positions, when each is a byte.
    pub(super) fn bytes_at(&self, positions: std::ops::Range<usize>) -> Option<&'a [u8]> {
        if self.width == 1 { self.bytes.get(positions) } else { None }
    }

    #[inline]
    pub(super) fn get(&self, position: usize) -> usize {
        if self.width == 1 {
            return self.bytes.get(position).copied().map_or(0, usize::from);
        }
        let at = position * self.width;
        let length = self.bytes.get(at..at + self.width).unwrap_or_default();
        length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte))
    }

    /// The sum of the lengths at some positions.
    pub(super) fn sum(&self, positions: std::ops::Range<usize>) -> usize {
        match self.width {
            1 => sum_of_bytes(&self.bytes[positions]),
            _ => positions.map(|position| self.get(position)).sum(),
        }
    }
}

/// Eight bytes at a time, in lanes of sixteen bits.
fn sum_of_bytes(bytes: &[u8]) -> usize {
    const EVEN: u64 = 0x00ff_00ff_00ff_00ff;
    /// So many sums of two bytes fit a lane.
    const WORDS: usize = 128;
    let (words, rest) = bytes.as_chunks::<8>();
    let lanes = |words: &[[u8; 8]]| {
        let add = |sum, word: &[u8; 8]| {
            let word = u64::from_le_bytes(*word);
            sum + (word & EVEN) + (word >> 8 & EVEN)
        };
        let sum = words.iter().fold(0, add);
        (0..4).map(|lane| (sum >> (16 * lane) & 0xffff) as usize).sum::<usize>()
    };
    let whole: usize = words.chunks(WORDS).map(lanes).sum();
    whole + rest.iter().map(|byte| usize::from(*byte)).sum::<usize>()
}

impl<'a> PageView<'a> {
    pub(crate) fn new(raw: &'a [u8], values: usize) -> Result<Self> {
        let too_short = || corrupt("a dictionary page is too short for its values");
        let (width, rest) = raw.split_first().ok_or_else(too_short)?;
        let width = usize::from(*width);
        if !matches!(width, 1 | 2 | 4) {
            return Err(corrupt(format!("a dictionary page has lengths of {width} bytes")));
        }
        let table = values.saturating_mul(width);
        if values == 0 || table > rest.len() / 2 {
            return Err(too_short());
        }
        let (shared, rest) = rest.split_at(table);
        let (further, bytes) = rest.split_at(table);
        let lengths = |bytes| Lengths { bytes, width };
        Ok(Self { shared: lengths(shared), further: lengths(further), bytes, values })
    }

    /// The value at a position of the page.
    pub(crate) fn get(&self, position: usize) -> Result<String> {
        let mut value = Vec::new();
        let position = position.min(self.values - 1);
        self.assemble(position, self.further.sum(0..position), &mut value)?;
        String::from_utf8(value).map_err(|_| not_text())
    }

    /// Visits the values of ids that ascend, when that of the page's first value is `first_id`.
    pub(crate) fn for_ids(
        &self,
        first_id: u32,
        ids: &[u32],
        visit: &mut dyn FnMut(u32, &str),
    ) -> Result<()> {
        let mut value = Vec::new();
        let (mut position, mut offset) = (0, 0);
        for &id in ids {
            let next = id.wrapping_sub(first_id) as usize;
            if next < position || next >= self.values {
                return Err(corrupt("ids of a dictionary page do not ascend within it"));
            }
            offset += self.further.sum(position..next);
            position = next;
            self.assemble(position, offset, &mut value)?;
            visit(id, std::str::from_utf8(&value).map_err(|_| not_text())?);
        }
        Ok(())
    }

    /// Visits positions with the lengths of their values, which nobody puts together for it; false,
    /// without a visit, when bytes are not characters.
    pub(crate) fn ascii_lengths(
        &self,
        positions: std::ops::Range<usize>,
        visit: &mut dyn FnMut(usize, usize),
    ) -> Result<bool> {
        if !self.bytes.is_ascii() {
            return Ok(false);
        }
        let (mut length, mut used) = (0, 0);
        for position in 0..positions.end.min(self.values) {
            let (shared, further) = (self.shared.get(position), self.further.get(position));
            let before = if position.is_multiple_of(BUCKET_VALUES) { 0 } else { length };
            if shared > before {
                return Err(shares_too_much());
            }
            used += further;
            if used > self.bytes.len() {
                return Err(outside());
            }
            length = shared + further;
            if position >= positions.start {
                visit(position, length);
            }
        }
        Ok(true)
    }

    /// The position of the first value that is not less than `value` (the number of values when
    /// there is none), and whether it is equal.
    pub(crate) fn lower_bound(&self, value: &str) -> Result<(usize, bool)> {
        let starts = self.bucket_starts();
        let (mut low, mut high) = (0, starts.len());
        while low + 1 < high {
            let middle = usize::midpoint(low, high);
            let length = self.further.get(middle * BUCKET_VALUES);
            match self.slice(starts[middle], length)? <= value.as_bytes() {
                true => low = middle,
                false => high = middle,
            }
        }
        let mut cursor = self.cursor(low);
        let mut position = low * BUCKET_VALUES;
        while cursor.advance()? {
            match cursor.value.as_slice().cmp(value.as_bytes()) {
                Ordering::Less => position += 1,
                Ordering::Equal => return Ok((position, true)),
                Ordering::Greater => break,
            }
        }
        Ok((position, false))
    }

    /// Visits the values at positions `from..to`, in order, many at a time; `first_id` is the id of
    /// the page's first value.
    pub(crate) fn for_each_run(
        &self,
        from: usize,
        to: usize,
        first_id: u32,
        texts: &mut Texts,
        visit: &mut dyn FnMut(&TextRun<'_>),
    ) -> Result<()> {
        let to = to.min(self.values);
        let mut first = from - from % BUCKET_VALUES;
        let mut position = first;
        let mut bytes = self.bytes_from(self.further.sum(0..position.min(self.values)))?;
        let run_from = |first: usize, texts: &Texts, visit: &mut dyn FnMut(&TextRun<'_>)| {
            let id = first_id + narrow(from.max(first));
            texts.run(from.saturating_sub(first), id).map(|run| visit(&run))
        };
        texts.clear();
        while position < to {
            if position.is_multiple_of(BUCKET_VALUES) {
                if texts.is_full() {
                    run_from(first, texts, visit)?;
                    first = position;
                    texts.clear();
                }
                texts.start_bucket();
            }
            let further = self.further.get(position);
            texts.push(self.shared.get(position), bytes, further)?;
            bytes = &bytes[further..];
            position += 1;
        }
        if !texts.is_empty() {
            run_from(first, texts, visit)?;
        }
        Ok(())
    }

    fn bytes_from(&self, offset: usize) -> Result<&'a [u8]> {
        self.bytes.get(offset..).ok_or_else(outside)
    }

    /// Where the bytes of each bucket start.
    fn bucket_starts(&self) -> Vec<usize> {
        let mut start = 0;
        let firsts = (0..self.values).step_by(BUCKET_VALUES);
        let starts = firsts.map(|first| {
            let end = (first + BUCKET_VALUES).min(self.values);
            let next = start + self.further.sum(first..end);
            std::mem::replace(&mut start, next)
        });
        starts.collect()
    }

    /// Puts together the value at a position whose further bytes start at `offset`. It goes back
    /// from value to value, so that only bytes which no later value replaces are copied.
    fn assemble(&self, position: usize, offset: usize, value: &mut Vec<u8>) -> Result<()> {
        let (mut shared, further) = (self.shared.get(position), self.further.get(position));
        if shared > self.bytes.len() {
            return Err(shares_too_much());
        }
        value.clear();
        value.resize(shared, 0);
        value.extend_from_slice(self.slice(offset, further)?);
        let (mut before, mut start) = (position, offset);
        while shared > 0 {
            if before % BUCKET_VALUES == 0 {
                return Err(shares_too_much());
            }
            before -= 1;
            let (kept, further) = (self.shared.get(before), self.further.get(before));
            start = start.checked_sub(further).ok_or_else(shares_too_much)?;
            if kept < shared {
                if shared - kept > further {
                    return Err(shares_too_much());
                }
                value[kept..shared].copy_from_slice(self.slice(start, shared - kept)?);
                shared = kept;
            }
        }
        Ok(())
    }

    fn slice(&self, start: usize, length: usize) -> Result<&'a [u8]> {
        self.bytes.get(start..start.saturating_add(length)).ok_or_else(outside)
    }

    /// A cursor before the first value of a bucket.
    fn cursor(&self, bucket: usize) -> Cursor<'a> {
        let position = (bucket * BUCKET_VALUES).min(self.values);
        let offset = self.further.sum(0..position);
        Cursor { page: *self, position, offset, value: Vec::new() }
    }
}

/// A cursor over the values of a page.
struct Cursor<'a> {
    page: PageView<'a>,
    position: usize,
    offset: usize,
    value: Vec<u8>,
}

impl Cursor<'_> {
    /// Moves to the next value; false behind the last.
    fn advance(&mut self) -> Result<bool> {
        if self.position == self.page.values {
            return Ok(false);
        }
        let shared = self.page.shared.get(self.position);
        if shared > self.value.len() {
            return Err(shares_too_much());
        }
        let length = self.page.further.get(self.position);
        self.value.truncate(shared);
        self.value.extend_from_slice(self.page.slice(self.offset, length)?);
        self.offset += length;
        self.position += 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[String]) {
        let table: StringTable = values.iter().map(String::as_str).collect();
        let mut start = 0;
        while start < table.len() {
            let (raw, end) = encode(&table, start);
            let page = PageView::new(&raw, end - start).unwrap();
            let mut visited = Vec::new();
            let mut texts = Texts::default();
            for from in [0, 1, 31, 33].into_iter().filter(|from| *from < end - start) {
                visited.clear();
                let mut visit = |run: &TextRun<'_>| {
                    visited.extend(run.iter().map(|(id, value)| (id, value.to_owned())));
                };
                page.for_each_run(from, usize::MAX, 7, &mut texts, &mut visit).unwrap();
                let expected = (7 + from as u32..).zip(values[start + from..end].iter().cloned());
                assert!(visited.iter().cloned().eq(expected), "from {from}");
            }
            let mut lengths = Vec::new();
            let last = end - start;
            let found = page.ascii_lengths(1..last, &mut |position, length| {
                lengths.push((position, length));
            });
            let all = values[start..end].iter().map(String::len).enumerate().skip(1);
            assert!(found.unwrap());
            assert_eq!(lengths, all.collect::<Vec<_>>());
            for (position, value) in values[start..end].iter().enumerate() {
                assert_eq!(page.get(position).unwrap(), *value);
                let last = end - start - 1;
                for ids in
                    [vec![position as u32 + 7], vec![7, position as u32 + 7, last as u32 + 7]]
                {
                    let mut visited = Vec::new();
                    page.for_ids(7, &ids, &mut |id, value| {
                        assert_eq!(value, values[start + id as usize - 7]);
                        visited.push(id);
                    })
                    .unwrap();
                    assert_eq!(visited, ids);
                }
                assert_eq!(page.lower_bound(value).unwrap(), (position, true));
                assert_eq!(page.lower_bound(&format!("{value}\0")).unwrap(), (position + 1, false));
            }
            start = end;
        }
    }

    #[test]
    fn values_of_every_length_round_trip() {
        check(&(0..3000).map(|i| format!("{i:05}")).collect::<Vec<_>>());
        check(&[String::new(), "a".repeat(300), "a".repeat(301), "b".repeat(70_000)]);
        let mut long: Vec<String> =
            (0..100).map(|i| format!("{}{i:03}", "x".repeat(254))).collect();
        long.push("y".into());
        check(&long);
    }

    #[test]
    fn lengths_are_those_of_characters_or_not_said() {
        let table: StringTable = ["a", "aé", "b"].into_iter().collect();
        let (raw, _) = encode(&table, 0);
        let page = PageView::new(&raw, 3).unwrap();
        assert!(!page.ascii_lengths(0..3, &mut |_, _| panic!("was visited")).unwrap());
        // A value that shares more than there is.
        let damaged = [1, 0, 9, 1, 1, b'a', b'b'];
        let page = PageView::new(&damaged, 2).unwrap();
        assert!(page.ascii_lengths(0..2, &mut |_, _| {}).is_err());
        let damaged = [1, 0, 0, 1, 9, b'a', b'b'];
        let page = PageView::new(&damaged, 2).unwrap();
        assert!(page.ascii_lengths(0..2, &mut |_, _| {}).is_err());
    }

    #[test]
    fn bytes_are_summed_without_overflow() {
        for count in [0, 1, 7, 8, 9, 1_023, 1_024, 1_025, 10_000] {
            assert_eq!(sum_of_bytes(&vec![255; count]), 255 * count);
        }
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(sum_of_bytes(&bytes[3..]), (3..=255).sum::<usize>());
    }

    #[test]
    fn h_45_damaged_pages_are_refused() {
        let table: StringTable = ["ab", "abc", "b"].into_iter().collect();
        let (raw, _) = encode(&table, 0);
        let read = |raw: &[u8], values| {
            let page = PageView::new(raw, values)?;
            page.for_each_run(0, values, 1, &mut Texts::default(), &mut |_| {})
        };
        let get = |raw: &[u8], at| PageView::new(raw, 3)?.get(at);
        read(&raw, 3).unwrap();
        for cut in 0..raw.len() {
            assert!(read(&raw[..cut], 3).is_err());
        }
        for (at, byte) in [(0, 3), (1, 9), (2, 200), (4, 255), (7, 0xff)] {
            let mut damaged = raw.clone();
            damaged[at] = byte;
            assert!(read(&damaged, 3).is_err(), "{at}");
            assert!((0..3).any(|position| get(&damaged, position).is_err()), "{at}");
        }
        assert!(read(&raw, usize::MAX).is_err() && read(&raw, 0).is_err());
    }
}
