//! Corrupt-file sweep: damage of every kind in every region must be detected by opening, verifying
//! and reading everything, without a panic, or leave everything as it was.
//!
//! `SWEEP=full cargo test --release -p henge-segment --test sweep -- --nocapture` takes more and
//! smaller regions of larger files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{mix, open, read_all, write_layouts, write_projected, write_rich};
use henge_segment::{
    BlockCodec, ColumnView, MappedSegment, Result, SegmentError, SegmentView, WriteOptions,
};

type Everything = (BTreeMap<String, Vec<String>>, Vec<u64>);

/// Everything a reader can see: values, and the sizes of all bitmaps.
fn read_everything(segment: &MappedSegment) -> Result<Everything> {
    let mut values = read_all(segment)?;
    for projection in segment.projections() {
        for (column, rows) in read_all(projection.view())? {
            values.insert(format!("{}/{column}", projection.definition.name), rows);
        }
        values.insert(
            projection.definition.name.clone(),
            vec![format!("{:?}", projection.definition)],
        );
    }
    let mut bitmaps = Vec::new();
    for column in &segment.schema().columns {
        if let Some(ColumnView::String(strings)) = segment.column(&column.name)? {
            for id in 0..strings.dictionary().len() {
                bitmaps.extend(strings.bitmap(id)?.map(|bitmap| bitmap.len()));
            }
        }
    }
    Ok((values, bitmaps))
}

#[derive(Debug, Default)]
struct Totals {
    mutations: usize,
    detected: usize,
    harmless: usize,
    silent: Vec<String>,
}

impl Totals {
    fn check(&mut self, what: &str, original: &[u8], damaged: Vec<u8>, expected: &Everything) {
        if damaged == original {
            return;
        }
        self.mutations += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<Everything> {
            let segment = MappedSegment::open(Arc::new(damaged))?;
            // Reading must hold without verification too: no panic, whatever it returns.
            if self.mutations.is_multiple_of(8) {
                let _ = read_everything(&segment);
            }
            segment.verify()?;
            read_everything(&segment)
        }));
        match outcome {
            Err(_) => self.silent.push(format!("{what}: panic")),
            Ok(Err(_)) => self.detected += 1,
            Ok(Ok(read)) if read == *expected => self.harmless += 1,
            Ok(Ok(_)) => self.silent.push(what.to_owned()),
        }
    }
}

/// Regions of about equal size, more of them at both ends, where the structure is dense.
fn regions(length: usize, count: usize) -> Vec<(usize, usize)> {
    let mut regions: Vec<(usize, usize)> = (0..24.min(length)).map(|at| (at, 1)).collect();
    regions.extend((length.saturating_sub(56)..length).map(|at| (at, 1)));
    regions.extend((0..count).map(|part| {
        let start = part * length / count;
        (start, (part + 1) * length / count - start)
    }));
    regions
}

fn sweep(bytes: &[u8], count: usize, totals: &mut Totals) {
    let expected = read_everything(&open(bytes.to_vec()).unwrap()).unwrap();
    let edit = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut damaged = bytes.to_vec();
        change(&mut damaged);
        damaged
    };
    for (number, (start, length)) in regions(bytes.len(), count).into_iter().enumerate() {
        let at = start + mix(number) as usize % length;
        let range = start..start + length;
        let random = mix(number + 1_000_000);
        let cases: [(&str, Vec<u8>); 6] = [
            ("flip", edit(&|b| b[at] ^= 1 << (random % 8))),
            ("zero", edit(&|b| b[range.clone()].fill(0))),
            ("ones", edit(&|b| b[range.clone()].fill(0xff))),
            (
                "random",
                edit(&|b| {
                    for (i, byte) in b[range.clone()].iter_mut().enumerate() {
                        *byte = mix(number * 7919 + i) as u8;
                    }
                }),
            ),
            ("truncate", edit(&|b| b.truncate(start))),
            ("remove", edit(&|b| drop(b.drain(range.clone())))),
        ];
        for (kind, damaged) in cases {
            totals.check(&format!("{kind} at {start}+{length}"), bytes, damaged, &expected);
        }
        swap(bytes, number, totals, &expected);
    }
    for extra in [1, 8, 56, 4096] {
        totals.check("extend by zeros", bytes, edit(&|b| b.resize(b.len() + extra, 0)), &expected);
        let tail = bytes[bytes.len().saturating_sub(extra)..].to_vec();
        totals.check("extend by its tail", bytes, edit(&|b| b.extend(&tail)), &expected);
    }
}

