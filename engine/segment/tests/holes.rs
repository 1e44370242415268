//! A segment of which nothing is here answers as the whole one, and of what is fetched hardly anything is in
//! vain.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use common::{read_all, read_column, write_layouts, write_projected, write_rich};
use henge_segment::{
    ColumnView, FetchBytes, MappedSegment, Result, SegmentError, SegmentView, WriteOptions,
};
use henge_types::ErrorClass;

/// A file in deep storage, and what of it is here.
#[derive(Debug)]
struct Far {
    whole: Vec<u8>,
    /// Made anew by what is kept: readers may hold what was here before.
    here: RwLock<&'static [u8]>,
    fetched: Mutex<Vec<Range<u64>>>,
    is_away: AtomicBool,
    is_damaged: AtomicBool,
}

/// The file as it is mapped.
struct Mapped(Arc<Far>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        *self.0.here.read().unwrap()
    }
}

impl FetchBytes for Far {
    fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>> {
        if self.is_away.load(Ordering::Relaxed) {
            let reason = "it is away".to_owned();
            return Err(SegmentError::Fetch { reason, class: ErrorClass::Unavailable });
        }
        self.fetched.lock().unwrap().extend_from_slice(ranges);
        let bytes = |range: &Range<u64>| {
            let mut bytes = self.whole[range.start as usize..range.end as usize].to_vec();
            if self.is_damaged.load(Ordering::Relaxed) {
                bytes[0] ^= 1;
            }
            bytes
        };
        Ok(ranges.iter().map(bytes).collect())
    }

    fn keep(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut here = self.here.write().unwrap();
        let mut changed = here.to_vec();
        changed[offset as usize..offset as usize + bytes.len()].copy_from_slice(bytes);
        *here = changed.leak();
        Ok(())
    }
}

impl Far {
    fn new(whole: Vec<u8>) -> Arc<Self> {
        let here: &'static [u8] = vec![0; whole.len()].leak();
        Arc::new(Self {
            whole,
            here: RwLock::new(here),
            fetched: Mutex::default(),
            is_away: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
        })
    }

    fn open(self: &Arc<Self>) -> Result<MappedSegment> {
        let fetch = Arc::clone(self);
        MappedSegment::open_with_holes(Arc::new(Mapped(Arc::clone(self))), fetch)
    }

    /// Bytes fetched since it was last asked.
    fn take_fetched(&self) -> u64 {
        self.fetched.lock().unwrap().drain(..).map(|range| range.end - range.start).sum()
    }

    fn requests(&self) -> usize {
        self.fetched.lock().unwrap().len()
    }
}

fn options() -> [WriteOptions; 2] {
    [WriteOptions::default(), WriteOptions::hot()]
}

/// Values, and the sizes of all bitmaps.
fn read_everything(view: &dyn SegmentView) -> (BTreeMap<String, Vec<String>>, Vec<u64>) {
    let mut bitmaps = Vec::new();
    for column in &view.schema().columns {
        if let Some(ColumnView::String(strings)) = view.column(&column.name).unwrap() {
            for id in 0..strings.dictionary().len() {
                bitmaps.extend(strings.bitmap(id).unwrap().map(|bitmap| bitmap.len()));
            }
        }
    }
    (read_all(view).unwrap(), bitmaps)
}

#[test]
fn a_segment_that_is_far_away_reads_as_one_that_is_here() {
    for options in options() {
        for file in [
            write_rich(3_000, options).0,
            write_rich(0, options).0,
            write_layouts(70_000, options),
            write_projected(2_000, options),
        ] {
            let whole = common::open(file.clone()).unwrap();
            let far = Far::new(file.clone());
            let segment = far.open().unwrap();
            assert_eq!(segment.inspect().unwrap(), whole.inspect().unwrap());
            assert_eq!(read_everything(&segment), read_everything(&whole));
            for (there, here) in segment.projections().iter().zip(whole.projections()) {
                assert_eq!(read_everything(there.view()), read_everything(here.view()));
            }
            assert_eq!(segment.verify().unwrap(), whole.verify().unwrap());
            let fetched = far.take_fetched();
            assert!(fetched <= file.len() as u64 * 5 / 4, "{fetched} of {}", file.len());
            // What is here is not fetched again, by whoever opens it next either.
            read_everything(&far.open().unwrap());
            assert_eq!(far.take_fetched(), 0);
        }
    }
}

#[test]
fn of_what_is_fetched_a_fifth_at_most_is_in_vain() {
    const ROWS: usize = 800_000;
    for options in options() {
        let far = Far::new(write_layouts(ROWS, options));
        let report = far.open().unwrap().inspect().unwrap();
        far.take_fetched();
        for column in &report.columns {
            let segment = far.open().unwrap();
            assert_eq!(far.take_fetched(), 0);
            read_column(&segment, &column.name).unwrap();
            let requests = far.requests();
            let (fetched, needed) = (
                far.take_fetched(),
                column.data_bytes + column.null_bytes + column.dictionary_bytes,
            );
            assert!(fetched <= needed * 6 / 5, "{}: {fetched} for {needed}", column.name);
            // A reader that goes on is gone ahead of.
            let blocks = ROWS.div_ceil(65_536);
            assert!(requests < blocks + 3, "{}: {requests} requests", column.name);
        }
    }
}

#[test]
fn f_46_what_arrives_damaged_is_not_kept() {
    let far = Far::new(write_rich(3_000, WriteOptions::default()).0);
    let segment = far.open().unwrap();
    let before = *far.here.read().unwrap();
    far.is_damaged.store(true, Ordering::Relaxed);
    let error = read_all(&segment).unwrap_err();
    assert_eq!(segment.locate(error).class(), ErrorClass::Corrupt);
    assert_eq!(before, *far.here.read().unwrap());
    far.is_damaged.store(false, Ordering::Relaxed);
    let whole = common::open(far.whole.clone()).unwrap();
    assert_eq!(read_all(&segment).unwrap(), read_all(&whole).unwrap());
    // What rots here is fetched again.
    let rotten: Vec<u8> = far.here.read().unwrap().iter().map(|byte| byte ^ 1).collect();
    *far.here.write().unwrap() = rotten.leak();
    assert_eq!(read_all(&far.open().unwrap()).unwrap(), read_all(&whole).unwrap());
}

#[test]
fn f_41_while_deep_storage_is_away_what_is_here_is_read() {
    let far = Far::new(write_rich(3_000, WriteOptions::default()).0);
    far.is_away.store(true, Ordering::Relaxed);
    assert_eq!(far.open().unwrap_err().class(), ErrorClass::Unavailable);
    far.is_away.store(false, Ordering::Relaxed);
    let segment = far.open().unwrap();
    let page = read_column(&segment, "page").unwrap();
    far.is_away.store(true, Ordering::Relaxed);
    assert_eq!(read_column(&far.open().unwrap(), "page").unwrap(), page);
    assert_eq!(read_column(&segment, "country").unwrap_err().class(), ErrorClass::Unavailable);
}
