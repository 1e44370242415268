//! Sample segments, and reading any view back into plain values.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use henge_segment::{
    ColumnData, ColumnView, IndexPolicy, MappedSegment, MultiScratch, ProjectionFile,
    SegmentSummary, SegmentView, SegmentWriter, StringTable, WriteOptions, add_projections,
};
use henge_types::{
    ColumnRole, ColumnSchema, ColumnType, Granularity, Interval, ProjectionAggregator,
    ProjectionColumn, ProjectionDefinition, SegmentId, SegmentSchema, Value, ValueType, Version,
};

pub const START_MS: i64 = 1_442_016_000_000;
pub const DAY_MS: i64 = 86_400_000;

pub fn segment_id() -> SegmentId {
    let interval = Interval::new(START_MS, START_MS + DAY_MS).unwrap();
    SegmentId::new("wiki", interval, Version(7), 2)
}

pub fn column(name: &str, column_type: ColumnType, role: ColumnRole) -> ColumnSchema {
    let has_nulls = true;
    ColumnSchema { name: name.into(), column_type, role, multi_value: false, has_nulls }
}

pub fn schema(columns: Vec<ColumnSchema>) -> SegmentSchema {
    let mut all = vec![column("__time", ColumnType::Long, ColumnRole::Time)];
    all.extend(columns);
    SegmentSchema {
        columns: all,
        metrics: Vec::new(),
        rollup: false,
        query_granularity: Granularity::None,
    }
}

/// A pseudo-random number of a row, the same on every machine.
pub fn mix(row: usize) -> u64 {
    let mut x = (row as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Null masks from a predicate.
pub fn mask(rows: usize, is_null: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut words = vec![0_u64; rows.div_ceil(64)];
    (0..rows).filter(|row| is_null(*row)).for_each(|row| words[row / 64] |= 1 << (row % 64));
    words
}

/// Ids and dictionary of optional strings.
pub fn strings<'a>(
    values: impl Iterator<Item = Option<&'a str>> + Clone,
) -> (StringTable, Vec<u32>) {
    let sorted: BTreeMap<&str, u32> = values.clone().flatten().map(|v| (v, 0)).collect();
    let table: StringTable = sorted.keys().copied().collect();
    let ids: BTreeMap<&str, u32> =
        sorted.keys().enumerate().map(|(at, value)| (*value, at as u32 + 1)).collect();
    (table, values.map(|value| value.map_or(0, |value| ids[value])).collect())
}

/// Columns of every type and encoding; `LONG` and others by name.
pub fn rich_schema() -> SegmentSchema {
    use ColumnRole::{Dimension, Metric};
    let mut tags = column("tags", ColumnType::String, Dimension);
    tags.multi_value = true;
    schema(vec![
        column("page", ColumnType::String, Dimension),
        column("country", ColumnType::String, Dimension),
        column("late", ColumnType::String, Dimension),
        column("hue", ColumnType::String, Dimension),
        column("empty", ColumnType::String, Dimension),
        column("run", ColumnType::String, Dimension),
        tags,
        column("user", ColumnType::Long, Dimension),
        column("added", ColumnType::Long, Metric),
        column("wide", ColumnType::Long, Metric),
        column("step", ColumnType::Long, Metric),
        column("one", ColumnType::Long, Metric),
        column("price", ColumnType::Double, Metric),
        column("noise", ColumnType::Double, Metric),
        column("level", ColumnType::Float, Metric),
        column("none", ColumnType::Double, Metric),
        column("sketch", ColumnType::Complex("opaque".into()), Metric),
    ])
}

/// Writes `rows` rows of [`rich_schema`].
pub fn write_rich(rows: usize, options: WriteOptions) -> (Vec<u8>, SegmentSummary) {
    let options = WriteOptions { index: IndexPolicy::Always, ..options };
    let mut writer =
        SegmentWriter::new(Vec::new(), segment_id(), rich_schema(), rows, options).unwrap();
    let longs = |f: &dyn Fn(usize) -> i64| (0..rows).map(f).collect::<Vec<i64>>();
    let step = DAY_MS / (rows.max(1) as i64 * 2);
    let times = longs(&|row| START_MS + row as i64 * step.max(1));
    writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    let pages: Vec<String> = (0..rows)
        .map(|row| format!("Page/{}/{}", mix(row) % 50, mix(row) % (rows as u64 / 2 + 1)))
        .collect();
    let countries = ["Île", "Austria", "Österreich", "", "日本"];
    for (name, values) in [
        ("page", (0..rows).map(|row| Some(pages[row].as_str())).collect::<Vec<_>>()),
        ("country", (0..rows).map(|row| countries.get(mix(row) as usize % 6).copied()).collect()),
        ("empty", vec![None; rows]),
        ("run", (0..rows).map(|row| countries.get(row / 500 % 6).copied()).collect()),
    ] {
        let (dictionary, ids) = strings(values.iter().copied());
        let data =
            ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: name != "run" };
        writer.write_column(name, data).unwrap();
    }
    write_late(&mut writer, rows);
    write_tags(&mut writer, rows);
    let users = longs(&|row| (mix(row) % 900) as i64 * 1000 - 5);
    let nulls = mask(rows, |row| row % 10 == 3);
    writer.write_column("user", ColumnData::Long { values: &users, nulls: Some(&nulls) }).unwrap();
    for (name, values) in [
        ("added", longs(&|row| (mix(row) % 300) as i64 - 100)),
        ("wide", longs(&|row| mix(row) as i64)),
        ("step", longs(&|row| row as i64 / 700 * 1_000_003)),
        ("one", longs(&|_| 1)),
    ] {
        writer.write_column(name, ColumnData::Long { values: &values, nulls: None }).unwrap();
    }
    write_floats(&mut writer, rows);
    let mut sketches = (0..rows)
        .map(|row| Ok((row % 5 != 1).then(|| Cow::Owned(vec![row as u8; mix(row) as usize % 40]))));
    writer.write_column("sketch", ColumnData::Complex { rows: &mut sketches }).unwrap();
    let (summary, bytes) = writer.finish_into().unwrap();
    (bytes, summary)
}

