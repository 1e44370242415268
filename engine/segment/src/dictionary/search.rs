//! Looking for a text in the values of a page as they lie there, without putting them together.
//!
//! A value holds the text where its predecessor does, if they share that much; or where its further
//! bytes follow the shared ones; or within its further bytes. The last is one search through the
//! bytes of the whole page, and the two first bytes of what follows tell nearly always that the text
//! does not lie across.

use std::ops::Range;

use super::BUCKET_VALUES;
use super::page::PageView;
use super::texts::{outside, shares_too_much};
use crate::error::Result;
use crate::text_search::TextSearch;
use henge_types::narrow::narrow;

/// No place of a page.
const NOWHERE: usize = usize::MAX;

impl PageView<'_> {
    /// Visits the ids of values at `positions` that hold what is looked for; `first_id` is the id of
    /// the page's first value.
    pub(crate) fn for_each_holding(
        &self,
        positions: Range<usize>,
        first_id: u32,
        search: &TextSearch<'_>,
        visit: &mut dyn FnMut(u32),
    ) -> Result<()> {
        let first = positions.start - positions.start % BUCKET_VALUES;
        let range = first..positions.end.min(self.values);
        let scan = Scan { page: self, search, first_id, positions };
        match (self.shared.bytes_at(range.clone()), self.further.bytes_at(range.clone())) {
            (Some(shared), Some(further)) => {
                let each = |lengths: (&u8, &u8)| (usize::from(*lengths.0), usize::from(*lengths.1));
                scan.run(first, shared.iter().zip(further).map(each), visit)
            }
            _ => {
                let each = |position| (self.shared.get(position), self.further.get(position));
                scan.run(first, range.map(each), visit)
            }
        }
    }

    /// Where the first occurrence ends that begins in the shared bytes of the value at a position,
    /// whose further bytes start at `start`, and ends in those.
    fn end_across(
        &self,
        search: &TextSearch<'_>,
        position: usize,
        start: usize,
        (shared, further): (usize, usize),
    ) -> Result<Option<usize>> {
        let wanted = search.wanted();
        let own = self.bytes.get(start..start + further).ok_or_else(outside)?;
        for before in (1..wanted.len().min(shared + 1)).rev() {
            let (head, tail) = wanted.split_at(before);
            if own.starts_with(tail) && self.shared_end_with(position, start, shared, head)? {
                return Ok(Some(shared + tail.len()));
            }
        }
        Ok(None)
    }

    /// True when the shared bytes of a value end with some bytes. It goes back from value to value
    /// to where the bytes lie.
    fn shared_end_with(
        &self,
        position: usize,
        start: usize,
        mut shared: usize,
        mut wanted: &[u8],
    ) -> Result<bool> {
        let (mut before, mut start) = (position, start);
        while !wanted.is_empty() {
            if before.is_multiple_of(BUCKET_VALUES) {
                return Err(shares_too_much());
            }
            before -= 1;
            let (kept, further) = (self.shared.get(before), self.further.get(before));
            start = start.checked_sub(further).ok_or_else(shares_too_much)?;
            if kept < shared {
                let end = start + (shared - kept);
                let (rest, here) = wanted.split_at(wanted.len().saturating_sub(shared - kept));
                if self.bytes.get(end - here.len()..end).ok_or_else(outside)? != here {
                    return Ok(false);
                }
                (wanted, shared) = (rest, kept);
            }
        }
        Ok(true)
    }
}

/// One pass over values of a page.
struct Scan<'a> {
    page: &'a PageView<'a>,
    search: &'a TextSearch<'a>,
    first_id: u32,
    positions: Range<usize>,
}

impl Scan<'_> {
    /// `lengths` are the numbers of shared and of further bytes of the values from the start of a
    /// bucket on.
    #[inline]
    fn run(
        &self,
        first: usize,
        lengths: impl Iterator<Item = (usize, usize)>,
        visit: &mut dyn FnMut(u32),
    ) -> Result<()> {
        let (page, search) = (self.page, self.search);
        let mut end_of_bytes = page.further.sum(0..first.min(page.values));
        let mut next_found = search.find_from(page.bytes, end_of_bytes).unwrap_or(NOWHERE);
        // Of the value before: its length, and where its first occurrence ends.
        let (mut length, mut found_end) = (0, NOWHERE);
        for (position, (shared, further)) in (first..).zip(lengths) {
            let starts_bucket = position.is_multiple_of(BUCKET_VALUES);
            if shared > if starts_bucket { 0 } else { length } {
                return Err(shares_too_much());
            }
            length = shared + further;
            let start = end_of_bytes;
            end_of_bytes += further;
            if found_end > shared {
                found_end = NOWHERE;
                if shared > 0
                    && search.may_go_on_at(page.bytes, start)
                    && let Some(end) =
                        page.end_across(search, position, start, (shared, further))?
                {
                    found_end = end;
                } else if next_found < end_of_bytes
                    && let Some(end) = self.end_within(&mut next_found, start..end_of_bytes)
                {
                    found_end = shared + (end - start);
                }
            }
            if found_end != NOWHERE && position >= self.positions.start {
                visit(self.first_id + narrow(position));
            }
        }
        if end_of_bytes > page.bytes.len() { Err(outside()) } else { Ok(()) }
    }

    /// Where the first occurrence ends that lies within a range of the page's bytes. `next_found` is
    /// an occurrence before which there is none that was not looked at, and moves on.
    #[cold]
    fn end_within(&self, next_found: &mut usize, range: Range<usize>) -> Option<usize> {
        let (search, bytes) = (self.search, self.page.bytes);
        if *next_found < range.start {
            *next_found = search.find_from(bytes, range.start).unwrap_or(NOWHERE);
        }
        while *next_found < range.end {
            let end = *next_found + search.wanted().len();
            if end <= range.end {
                return Some(end);
            }
            // It begins in this value and ends in a later one.
            *next_found = search.find_from(bytes, *next_found + 1).unwrap_or(NOWHERE);
        }
        None
    }
}

#[cfg(test)]
mod tests;
