//! Encoding: the candidates of one block, by the shape of its values, and whole segments, by what
//! they are written for.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::hint::black_box;

use criterion::Throughput;
use henge_benches::harness::{self, Runner};
use henge_benches::page_views::{Columns, PageViews, Texts};
use henge_benches::shapes::{FloatShape, IdShape, IntegerShape};
use henge_segment::encoding::{float, ids, integer};
use henge_segment::{BLOCK_ROWS, BlockCodec, MappedSegment, SegmentView, WriteOptions};

fn main() {
    harness::run_benchmarks(|runner| {
        integers(runner);
        floats(runner);
        dictionary_ids(runner);
        segments(runner);
    });
}

fn throughput(bytes_a_row: usize) -> Throughput {
    let bytes = (BLOCK_ROWS * bytes_a_row) as u64;
    Throughput::ElementsAndBytes { elements: BLOCK_ROWS as u64, bytes }
}

fn integers(runner: &mut Runner) {
    let mut group = runner.benchmark_group("encode/integers");
    group.throughput(throughput(size_of::<i64>()));
    for shape in IntegerShape::ALL {
        let values = shape.values();
        for candidate in integer::candidates(&values, true) {
            let mut decoded = vec![0; values.len()];
            integer::decode(candidate.encoding, &candidate.raw, &mut decoded).unwrap();
            assert_eq!(decoded, values);
        }
        group.bench_function(shape.name(), |bencher| {
            bencher.iter(|| integer::candidates(black_box(&values), true));
        });
    }
    group.finish();
}

fn floats(runner: &mut Runner) {
    let mut group = runner.benchmark_group("encode/doubles");
    group.throughput(throughput(size_of::<f64>()));
    for shape in FloatShape::ALL {
        let values = shape.values();
        for candidate in float::candidates(&values, true) {
            let mut decoded = vec![0.0; values.len()];
            float::decode(candidate.encoding, &candidate.raw, &mut decoded).unwrap();
            assert_eq!(decoded, values);
        }
        group.bench_function(shape.name(), |bencher| {
            bencher.iter(|| float::candidates(black_box(&values), true));
        });
    }
    group.finish();
}

fn dictionary_ids(runner: &mut Runner) {
    let mut group = runner.benchmark_group("encode/ids");
    group.throughput(throughput(size_of::<u32>()));
    for shape in IdShape::ALL {
        let values = shape.values();
        for candidate in ids::candidates(&values, true) {
            let mut decoded = vec![0; values.len()];
            ids::decode(candidate.encoding, &candidate.raw, &mut decoded).unwrap();
            assert_eq!(decoded, values);
        }
        group.bench_function(shape.name(), |bencher| {
            bencher.iter(|| ids::candidates(black_box(&values), true));
        });
    }
    group.finish();
}

/// Two blocks of all twelve columns, with dictionaries and bitmap indexes.
fn segments(runner: &mut Runner) {
    let texts = Texts::new();
    let columns: Columns = PageViews::standard().take(2 * BLOCK_ROWS).collect();
    let compact = WriteOptions::default();
    let mut group = runner.benchmark_group("encode/segment");
    group.throughput(Throughput::ElementsAndBytes {
        elements: columns.row_count() as u64,
        bytes: columns.value_bytes() as u64,
    });
    for (name, options) in [
        ("hot", WriteOptions::hot()),
        ("none", WriteOptions { codec: BlockCodec::None, ..compact }),
        ("lz4", WriteOptions { codec: BlockCodec::Lz4, ..compact }),
        ("snappy", WriteOptions { codec: BlockCodec::Snappy, ..compact }),
        ("zstd", compact),
    ] {
        let bytes = columns.write_segment(&texts, options).unwrap();
        let bytes_per_row = bytes.len() as f64 / columns.row_count() as f64;
        harness::note(&format!(
            "encode/segment/{name}: {bytes_per_row:.1} bytes a row, indexes included"
        ));
        let segment = MappedSegment::open(std::sync::Arc::new(bytes)).unwrap();
        segment.verify().unwrap();
        assert_eq!(segment.row_count(), columns.row_count());
        group.bench_function(name, |bencher| {
            bencher.iter(|| columns.write_segment(&texts, options).unwrap());
        });
    }
    group.finish();
}
