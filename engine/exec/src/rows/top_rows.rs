//! The first rows of a segment in an order, found by the columns that decide it alone: blocks come in
//! the order of their statistics, and none is read that cannot have a row among the first.

use std::cmp::Ordering;

use henge_query::ScanQuery;
use henge_scan::{Columns, Result, SelectedRows, Selection};
use henge_segment::{BLOCK_ROWS, SegmentView};
use henge_types::narrow::{narrow, row_of_block};

use super::order_key::{Cell, OrderKey};
use super::scan::check_memory;
use crate::context::ExecContext;
use crate::scan_bound::ScanBound;

/// A row that may be among the first.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The first key's word.
    pub(super) word: u64,
    /// Position in the segment.
    pub(super) row: u32,
    /// What the word leaves open.
    cells: Box<[Cell]>,
}

impl Candidate {
    /// By key, then as stored.
    fn compare(&self, other: &Self) -> Ordering {
        let cells = || {
            let mut pairs = self.cells.iter().zip(&other.cells);
            pairs.find_map(|(left, right)| Some(left.compare(right)).filter(|order| order.is_ne()))
        };
        let by_key = self.word.cmp(&other.word);
        by_key.then_with(|| cells().unwrap_or(Ordering::Equal)).then(self.row.cmp(&other.row))
    }

    fn memory_bytes(&self) -> usize {
        let held: usize = self.cells.iter().map(Cell::held_bytes).sum();
        size_of::<Self>() + size_of_val(&*self.cells) + held
    }
}

/// The first rows of the query's order, at most so many.
pub(super) fn first_rows(
    query: &ScanQuery,
    columns: &Columns<'_>,
    limit: usize,
    bound: Option<&ScanBound>,
    context: &ExecContext,
) -> Result<Vec<Candidate>> {
    let view = columns.view();
    if bound.is_some_and(|bound| bound.least_word(view) > bound.word()) {
        return Ok(Vec::new());
    }
    let mut keys = OrderKey::all(query, columns)?;
    let Some((first, others)) = keys.split_first_mut().filter(|_| limit > 0) else {
        return Ok(Vec::new());
    };
    let blocks = blocks_in_order(first, view)?;
    let dictionaries = context.dictionaries.as_ref();
    let mut selected = match query.limit {
        Some(_) => SelectedRows::first(&query.base, view, &context.cancel, dictionaries)?,
        None => SelectedRows::new(&query.base, view, &context.cancel, dictionaries)?,
    };
    // Where blocks come as they are stored, a later row that is alike comes after those that are kept.
    let stored_order = blocks.is_sorted_by_key(|(_, block)| *block);
    let alike_is_late = stored_order && others.is_empty() && first.is_exact();
    let mut best = Best { limit, rows: Vec::new(), worst: None, used_bytes: 0 };
    let (mut words, mut places) = (Vec::new(), Vec::new());
    for (least, block) in blocks {
        context.cancel.check()?;
        if best.worst.is_some_and(|worst| least > worst || (least == worst && alike_is_late)) {
            break;
        }
        if bound.is_some_and(|bound| least > bound.word()) {
            break;
        }
        let rows = selected.block(block)?;
        if rows.is_empty() {
            continue;
        }
        first.write_words(block, rows, &mut words)?;
        best.pick(rows, alike_is_late, &mut words, &mut places);
        if places.is_empty() {
            continue;
        }
        let rows = Selection::Rows(&places);
        let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); places.len()];
        first.add_cells(block, rows, &mut cells)?;
        let mut more_words = Vec::new();
        for key in &mut *others {
            key.add_all_cells(block, rows, &mut more_words, &mut cells)?;
        }
        for ((&word, &place), cells) in words.iter().zip(&places).zip(cells) {
            let row = narrow(block * BLOCK_ROWS) + u32::from(place);
            best.push(Candidate { word, row, cells: cells.into() });
        }
        check_memory(best.used_bytes, context)?;
        best.settle();
        if let (Some(bound), Some(worst)) = (bound, best.worst) {
            bound.lower_to(worst);
        }
    }
    best.rows.sort_unstable_by(Candidate::compare);
    Ok(best.rows)
}

/// Blocks with the smallest word that they may have, in that order.
fn blocks_in_order(key: &OrderKey<'_>, view: &dyn SegmentView) -> Result<Vec<(u64, usize)>> {
    let blocks = 0..view.block_count();
    let mut blocks = blocks
        .map(|block| Ok((key.least_word(block, view.block_rows(block))?, block)))
        .collect::<Result<Vec<_>>>()?;
    blocks.sort_unstable();
    Ok(blocks)
}

/// The best rows so far.
struct Best {
    limit: usize,
    rows: Vec<Candidate>,
    /// Once there are enough: rows with a larger word are not among the first.
    worst: Option<u64>,
    used_bytes: usize,
}

impl Best {
    /// Reduces a block's words to those of rows that may be among the first, and tells which rows they
    /// are. Rows that are like the worst ones kept are not when `alike_is_late`.
    fn pick(
        &self,
        rows: Selection<'_>,
        alike_is_late: bool,
        words: &mut Vec<u64>,
        places: &mut Vec<u16>,
    ) {
        let last = match self.worst {
            Some(worst) if alike_is_late => worst.checked_sub(1),
            Some(worst) => Some(worst),
            // Of the block's own rows, too, there may be enough.
            None if words.len() > self.limit => {
                let mut sorted = words.clone();
                Some(*sorted.select_nth_unstable(self.limit - 1).1)
            }
            None => Some(u64::MAX),
        };
        places.clear();
        let (mut at, mut kept) = (0, 0);
        let Some(last) = last else { return };
        rows.for_each(|row| {
            let word = words[at];
            at += 1;
            if word <= last {
                words[kept] = word;
                kept += 1;
                places.push(row_of_block(row));
            }
        });
        words.truncate(kept);
    }

    /// Drops the rows that are not among the first.
    fn settle(&mut self) {
        if self.rows.len() < self.limit {
            return;
        }
        if self.rows.len() > self.limit {
            self.rows.select_nth_unstable_by(self.limit - 1, Candidate::compare);
            self.rows.truncate(self.limit);
            self.used_bytes = self.rows.iter().map(Candidate::memory_bytes).sum();
        }
        self.worst = self.rows.iter().map(|row| row.word).max();
    }

    fn push(&mut self, candidate: Candidate) {
        self.used_bytes += candidate.memory_bytes();
        self.rows.push(candidate);
    }
}
