//! Writes a segment from raw column files, timing each column, and prints its parts.
//!
//! `cargo run --release -p henge-segment --example write_columns -- DIR [zstd1|zstd3|lz4|none|hot] [OUT]`
//!
//! DIR holds `manifest` (the number of rows, then a line `name type` a column, type `long`, `double`
//! or `string`) and a file `name.bin` a column: little-endian values, or lines of text, `\N` for null.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use henge_segment::{
    BlockCodec, ColumnData, ColumnReport, MappedSegment, SegmentWriter, StringTable, WriteOptions,
};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, SegmentId, SegmentSchema,
    TIME_COLUMN, Version,
};

enum Column {
    Long(Vec<i64>),
    Double(Vec<f64>),
    String(StringTable, Vec<u32>),
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = Path::new(&arguments[0]);
    let goal = arguments.get(1).map_or("zstd1", String::as_str);
    let manifest = std::fs::read_to_string(directory.join("manifest")).unwrap();
    let mut lines = manifest.lines();
    let rows: usize = lines.next().unwrap().parse().unwrap();
    let named: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let interval = Interval { start_ms: 0, end_ms: 4_000_000_000_000 };
    let id = SegmentId::new("t", interval, Version(1), 0);
    let mut writer =
        SegmentWriter::new(Vec::new(), id, schema(&named), rows, options(goal)).unwrap();
    let mut seconds = 0.0;
    for (name, kind) in named {
        let column = load(&directory.join(format!("{name}.bin")), kind);
        let start = running_seconds();
        writer.write_column(name, data(&column)).unwrap();
        let taken = running_seconds() - start;
        seconds += taken;
        println!("{name:20} {:8.1} ns/row", taken * 1e9 / rows as f64);
    }
    let (_, bytes) = writer.finish_into().unwrap();
    println!("{rows} rows, {:.0} k rows/s, {} bytes", rows as f64 / seconds / 1e3, bytes.len());
    if let Some(path) = arguments.get(2) {
        std::fs::write(path, &bytes).unwrap();
    }
    report(&MappedSegment::open(Arc::new(bytes)).unwrap(), rows);
}

/// Time this thread has run for: a loaded machine does not distort it.
fn running_seconds() -> f64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn options(goal: &str) -> WriteOptions {
    let compact = WriteOptions::default();
    match goal {
        "hot" => WriteOptions::hot(),
        "none" => WriteOptions { codec: BlockCodec::None, ..compact },
        "lz4" => WriteOptions { codec: BlockCodec::Lz4, ..compact },
        zstd => {
            WriteOptions { zstd_level: zstd.trim_start_matches("zstd").parse().unwrap(), ..compact }
        }
    }
}

fn schema(named: &[(&str, &str)]) -> SegmentSchema {
    let columns = named.iter().map(|(name, kind)| ColumnSchema {
        name: (*name).to_owned(),
        column_type: match *kind {
            "long" => ColumnType::Long,
            "double" => ColumnType::Double,
            _ => ColumnType::String,
        },
        role: if *name == TIME_COLUMN { ColumnRole::Time } else { ColumnRole::Dimension },
        multi_value: false,
        has_nulls: false,
    });
    SegmentSchema {
        columns: columns.collect(),
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    }
}

fn load(path: &Path, kind: &str) -> Column {
    let bytes = std::fs::read(path).unwrap();
    let words = || bytes.as_chunks::<8>().0.iter();
    match kind {
        "long" => Column::Long(words().map(|word| i64::from_le_bytes(*word)).collect()),
        "double" => Column::Double(words().map(|word| f64::from_le_bytes(*word)).collect()),
        _ => {
            let text = String::from_utf8(bytes).unwrap();
            let mut known: HashMap<&str, u32> = HashMap::new();
            let mut values: Vec<&str> = Vec::new();
            let found = text.lines().map(|line| match line {
                "\\N" => 0,
                line => *known.entry(line).or_insert_with(|| {
                    values.push(line);
                    values.len() as u32
                }),
            });
            let found: Vec<u32> = found.collect();
            let start = running_seconds();
            let (table, ids) = values.into_iter().collect::<StringTable>().sorted().unwrap();
            println!("{:8.1} ms to sort {} values", (running_seconds() - start) * 1e3, table.len());
            let id = |number: &u32| number.checked_sub(1).map_or(0, |at| ids[at as usize]);
            Column::String(table, found.iter().map(id).collect())
        }
    }
}

fn data(column: &Column) -> ColumnData<'_> {
    match column {
        Column::Long(values) => ColumnData::Long { values, nulls: None },
        Column::Double(values) => ColumnData::Double { values, nulls: None },
        Column::String(dictionary, ids) => ColumnData::String { dictionary, ids, bitmaps: true },
    }
}

fn report(segment: &MappedSegment, rows: usize) {
    let each = |bytes: u64| bytes as f64 / rows as f64;
    println!(
        "{:20} {:>9} {:>7} {:>7} {:>7} {:>7}",
        "column", "distinct", "data", "dict", "bitmap", "total"
    );
    let mut sums = [0.0; 3];
    for column in segment.inspect().unwrap().columns {
        let ColumnReport { name, encodings, .. } = &column;
        let parts = [
            each(column.data_bytes + column.null_bytes),
            each(column.dictionary_bytes),
            each(column.bitmap_bytes),
        ];
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        let [values, dictionary, bitmaps] = parts;
        println!(
            "{name:20} {:>9} {values:7.3} {dictionary:7.3} {bitmaps:7.3} {:7.3} {encodings:?} {:?}",
            column.cardinality.unwrap_or(0),
            values + dictionary + bitmaps,
            column.codecs,
        );
    }
    println!(
        "{:20} {:9} {:7.3} {:7.3} {:7.3} {:7.3}",
        "sum",
        "",
        sums[0],
        sums[1],
        sums[2],
        sums.iter().sum::<f64>()
    );
}
