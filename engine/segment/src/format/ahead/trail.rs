//! What a thread read of the segment before: a query reads the same columns of all its segments, so that the
//! beginnings of these can be asked for together, and not one after the other when it comes to them.

use std::cell::RefCell;

/// Columns that are remembered of a segment.
const MOST_COLUMNS: usize = 16;

/// The columns that a thread read from the first block on.
#[derive(Debug, Default)]
struct Trail {
    segment: u64,
    columns: Vec<usize>,
}

thread_local! {
    static TRAIL: RefCell<Trail> = const { RefCell::new(Trail { segment: 0, columns: Vec::new() }) };
}

/// This thread begins to read a column of a segment. When it comes from another segment, gives the columns that
/// it read there; but not those of another query, which began with another column, or began anew.
pub(super) fn follow(segment: u64, column: usize) -> Vec<usize> {
    TRAIL.with_borrow_mut(|trail| {
        let begins_alike = trail.columns.first() == Some(&column);
        let is_elsewhere = trail.segment != segment;
        let before = match is_elsewhere || begins_alike {
            true => std::mem::take(&mut trail.columns),
            false => Vec::new(),
        };
        trail.segment = segment;
        if trail.columns.len() < MOST_COLUMNS && !trail.columns.contains(&column) {
            trail.columns.push(column);
        }
        if is_elsewhere && begins_alike { before } else { Vec::new() }
    })
}
