//! Decoding: the kernel of every encoding over one block, and columns of mapped segments by codec.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up should stop")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, BenchmarkId, Throughput};
use henge_benches::cpu_time::CpuTime;
use henge_benches::harness::{self, Runner};
use henge_benches::page_views::{Columns, PageViews, Texts};
use henge_benches::shapes::{FloatShape, IdShape, IntegerShape};
use henge_segment::encoding::{Candidate, Encoding, float, ids, integer};
use henge_segment::{
    BLOCK_ROWS, BlockCodec, ColumnView, IdBlock, MappedSegment, NumericColumn, NumericValues,
    Result, SegmentView, WriteOptions,
};

const CODEC_ROWS: usize = 4 * BLOCK_ROWS;

fn main() {
    harness::run_benchmarks(|runner| {
        let mut seen = BTreeSet::new();
        integers(runner, &mut seen);
        floats(runner, &mut seen);
        dictionary_ids(runner, &mut seen);
        let missing: Vec<_> = henge_segment::encoding::ALL_ENCODINGS
            .iter()
            // A constant block has no bytes to decode.
            .filter(|encoding| **encoding != Encoding::Constant && !seen.contains(*encoding))
            .collect();
        assert!(missing.is_empty(), "no shape of values leads to {missing:?}");
        columns(runner);
    });
}

fn integers(runner: &mut Runner, seen: &mut BTreeSet<Encoding>) {
    let mut group = runner.benchmark_group("decode/integers");
    for shape in IntegerShape::ALL {
        let values = shape.values();
        let candidates = integer::candidates(&values, true);
        seen.extend(candidates.iter().map(|candidate| candidate.encoding));
        kernels(&mut group, shape.name(), &values, &candidates, integer::decode);
    }
    group.finish();
}

fn floats(runner: &mut Runner, seen: &mut BTreeSet<Encoding>) {
    let mut group = runner.benchmark_group("decode/doubles");
    for shape in FloatShape::ALL {
        let values = shape.values();
        let candidates = float::candidates(&values, true);
        seen.extend(candidates.iter().map(|candidate| candidate.encoding));
        kernels(&mut group, shape.name(), &values, &candidates, float::decode::<f64>);
    }
    group.finish();
}

fn dictionary_ids(runner: &mut Runner, seen: &mut BTreeSet<Encoding>) {
    let mut group = runner.benchmark_group("decode/ids");
    for shape in IdShape::ALL {
        let values = shape.values();
        let candidates = ids::candidates(&values, true);
        seen.extend(candidates.iter().map(|candidate| candidate.encoding));
        kernels(&mut group, shape.name(), &values, &candidates, ids::decode);
    }
    group.finish();
}

/// One benchmark a candidate; those of one encoding differ in size, so the size is in the name.
/// Where even that is equal, the second is the one of whole bytes.
fn kernels<T: Copy + Default + PartialEq + std::fmt::Debug>(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    shape: &str,
    values: &[T],
    candidates: &[Candidate],
    decode: impl Fn(Encoding, &[u8], &mut [T]) -> Result<()>,
) {
    group.throughput(Throughput::ElementsAndBytes {
        elements: values.len() as u64,
        bytes: size_of_val(values) as u64,
    });
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    let mut out = vec![T::default(); values.len()];
    let mut names = BTreeSet::new();
    for Candidate { encoding, raw, .. } in candidates {
        decode(*encoding, raw, &mut out).unwrap();
        assert_eq!(out, values);
        let bits_a_row = raw.len() as f64 * 8.0 / values.len() as f64;
        let mut name = format!("{}_{bits_a_row:.1}_bits", encoding.name());
        if !names.insert(name.clone()) {
            name.push_str("_aligned");
        }
        group.bench_function(BenchmarkId::new(shape, name), |bencher| {
            bencher.iter(|| decode(*encoding, black_box(raw), &mut out).unwrap());
        });
    }
}

/// Columns of the page views through the mapped segment: codec, decoder, and a sum over the values,
/// so that what is read in place is read at all.
fn columns(runner: &mut Runner) {
    let texts = Texts::new();
    let columns: Columns = PageViews::standard().take(CODEC_ROWS).collect();
    let reference = columns.segment(&texts, WriteOptions::hot()).unwrap();
    let compact = WriteOptions::default();
    for (form, options) in [
        ("hot", WriteOptions::hot()),
        ("none", WriteOptions { codec: BlockCodec::None, ..compact }),
        ("lz4", WriteOptions { codec: BlockCodec::Lz4, ..compact }),
        ("snappy", WriteOptions { codec: BlockCodec::Snappy, ..compact }),
        ("zstd", compact),
    ] {
        let segment = columns.segment(&texts, options).unwrap();
        let mut group = runner.benchmark_group(format!("decode/column/{form}"));
        for (name, value_bytes) in [
            ("__time", 8),
            ("bytes", 8),
            ("revenue", 8),
            ("country", 4),
            ("uri", 4),
            ("visitor_id", 4),
        ] {
            assert_eq!(column_sum(&segment, name), column_sum(&reference, name));
            let bytes_a_row = harness::stored_bytes(&segment, name) as f64 / CODEC_ROWS as f64;
            harness::note(&format!("decode/column/{form}/{name}: {bytes_a_row:.2} bytes a row"));
            group.throughput(Throughput::ElementsAndBytes {
                elements: CODEC_ROWS as u64,
                bytes: (CODEC_ROWS * value_bytes) as u64,
            });
            group.bench_function(name, |bencher| bencher.iter(|| column_sum(&segment, name)));
        }
        group.finish();
    }
}

/// The sum of a column's values, or of their bits.
fn column_sum(segment: &MappedSegment, name: &str) -> u64 {
    match segment.column(name).unwrap().unwrap() {
        ColumnView::Long(column) => number_sum(segment, column, |value| value as u64),
        ColumnView::Double(column) => number_sum(segment, column, f64::to_bits),
        ColumnView::String(column) => {
            let mut scratch = Vec::new();
            (0..segment.block_count())
                .map(|block| match column.id_block(block, &mut scratch).unwrap() {
                    IdBlock::Constant(id) => u64::from(id) * segment.block_rows(block) as u64,
                    IdBlock::U8(ids) => ids.iter().map(|id| u64::from(*id)).sum(),
                    IdBlock::U16(ids) => ids.iter().map(|id| u64::from(*id)).sum(),
                    IdBlock::U32(ids) => ids.iter().map(|id| u64::from(*id)).sum(),
                })
                .sum()
        }
        other => panic!("{name} is {other:?}"),
    }
}

fn number_sum<T: Copy>(
    segment: &MappedSegment,
    column: &dyn NumericColumn<T>,
    bits: impl Fn(T) -> u64,
) -> u64 {
    let mut scratch = Vec::new();
    let block_sum = |block| match column.block(block, &mut scratch).unwrap().values {
        NumericValues::Constant(value) => {
            bits(value).wrapping_mul(segment.block_rows(block) as u64)
        }
        NumericValues::Slice(values) => {
            values.iter().fold(0_u64, |sum, value| sum.wrapping_add(bits(*value)))
        }
    };
    (0..segment.block_count()).map(block_sum).fold(0, u64::wrapping_add)
}