/// Ids of a narrow range far from the first, and ids that fill bytes.
fn write_late(writer: &mut SegmentWriter<Vec<u8>>, rows: usize) {
    let texts: Vec<String> = (0..255).map(|value| format!("late {value:03}")).collect();
    let dictionary: StringTable = texts.iter().map(String::as_str).collect();
    for (name, first, range) in [("late", 150, 20), ("hue", 1, 255)] {
        let ids: Vec<u32> = (0..rows).map(|row| first + mix(row) as u32 % range).collect();
        let data = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
        writer.write_column(name, data).unwrap();
    }
}

fn write_tags(writer: &mut SegmentWriter<Vec<u8>>, rows: usize) {
    let dictionary: StringTable = ["a", "b", "c", "d", "e"].into_iter().collect();
    let mut offsets = vec![0_u32];
    let mut ids = Vec::new();
    for row in 0..rows {
        ids.extend((0..row % 4).map(|at| (mix(row) >> (8 * at)) as u32 % 6));
        offsets.push(ids.len() as u32);
    }
    let data = ColumnData::MultiString {
        dictionary: &dictionary,
        offsets: &offsets,
        ids: &ids,
        bitmaps: true,
    };
    writer.write_column("tags", data).unwrap();
}

fn write_floats(writer: &mut SegmentWriter<Vec<u8>>, rows: usize) {
    let nulls = mask(rows, |row| mix(row).is_multiple_of(7));
    let prices: Vec<f64> = (0..rows)
        .map(|row| match mix(row) % 100 {
            0 => f64::NAN,
            1 => 1.0 / 3.0,
            other => other as f64 / 100.0 - 0.4,
        })
        .collect();
    let noise: Vec<f64> =
        (0..rows).map(|row| f64::from_bits(mix(row) & !(0x7ff << 52) | 0x3fe << 52)).collect();
    let levels: Vec<f32> = (0..rows).map(|row| (row / 300) as f32 / 3.0).collect();
    let price = ColumnData::Double { values: &prices, nulls: Some(&nulls) };
    writer.write_column("price", price).unwrap();
    writer.write_column("noise", ColumnData::Double { values: &noise, nulls: None }).unwrap();
    writer.write_column("level", ColumnData::Float { values: &levels, nulls: None }).unwrap();
    let all = mask(rows, |_| true);
    let none = ColumnData::Double { values: &noise, nulls: Some(&all) };
    writer.write_column("none", none).unwrap();
}

