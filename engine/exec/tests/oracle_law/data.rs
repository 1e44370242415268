//! Random rows over small alphabets, and their split into segments of either kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use henge_index::{DimensionSchema, IndexLimits, IndexSchema, MultiValueHandling, WriteIndex};
use henge_oracle::OracleRow;
use henge_segment::{MappedSegment, MergeOptions, SegmentView};
use henge_types::{
    ColumnType, Granularity, HllType, Interval, MetricKind, MetricSpec, NumericOp, OneOf,
    SegmentId, Value, ValueRef, ValueType, Version,
};
use proptest::prelude::*;
use proptest::sample::select;

/// The first moment that rows may have: 2024-03-09, the day before Los Angeles changes its clocks.
pub(crate) const START_MS: i64 = 1_709_942_400_000;
/// The span of the rows' times.
pub(crate) const SPAN_MS: i64 = 3 * 86_400_000;

/// How a segment is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// A snapshot of the write-optimised index.
    Index,
    /// Persisted and mapped.
    File,
}

/// Rows of one segment.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) rows: Vec<OracleRow>,
    pub(crate) storage: Storage,
    /// The dimensions that files are sorted by before the time.
    pub(crate) before_time: Vec<&'static str>,
}

/// One to four segments.
pub(crate) fn parts() -> impl Strategy<Value = Vec<Part>> {
    let storage = prop_oneof![Just(Storage::Index), Just(Storage::File)];
    let part = (prop::collection::vec(row(), 0..14), storage, before_time());
    let part = part.prop_map(|(rows, storage, before_time)| Part { rows, storage, before_time });
    prop::collection::vec(part, 1..=4)
}

/// Mostly some dimensions in any order.
fn before_time() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["s", "m", "l", "d"], 0..=4).prop_shuffle()
}

fn text() -> impl Strategy<Value = String> {
    select(vec!["", "a", "b", "B", "ab", "10", "9", "-3", "é", "1.5", "9007199254740993", "1e17"])
        .prop_map(str::to_owned)
}

fn row() -> impl Strategy<Value = OracleRow> {
    let single = prop_oneof![1 => Just(Value::Null), 4 => text().prop_map(Value::String)];
    let multi = prop_oneof![
        1 => Just(Value::Null),
        3 => text().prop_map(Value::String),
        3 => prop::collection::vec(prop::option::weighted(0.8, text()), 2..4).prop_map(Value::Multi),
    ];
    let mut longs = vec![-3, 0, 1, 2, 9, 10, 1_000_000_007, i64::MAX, i64::MIN];
    // Beyond 2^53 doubles skip integers.
    longs.extend([9_007_199_254_740_992, 9_007_199_254_740_993, 100_000_000_000_000_000]);
    let long = prop_oneof![1 => Just(Value::Null), 4 => select(longs).prop_map(Value::Long)];
    // Sums of eighths are exact in any order.
    let double = (-20_i32..20).prop_map(|n| Value::Double(f64::from(n) / 8.0));
    let special = select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let double = prop_oneof![
        2 => Just(Value::Null),
        1 => special.clone().prop_map(Value::Double),
        8 => double
    ];
    let small = prop_oneof![1 => Just(Value::Null), 4 => (-5_i64..50).prop_map(Value::Long)];
    let float = (-20_i16..20).prop_map(|n| Value::Float(f32::from(n) / 8.0));
    let float = prop_oneof![
        2 => Just(Value::Null),
        1 => special.clone().prop_map(|value| Value::Float(value as f32)),
        6 => float
    ];
    let measure = (-20_i32..20).prop_map(|n| Value::Double(f64::from(n) / 4.0));
    let measure = prop_oneof![
        2 => Just(Value::Null),
        1 => special.prop_map(Value::Double),
        8 => measure
    ];
    let sketched = prop_oneof![1 => Just(Value::Null), 4 => text().prop_map(Value::String)];
    let time = prop_oneof![
        3 => (0..SPAN_MS / 21_600_000).prop_map(|n| START_MS + n * 21_600_000),
        1 => (0..SPAN_MS).prop_map(|n| START_MS + n),
    ];
    let kept = (small.clone(), measure.clone(), sketched.clone());
    (time, single, multi, long, double, small, float, measure, (sketched, kept)).prop_map(
        |(time_ms, s, m, l, d, lm, fm, dm, (hm, (pl, pd, ps)))| {
            let named = [
                ("s", s),
                ("m", m),
                ("l", l),
                ("d", d),
                ("lm", lm),
                ("fm", fm),
                ("dm", dm),
                ("hm", hm),
                ("pl", pl),
                ("pd", pd),
                ("ps", ps),
            ];
            let values: BTreeMap<String, Value> =
                named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            OracleRow { time_ms, values }
        },
    )
}

