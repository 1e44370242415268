//! Over a file that is only thought of: what is asked for, and how often.

use std::sync::Mutex;

use super::*;
use crate::format::codec::BlockCodec;

/// Remembers what it was asked for.
#[derive(Debug)]
struct Asked {
    epoch: AtomicU32,
    ranges: Mutex<Vec<Range<u64>>>,
}

impl ReadAhead for Asked {
    fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    fn will_read(&self, range: Range<u64>) {
        self.ranges.lock().unwrap().push(range);
    }
}

const PIECE_BYTES: u32 = 100_000;
const BLOCKS: u64 = 40;

fn piece(column: u64, block: u64) -> StoredPiece {
    let offset = (column * BLOCKS + block) * u64::from(PIECE_BYTES);
    let (stored_length, raw_length) = (PIECE_BYTES, PIECE_BYTES);
    StoredPiece { offset, stored_length, raw_length, codec: BlockCodec::None, checksum: 0 }
}

fn start(column: u64) -> u64 {
    piece(column, 0).offset
}

/// A file of three columns of 4 MB.
fn setup() -> (Arc<Asked>, Ahead) {
    let asked = Asked { epoch: AtomicU32::new(2), ranges: Mutex::default() };
    let asked = Arc::new(asked);
    let ahead = Ahead::new(Arc::clone(&asked) as _, place(start(3)));
    let blocks = |column| (0..BLOCKS).map(move |block| (column, block));
    let pieces = [2, 0, 1].into_iter().flat_map(blocks);
    let pieces: Vec<_> = pieces
        .map(|(column, block)| BlockPiece { column: place(column), piece: piece(column, block) })
        .collect();
    ahead.know_columns(&pieces);
    (asked, ahead)
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

#[test]
fn who_reads_a_column_has_asked_for_all_of_it_once_and_for_nothing_else() {
    let (asked, ahead) = setup();
    for block in 0..BLOCKS {
        ahead.before(&piece(1, block));
        let ranges = asked.ranges.lock().unwrap();
        let is_asked = |at: u64| ranges.iter().any(|range| range.contains(&at));
        assert!(is_asked(piece(1, block).offset) && is_asked(piece(1, block).end() - 1));
    }
    let ranges = asked.ranges.lock().unwrap();
    assert!(ranges.len() < 12, "few and large: {ranges:?}");
    assert!(total(&ranges) < start(1) + 2 * UNIT_BYTES, "{ranges:?}");
    let around = start(1) - UNIT_BYTES..start(2) + UNIT_BYTES;
    assert!(ranges.iter().all(|range| around.start <= range.start && range.end <= around.end));
}

#[test]
fn single_blocks_are_asked_for_alone() {
    let (asked, ahead) = setup();
    for block in [7, 30, 15] {
        ahead.before(&piece(0, block));
    }
    let most = 3 * (u64::from(PIECE_BYTES) + 2 * UNIT_BYTES);
    assert!(total(&asked.ranges.lock().unwrap()) <= most);
}

#[test]
fn what_was_asked_for_is_asked_for_again_in_another_epoch() {
    let (asked, ahead) = setup();
    for _ in 0..2 {
        (0..BLOCKS).for_each(|block| ahead.before(&piece(2, block)));
    }
    let once = asked.ranges.lock().unwrap().len();
    (0..BLOCKS).for_each(|block| ahead.before(&piece(2, block)));
    assert_eq!(asked.ranges.lock().unwrap().len(), once, "it is in memory");
    asked.epoch.store(3, Ordering::Relaxed);
    ahead.before(&piece(2, 20));
    let ranges = asked.ranges.lock().unwrap();
    let again = ranges.last().unwrap();
    assert_eq!(ranges.len(), once + 1);
    assert!(again.end - again.start > 10 * u64::from(PIECE_BYTES), "it was read on lately");
}

#[test]
fn a_projection_lies_where_it_lies_in_the_file() {
    let (asked, ahead) = setup();
    ahead.within(start(1)).before(&piece(0, 3));
    let ranges = asked.ranges.lock().unwrap();
    assert!(ranges.iter().any(|range| range.contains(&piece(1, 3).offset)));
}

#[test]
fn a_piece_beyond_the_file_is_not_asked_for() {
    let (asked, ahead) = setup();
    ahead.before(&StoredPiece { offset: u64::MAX - 7, ..piece(0, 0) });
    assert!(asked.ranges.lock().unwrap().is_empty());
}

#[test]
fn the_columns_of_one_segment_are_begun_together_in_the_next() {
    let (_, first) = setup();
    for block in 0..3 {
        first.before(&piece(0, block));
        first.before(&piece(2, block));
    }
    let (asked, second) = setup();
    second.before(&piece(0, 0));
    let is_asked = |asked: &Asked, column| {
        let ranges = asked.ranges.lock().unwrap();
        ranges.iter().any(|range| range.contains(&piece(column, 1).offset))
    };
    assert!(is_asked(&asked, 0) && !is_asked(&asked, 1) && is_asked(&asked, 2));
    // Who begins with another column asks another question.
    let (asked, third) = setup();
    third.before(&piece(1, 0));
    assert!(!is_asked(&asked, 0) && is_asked(&asked, 1) && !is_asked(&asked, 2));
    let (asked, fourth) = setup();
    fourth.before(&piece(1, 0));
    assert!(!is_asked(&asked, 0) && is_asked(&asked, 1));
}

#[test]
fn what_an_earlier_question_read_of_a_segment_is_not_asked_for_in_the_next() {
    let (asked, first) = setup();
    first.before(&piece(0, 0));
    first.before(&piece(2, 0));
    // Much was pushed out of memory, and another question reads the same segment.
    asked.epoch.store(3, Ordering::Relaxed);
    first.before(&piece(0, 0));
    first.before(&piece(1, 0));
    let (asked, second) = setup();
    second.before(&piece(0, 0));
    let ranges = asked.ranges.lock().unwrap();
    let is_asked = |column| ranges.iter().any(|range| range.contains(&piece(column, 1).offset));
    assert!(is_asked(0) && is_asked(1) && !is_asked(2), "{ranges:?}");
}