/// Rows of [`write_layouts`] of which an index pays.
pub const INDEXED_ROWS: usize = 72_000;

/// Skewed values, for which the compact form has layouts of its own: few high bits, and bytes that are
/// alike each at its place.
pub fn write_layouts(rows: usize, options: WriteOptions) -> Vec<u8> {
    use ColumnRole::{Dimension, Metric};
    let schema = schema(vec![
        column("term", ColumnType::String, Dimension),
        column("host", ColumnType::String, Dimension),
        column("millis", ColumnType::Long, Metric),
        column("cents", ColumnType::Long, Metric),
        column("price", ColumnType::Double, Metric),
    ]);
    // Squares and cubes: small ones are much more frequent.
    let skewed = |row: usize, most: u64, power: u32| {
        let share = (mix(row) >> 40) as f64 / f64::from(1 << 24);
        (share.powi(power as i32) * most as f64) as i64
    };
    let longs = |f: &dyn Fn(usize) -> i64| (0..rows).map(f).collect::<Vec<i64>>();
    let mut writer = SegmentWriter::new(Vec::new(), segment_id(), schema, rows, options).unwrap();
    let times = longs(&|row| START_MS + row as i64);
    writer.write_column("__time", ColumnData::Long { values: &times, nulls: None }).unwrap();
    let terms: Vec<String> = (0..2_000).map(|value| format!("term {value:04}")).collect();
    let dictionary: StringTable = terms.iter().map(String::as_str).collect();
    let ids: Vec<u32> = (0..rows).map(|row| skewed(row, 2_000, 6) as u32 + 1).collect();
    let terms = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: false };
    writer.write_column("term", terms).unwrap();
    // Of rows enough, an index pays.
    let ids: Vec<u32> = (0..rows).map(|row| mix(row) as u32 % 300 + 1).collect();
    let hosts = ColumnData::String { dictionary: &dictionary, ids: &ids, bitmaps: true };
    writer.write_column("host", hosts).unwrap();
    let millis = longs(&|row| skewed(row, 4_000, 5));
    let cents = longs(&|row| skewed(row, 90, 1) << 16 | skewed(row + 1, 200, 4) << 8 | 7);
    for (name, values) in [("millis", &millis), ("cents", &cents)] {
        writer.write_column(name, ColumnData::Long { values, nulls: None }).unwrap();
    }
    let prices: Vec<f64> = (0..rows).map(|row| skewed(row, 30_000, 5) as f64 / 100.0).collect();
    writer.write_column("price", ColumnData::Double { values: &prices, nulls: None }).unwrap();
    writer.finish_into().unwrap().1
}

