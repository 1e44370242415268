//! Reading ahead in a file that is mapped and may not be in memory: whoever reads a piece has asked for all of
//! it before, at once, and a reader that goes from block to block of a column has asked for those that come
//! next. The operating system sees one page at a time and guesses around it: of columns that lie beside each
//! other it reads twice what is used, in pieces that are too small for a disk.
//!
//! What was asked for is noted by units of the file, with the epoch it was asked for in. As long as nothing is
//! pushed out of memory the epoch stays, and a piece that was asked for costs a look at its units.

mod trail;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use henge_types::narrow::{narrow, place};

use crate::format::holes::BlockPiece;
use crate::format::piece::StoredPiece;

/// What is asked for together: a few pages, so that what lies beside a piece is hardly read with it.
const UNIT_BYTES: u64 = 32 << 10;
/// Units that are asked for behind a piece at most: two megabytes keep a disk busy while blocks are computed.
const MOST_UNITS: usize = 64;
/// Who reads the first block of a column is taken for one that has read so many units.
const FIRST_UNITS: usize = 8;
/// When the unit so far behind a piece was not asked for, it is time for more.
const NEAR_UNITS: usize = 16;

/// Asks for bytes of a mapped file before they are read.
pub trait ReadAhead: Send + Sync + fmt::Debug {
    /// Changes when what was asked for may have been pushed out of memory since; 2 at first, and then larger.
    fn epoch(&self) -> u32;

    /// Bytes that are read now or soon; to return before they are there.
    fn will_read(&self, range: Range<u64>);
}

/// What is asked for of an open segment.
#[derive(Debug)]
pub(crate) struct Ahead {
    asks: Arc<dyn ReadAhead>,
    units: Arc<[Unit]>,
    /// Where the segment begins in the file: a projection lies inside of another segment.
    base: u64,
    /// Tells segments apart.
    number: u64,
    /// The columns whose blocks lie where the footer says, with their units, in the order of the file.
    columns: OnceLock<Vec<(usize, Range<usize>)>>,
}

/// A few pages of the file.
#[derive(Debug, Default)]
struct Unit {
    /// The epoch it was last asked for in.
    epoch: AtomicU32,
    /// The last unit of the blocks of the column that it is of; 0 when it is of none.
    column_end: AtomicU32,
}

impl Unit {
    #[inline]
    fn column_end(&self) -> usize {
        self.column_end.load(Ordering::Relaxed) as usize
    }
}

impl Ahead {
    /// Of a file of so many bytes, of which nothing was asked for.
    pub(crate) fn new(asks: Arc<dyn ReadAhead>, size_bytes: usize) -> Self {
        let units = size_bytes.div_ceil(place(UNIT_BYTES));
        Self::of(asks, (0..units).map(|_| Unit::default()).collect(), 0)
    }

    /// That of a segment inside of this one.
    pub(crate) fn within(&self, offset: u64) -> Self {
        let (asks, units) = (Arc::clone(&self.asks), Arc::clone(&self.units));
        Self::of(asks, units, self.base.saturating_add(offset))
    }

