//! Turns a segment file into the hot form and times that, then sums a column in both ways.
//!
//! `cargo run --release -p henge-segment --example transcode -- FILE [OUT]`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;

use henge_segment::{
    BLOCK_ROWS, ColumnView, MappedSegment, NumericColumn, NumericValues, SegmentView, WriteOptions,
    transcode,
};

/// The thread's time is counted in ticks of 4 ms: one pass is too short.
const PASSES: usize = 30;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let file = std::fs::read(&arguments[0]).unwrap();
    let stored_bytes = file.len();
    let segment = MappedSegment::open(Arc::new(file)).unwrap();
    let rows = segment.row_count();
    let mut hot = Vec::new();
    let start = running_seconds();
    transcode(&segment, WriteOptions::hot(), &mut hot).unwrap();
    let seconds = running_seconds() - start;
    println!(
        "{rows} rows of {} columns: {:.2} M rows/s, {:.2} bytes a row become {:.2}",
        segment.schema().columns.len(),
        rows as f64 / seconds / 1e6,
        stored_bytes as f64 / rows as f64,
        hot.len() as f64 / rows as f64,
    );
    if let Some(path) = arguments.get(1) {
        std::fs::write(path, &hot).unwrap();
    }
    let hot = MappedSegment::open(Arc::new(hot)).unwrap();
    for report in hot.inspect().unwrap().columns {
        let bytes = report.data_bytes as f64 / rows as f64;
        println!("{:20} {:6.2} bytes a row {:?}", report.name, bytes, report.encodings);
        match hot.column(&report.name).unwrap().unwrap() {
            ColumnView::Long(column) => sum(&hot, column, |value| value as f64),
            ColumnView::Double(column) => sum(&hot, column, |value| value),
            _ => {}
        }
    }
}

/// The sum from packed blocks, from batches of rows, and from whole blocks.
fn sum<T: Copy>(segment: &MappedSegment, column: &dyn NumericColumn<T>, number: impl Fn(T) -> f64) {
    let rows = segment.row_count();
    let mut scratch = Vec::new();
    let mut add = |batch: usize| {
        let mut total = 0.0;
        for block in 0..segment.block_count() {
            let end = segment.block_rows(block);
            for start in (0..end).step_by(batch) {
                let part = start..(start + batch).min(end);
                let length = part.len();
                total += match column.rows(block, part, &mut scratch).unwrap().values {
                    NumericValues::Constant(value) => length as f64 * number(value),
                    NumericValues::Slice(values) => {
                        let mut lanes = [0.0; 16];
                        let (chunks, rest) = values.as_chunks::<16>();
                        for chunk in chunks {
                            lanes.iter_mut().zip(chunk).for_each(|(l, v)| *l += number(*v));
                        }
                        lanes.iter().sum::<f64>() + rest.iter().map(|v| number(*v)).sum::<f64>()
                    }
                };
            }
        }
        total
    };
    let fused = || {
        let block = |block| column.packed(block).unwrap();
        (0..segment.block_count())
            .map(|at| block(at).map_or(0.0, |b| b.ints.sum(0..b.ints.rows()) as f64 / b.divisor))
            .sum::<f64>()
    };
    let mut add = |batch| (0..PASSES).fold(0.0, |_, _| add(batch));
    let fused = || (0..PASSES).fold(0.0, |_, _| fused());
    let rate = |seconds: f64| (PASSES * rows) as f64 / seconds / 1e9;
    let start = running_seconds();
    let from_blocks = add(BLOCK_ROWS);
    let blocks = running_seconds();
    let from_batches = add(4096);
    let batches = running_seconds();
    let from_packed = fused();
    let end = running_seconds();
    println!(
        "{:20} sums {from_blocks:.2} {from_batches:.2} {from_packed:.2}: {:.2} G rows/s by blocks, \
         {:.2} by 4,096 rows, {:.2} packed",
        "",
        rate(blocks - start),
        rate(batches - blocks),
        rate(end - batches),
    );
}

/// Time this thread has run for: a loaded machine does not distort it.
fn running_seconds() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