/// A definition; what the rows hold does not matter to the format.
pub fn definition(name: &str) -> ProjectionDefinition {
    ProjectionDefinition {
        name: name.into(),
        filters: vec![r#"{"type":"true"}"#.into()],
        virtual_columns: Vec::new(),
        granularity: Granularity::parse_name("hour").unwrap(),
        time_position: 0,
        grouping_columns: vec![ProjectionColumn {
            name: "page".into(),
            column_type: Some(ValueType::String),
        }],
        aggregators: vec![ProjectionAggregator {
            name: "added".into(),
            spec: r#"{"type":"longSum","name":"added","fieldName":"added"}"#.into(),
            key: "added".into(),
        }],
    }
}

/// [`write_rich`], with two projections.
pub fn write_projected(rows: usize, options: WriteOptions) -> Vec<u8> {
    let projections = [("hourly", rows / 4 + 1), ("daily", 3)].map(|(name, rows)| ProjectionFile {
        definition: definition(name),
        bytes: write_rich(rows, options).0,
    });
    let mut file = Vec::new();
    add_projections(&write_rich(rows, options).0, &projections, &mut file).unwrap();
    file
}

pub fn open(bytes: Vec<u8>) -> henge_segment::Result<MappedSegment> {
    MappedSegment::open(Arc::new(bytes))
}

/// One column of a view as values.
pub fn read_column(view: &dyn SegmentView, name: &str) -> henge_segment::Result<Vec<Value>> {
    let mut values = Vec::new();
    let Some(column) = view.column(name)? else { return Ok(values) };
    let (mut longs, mut floats, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ids, mut lists) = (Vec::new(), MultiScratch::default());
    for block in 0..view.block_count() {
        for_block(
            view,
            block,
            column,
            &mut Scratch {
                longs: &mut longs,
                floats: &mut floats,
                doubles: &mut doubles,
                ids: &mut ids,
                lists: &mut lists,
            },
            &mut values,
        )?;
    }
    Ok(values)
}

struct Scratch<'a> {
    longs: &'a mut Vec<i64>,
    floats: &'a mut Vec<f32>,
    doubles: &'a mut Vec<f64>,
    ids: &'a mut Vec<u32>,
    lists: &'a mut MultiScratch,
}

fn for_block(
    view: &dyn SegmentView,
    block: usize,
    column: ColumnView<'_>,
    scratch: &mut Scratch<'_>,
    values: &mut Vec<Value>,
) -> henge_segment::Result<()> {
    let rows = view.block_rows(block);
    macro_rules! numbers {
        ($column:expr, $scratch:expr, $variant:path) => {{
            let decoded = $column.block(block, $scratch)?;
            values.extend((0..rows).map(|row| match decoded.nulls {
                Some(mask) if mask.is_null(row) => Value::Null,
                _ => $variant(decoded.values.get(row)),
            }));
        }};
    }
    match column {
        ColumnView::Long(column) => numbers!(column, scratch.longs, Value::Long),
        ColumnView::Float(column) => numbers!(column, scratch.floats, Value::Float),
        ColumnView::Double(column) => numbers!(column, scratch.doubles, Value::Double),
        ColumnView::Complex(column) => {
            for row in 0..rows {
                let value = column.get(block * henge_segment::BLOCK_ROWS + row)?;
                values.push(value.map_or(Value::Null, |bytes| Value::Complex(bytes.into_owned())));
            }
        }
        ColumnView::String(column) => {
            let mut texts: Vec<Option<String>> = Vec::new();
            let dictionary = column.dictionary();
            dictionary
                .for_each(0..dictionary.len(), &mut |_, v| texts.push(v.map(str::to_owned)))?;
            if column.is_multi_value() {
                let decoded = column.multi_block(block, scratch.lists)?;
                values.extend((0..rows).map(|row| match decoded.row(row) {
                    [] => Value::Null,
                    ids => Value::Multi(ids.iter().map(|id| texts[*id as usize].clone()).collect()),
                }));
            } else {
                let decoded = column.id_block(block, scratch.ids)?;
                values.extend((0..rows).map(|row| match &texts[decoded.get(row) as usize] {
                    None => Value::Null,
                    Some(text) => Value::String(text.clone()),
                }));
            }
        }
    }
    Ok(())
}

/// All columns as text that compares bit by bit (a NaN equals itself).
pub fn read_all(view: &dyn SegmentView) -> henge_segment::Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for column in &view.schema().columns {
        let values = read_column(view, &column.name)?;
        all.insert(column.name.clone(), values.iter().map(|v| format!("{v:?}")).collect());
    }
    Ok(all)
}