fn schema(before_time: &[&str]) -> IndexSchema {
    let multi =
        DimensionSchema { multi_value: MultiValueHandling::Array, ..DimensionSchema::string("m") };
    let sum = |name: &str, column_type| MetricSpec {
        name: name.to_owned(),
        field: Some(name.to_owned()),
        kind: MetricKind::Numeric { op: NumericOp::Sum, column_type },
    };
    // Stored with their times: which one was asked for says nothing where rows do not roll up.
    let kept = |name: &str, value_type| MetricSpec {
        name: name.to_owned(),
        field: Some(name.to_owned()),
        kind: MetricKind::OneValue { which: OneOf::Last, value_type, max_string_bytes: 1_024 },
    };
    IndexSchema {
        dimensions: vec![
            DimensionSchema::string("s"),
            multi,
            DimensionSchema::new("l", ColumnType::Long),
            DimensionSchema::new("d", ColumnType::Double),
        ],
        metrics: vec![
            sum("lm", ValueType::Long),
            sum("fm", ValueType::Float),
            sum("dm", ValueType::Double),
            MetricSpec {
                name: "hm".to_owned(),
                field: Some("hm".to_owned()),
                kind: MetricKind::HllBuild { lg_k: 12, hll_type: HllType::Hll4 },
            },
            kept("pl", ValueType::Long),
            kept("pd", ValueType::Double),
            kept("ps", ValueType::String),
        ],
        before_time: before_time.iter().map(|name| (*name).to_owned()).collect(),
        query_granularity: Granularity::None,
        rollup: false,
    }
}

/// The segment of some rows.
pub(crate) fn view(part: &Part, number: usize) -> Box<dyn SegmentView> {
    match part.storage {
        Storage::Index => Box::new(Shared(snapshot(part, number))),
        Storage::File => Box::new(MappedSegment::open(Arc::new(file(part, number))).unwrap()),
    }
}

/// The segment file of some rows.
pub(crate) fn file(part: &Part, number: usize) -> Vec<u8> {
    let snapshot = snapshot(part, number);
    let mut bytes = Vec::new();
    let options = MergeOptions::new(snapshot.schema().clone());
    henge_segment::merge(&[&*snapshot], snapshot.id().clone(), &options, &mut bytes).unwrap();
    bytes
}

fn snapshot(part: &Part, number: usize) -> Arc<henge_index::IndexSnapshot> {
    let limits = IndexLimits { max_rows: 1_000_000, max_bytes: 1 << 30 };
    let mut index = WriteIndex::new(schema(&part.before_time), limits).unwrap();
    for row in &part.rows {
        let cells: Vec<Cell<'_>> = ["s", "m", "l", "d", "lm", "fm", "dm", "hm", "pl", "pd", "ps"]
            .iter()
            .map(|name| {
                row.values.get(*name).map_or(Cell::of(&henge_types::value::Value::Null), Cell::of)
            })
            .collect();
        let values: Vec<ValueRef<'_>> = cells.iter().map(Cell::value).collect();
        index.add(row.time_ms, &values).unwrap();
    }
    let interval = Interval { start_ms: START_MS, end_ms: START_MS + SPAN_MS };
    let id = SegmentId {
        datasource: Arc::from("t"),
        interval,
        version: Version(1),
        partition: number as u32,
    };
    index.snapshot(id)
}

/// A borrowed form of a value; lists of text need a place for their borrowed elements.
enum Cell<'a> {
    One(ValueRef<'a>),
    Several(Vec<Option<&'a str>>),
}

impl<'a> Cell<'a> {
    fn of(value: &'a Value) -> Self {
        Self::One(match value {
            Value::Null | Value::Complex(_) => ValueRef::Null,
            Value::Long(value) => ValueRef::Long(*value),
            Value::Float(value) => ValueRef::Double(f64::from(*value)),
            Value::Double(value) => ValueRef::Double(*value),
            Value::String(text) => ValueRef::String(text),
            Value::Multi(items) => {
                return Self::Several(items.iter().map(Option::as_deref).collect());
            }
        })
    }

    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::One(value) => *value,
            Self::Several(items) => ValueRef::Multi(items),
        }
    }
}

/// A shared snapshot as a view of its own.
#[derive(Debug)]
struct Shared(Arc<henge_index::IndexSnapshot>);

impl SegmentView for Shared {
    fn id(&self) -> &SegmentId {
        self.0.id()
    }
    fn schema(&self) -> &henge_types::SegmentSchema {
        self.0.schema()
    }
    fn row_count(&self) -> usize {
        self.0.row_count()
    }
    fn time_range(&self) -> Option<(i64, i64)> {
        self.0.time_range()
    }
    fn is_time_sorted(&self) -> bool {
        self.0.is_time_sorted()
    }
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
    fn column(&self, name: &str) -> henge_segment::Result<Option<henge_segment::ColumnView<'_>>> {
        self.0.column(name)
    }
}