/// Swaps two blocks of 64 bytes, the alignment of pieces.
fn swap(bytes: &[u8], number: usize, totals: &mut Totals, expected: &Everything) {
    let blocks = bytes.len() / 64;
    let (a, b) = (mix(number) as usize % blocks, mix(number + 77) as usize % blocks);
    let mut damaged = bytes.to_vec();
    for i in 0..64 {
        damaged.swap(a * 64 + i, b * 64 + i);
    }
    totals.check(&format!("swap {a} and {b}"), bytes, damaged, expected);
}

#[test]
fn h_40_to_h_52_damage_is_detected() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut totals = Totals::default();
    let full = std::env::var_os("SWEEP").is_some();
    let (scale, count) = if full { (4, 400) } else { (1, 40) };
    for (rows, codec) in [
        (300 * scale, BlockCodec::None),
        (300 * scale, BlockCodec::Zstd),
        (200 * scale, BlockCodec::Lz4),
        (200 * scale, BlockCodec::Snappy),
        (5, BlockCodec::None),
    ] {
        let options = WriteOptions { codec, ..WriteOptions::default() };
        sweep(&write_rich(rows, options).0, count, &mut totals);
    }
    sweep(&write_layouts(6_000, WriteOptions::default()), count, &mut totals);
    sweep(&write_projected(40 * scale, WriteOptions::default()), count, &mut totals);
    let _ = std::panic::take_hook();
    println!(
        "sweep: {} mutations, {} detected, {} harmless, {} silent",
        totals.mutations,
        totals.detected,
        totals.harmless,
        totals.silent.len()
    );
    assert_eq!(totals.silent, Vec::<String>::new());
    assert!(totals.mutations > 3_000 && totals.harmless < 50, "{totals:?}");
}

#[test]
fn damage_that_a_reader_meets_is_located_as_verifying_does() {
    let (bytes, _) = write_rich(70_000, WriteOptions::default());
    let places: Vec<usize> = (0..bytes.len()).step_by(bytes.len() / 300).collect();
    // Each reads all there is: two threads, because it is the longest test.
    let located = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let (bytes, places) = (&bytes, places.iter().skip(half).step_by(2));
                scope.spawn(move || places.filter_map(|at| located(bytes, *at)).collect::<Vec<_>>())
            })
            .collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect::<BTreeSet<_>>()
    });
    let blocks = located.iter().filter(|(column, block)| column.is_some() && block.is_some());
    assert!(blocks.count() > 10, "{located:?}");
}

type Place = (Option<String>, Option<usize>);

/// The column and block that reading names when a byte is damaged, which verifying names too; `None`
/// when reading does not meet the damage.
fn located(bytes: &[u8], at: usize) -> Option<Place> {
    let mut damaged = bytes.to_vec();
    damaged[at] ^= 0x10;
    let segment = MappedSegment::open(Arc::new(damaged)).ok()?;
    let met = read_all(&segment).err()?;
    let (met, found) = (segment.locate(met), segment.verify().unwrap_err());
    let place = |error: &SegmentError| {
        let damage = error.damage().unwrap();
        (damage.column.clone(), damage.block)
    };
    assert_eq!(place(&met), place(&found), "byte {at}: {met}, {found}");
    Some(place(&met))
}
