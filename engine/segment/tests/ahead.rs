//! What a segment asks for of a file that is mapped and may not be in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::Range;
use std::sync::{Arc, Mutex};

use common::{read_column, write_layouts, write_projected};
use henge_segment::{MappedSegment, ReadAhead, SegmentView as _, WriteOptions};

/// Bytes that are asked for together.
const UNIT_BYTES: u64 = 32 << 10;

/// Remembers what it was asked for.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<Range<u64>>>);

impl ReadAhead for Asked {
    fn epoch(&self) -> u32 {
        2
    }

    fn will_read(&self, range: Range<u64>) {
        self.0.lock().unwrap().push(range);
    }
}

impl Asked {
    fn bytes(&self) -> u64 {
        self.0.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }

    fn has(&self, at: usize) -> bool {
        self.0.lock().unwrap().iter().any(|range| range.contains(&(at as u64)))
    }
}

fn open(file: &[u8]) -> (MappedSegment, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let bytes = Arc::new(file.to_vec());
    (MappedSegment::open_ahead(bytes, Arc::clone(&asked) as _).unwrap(), asked)
}

/// A page that nobody asked for has the system read what lies around it, megabytes on some machines.
#[test]
fn opening_asks_for_the_ends_of_the_file_and_for_no_more() {
    let file = write_layouts(400_000, WriteOptions::hot());
    let (segment, asked) = open(&file);
    assert!(asked.has(0) && asked.has(file.len() - 1));
    let opened = asked.bytes();
    let footer_bytes = segment.inspect().unwrap().footer_bytes as u64;
    assert!(opened <= 4 * UNIT_BYTES + footer_bytes, "{opened} of {}", file.len());
    for column in &segment.schema().columns {
        read_column(&segment, &column.name).unwrap();
    }
    assert!(asked.bytes() > opened && asked.bytes() <= file.len() as u64 + UNIT_BYTES);
}

#[test]
fn a_projection_is_opened_where_it_lies() {
    let file = write_projected(2_000, WriteOptions::hot());
    let (segment, asked) = open(&file);
    assert!(segment.embedded().count() > 0 && asked.has(0) && asked.has(file.len() - 1));
}