    fn of(asks: Arc<dyn ReadAhead>, units: Arc<[Unit]>, base: u64) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self { asks, units, base, number, columns: OnceLock::new() }
    }

    /// Says where the blocks of the columns lie.
    pub(crate) fn know_columns(&self, pieces: &[BlockPiece]) {
        let _ = self.columns.set(self.add_columns(pieces));
    }

    /// Says where the blocks of further columns lie.
    pub(crate) fn add_columns(&self, pieces: &[BlockPiece]) -> Vec<(usize, Range<usize>)> {
        let of_columns = pieces.chunk_by(|piece, next| piece.column == next.column);
        let extent = |pieces: &[BlockPiece]| {
            let start = pieces.iter().map(|block| block.piece.offset).min()?;
            let end = pieces.iter().map(|block| block.piece.end()).max()?;
            Some((pieces.first()?.column, self.units_of(&(start..end))))
        };
        let mut columns: Vec<_> = of_columns.filter_map(extent).collect();
        columns.sort_unstable_by_key(|(_, units)| units.start);
        for (_, units) in &columns {
            for unit in self.units.get(units.clone()).unwrap_or_default() {
                // Where two columns meet, the first goes on no further.
                if unit.column_end() == 0 {
                    unit.column_end.store(narrow(units.end - 1), Ordering::Relaxed);
                }
            }
        }
        columns
    }

    /// A piece is about to be read.
    #[inline]
    pub(crate) fn before(&self, piece: &StoredPiece) {
        let epoch = self.asks.epoch();
        let of_piece = self.units_of(&(piece.offset..piece.end()));
        let units = self.units.get(of_piece.clone()).unwrap_or_default();
        let column_end = units.last().map_or(0, Unit::column_end);
        let near = column_end.min(of_piece.end - 1 + NEAR_UNITS);
        let is_asked = |unit: &Unit| unit.epoch.load(Ordering::Relaxed) == epoch;
        let is_near_asked = || near == 0 || self.units.get(near).is_none_or(is_asked);
        if !units.iter().all(is_asked) || !is_near_asked() {
            self.ask(&of_piece, column_end, epoch);
        }
    }

    /// A range that is of no column is about to be read, as the ends of a file when it is opened: a page that
    /// was not asked for has the system read megabytes around it on some machines.
    pub(crate) fn before_range(&self, range: &Range<u64>) {
        if !range.is_empty() {
            self.ask_for(self.units_of(range), self.asks.epoch());
        }
    }

    /// Asks for what was not asked for of a piece, and behind it for twice as much as was read before it.
    #[cold]
    fn ask(&self, of_piece: &Range<usize>, column_end: usize, epoch: u32) {
        let last = of_piece.end - 1;
        let until = match column_end > last {
            true => {
                let ahead = 2 * self.read_before(of_piece, column_end, epoch);
                column_end.min(last + ahead.min(MOST_UNITS))
            }
            false => last,
        };
        self.ask_for(of_piece.start..until + 1, epoch);
        self.begin_others(of_piece, epoch);
    }

    /// Asks for the beginnings of the columns that the thread read of the segment before, once it begins to
    /// read the first of them here.
    fn begin_others(&self, of_piece: &Range<usize>, epoch: u32) {
        let columns = self.columns.get().map_or(&[][..], Vec::as_slice);
        let at = columns.partition_point(|(_, units)| units.start < of_piece.start);
        let begins = |(_, units): &&(usize, Range<usize>)| units.start == of_piece.start;
        let Some((column, _)) = columns.get(at).filter(begins) else { return };
        for other in trail::follow(self.number, *column) {
            let found = columns.iter().find(|(number, _)| *number == other && other != *column);
            if let Some((_, units)) = found {
                let end = units.end.min(units.start + 2 * FIRST_UNITS);
                self.ask_for(units.start..end, epoch);
            }
        }
    }

    /// Asks for those of these units that were not asked for.
    fn ask_for(&self, units: Range<usize>, epoch: u32) {
        let mut wanted: Option<Range<usize>> = None;
        for (at, unit) in self.units.iter().enumerate().take(units.end).skip(units.start) {
            let is_asked = unit.epoch.load(Ordering::Relaxed) == epoch
                || unit.epoch.swap(epoch, Ordering::Relaxed) == epoch;
            match is_asked {
                true => self.tell(wanted.take()),
                false => wanted.get_or_insert(at..at).end = at + 1,
            }
        }
        self.tell(wanted);
    }

    /// Units of the same column, this piece's and those before it, that were asked for lately.
    fn read_before(&self, of_piece: &Range<usize>, column_end: usize, epoch: u32) -> usize {
        let before = self.units.get(..of_piece.start).unwrap_or_default();
        let is_of_column = |unit: &&Unit| unit.column_end() == column_end;
        let was_asked = |unit: &&Unit| epoch.wrapping_sub(unit.epoch.load(Ordering::Relaxed)) <= 1;
        let column = before.iter().rev().take(MOST_UNITS).take_while(is_of_column);
        let run = column.take_while(was_asked).count();
        match before.last().filter(is_of_column) {
            None => FIRST_UNITS + of_piece.len(),
            Some(_) if run == 0 => 0,
            Some(_) => run + of_piece.len(),
        }
    }

    fn tell(&self, units: Option<Range<usize>>) {
        if let Some(units) = units {
            let (start, end) = (units.start as u64 * UNIT_BYTES, units.end as u64 * UNIT_BYTES);
            self.asks.will_read(start..end);
        }
    }

    /// The units of a range of the segment's bytes: one at least.
    fn units_of(&self, range: &Range<u64>) -> Range<usize> {
        let start = place(self.base.saturating_add(range.start) / UNIT_BYTES);
        let end = place(self.base.saturating_add(range.end).div_ceil(UNIT_BYTES));
        start..end.max(start + 1)
    }
}

#[cfg(test)]
mod tests;
