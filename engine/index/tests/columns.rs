//! Types, coercions, nulls and discovered dimensions.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use henge_index::{
    AddOutcome, DimensionSchema, IndexError, IndexSchema, MultiValueHandling, WriteIndex,
};
use henge_segment::{ColumnView, SegmentView};
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch, to_base64};
use henge_types::{
    ColumnRole, ColumnType, Granularity, HllType, MetricKind, MetricSpec, NumericOp, Value,
    ValueRef, ValueType,
};
use support::{NO_LIMITS, column, count, index, metric, numeric, segment_id};

const INPUTS: [ValueRef<'_>; 9] = [
    ValueRef::Null,
    ValueRef::Long(5),
    ValueRef::Double(2.5),
    ValueRef::String("7"),
    ValueRef::String("text"),
    ValueRef::String(""),
    ValueRef::Multi(&[Some("3")]),
    ValueRef::Multi(&[Some("1"), Some("2")]),
    ValueRef::Complex(b"bytes"),
];

#[test]
fn h_12_every_type_takes_every_value() {
    let mut index = index(
        vec![
            DimensionSchema::string("s"),
            DimensionSchema::new("l", ColumnType::Long),
            DimensionSchema::new("f", ColumnType::Float),
            DimensionSchema::new("d", ColumnType::Double),
        ],
        vec![],
        false,
    );
    for input in INPUTS {
        index.add(0, &[input; 4]).unwrap();
    }
    let view = index.snapshot(segment_id());
    let text = |text: &str| Value::String(text.into());
    let list = Value::Multi(vec![Some("1".into()), Some("2".into())]);
    let null = || Value::Null;
    assert_eq!(
        column(&*view, "s"),
        [
            null(),
            text("5"),
            text("2.5"),
            text("7"),
            text("text"),
            text(""),
            text("3"),
            list,
            null()
        ]
    );
    let longs = [None, Some(5), Some(2), Some(7), None, None, Some(3), None, None];
    assert_eq!(column(&*view, "l"), longs.map(|l| l.map_or(Value::Null, Value::Long)));
    let doubles = [None, Some(5.0), Some(2.5), Some(7.0), None, None, Some(3.0), None, None];
    assert_eq!(column(&*view, "d"), doubles.map(|d| d.map_or(Value::Null, Value::Double)));
    let floats = doubles.map(|d| d.map_or(Value::Null, |d: f64| Value::Float(d as f32)));
    assert_eq!(column(&*view, "f"), floats);
}

#[test]
fn the_schema_says_what_the_columns_hold() {
    let dimensions =
        vec![DimensionSchema::string("s"), DimensionSchema::new("l", ColumnType::Long)];
    let mut index = index(dimensions, vec![count()], false);
    index.add(0, &[ValueRef::String("x"), ValueRef::Null, ValueRef::Null]).unwrap();
    let view = index.snapshot(segment_id());
    let columns: Vec<_> = view
        .schema()
        .columns
        .iter()
        .map(|column| (&*column.name, column.role, column.column_type.clone(), column.has_nulls))
        .collect();
    assert_eq!(
        columns,
        [
            ("__time", ColumnRole::Time, ColumnType::Long, false),
            ("s", ColumnRole::Dimension, ColumnType::String, false),
            ("l", ColumnRole::Dimension, ColumnType::Long, true),
            ("count", ColumnRole::Metric, ColumnType::Long, false),
        ]
    );
    assert!(view.column("missing").unwrap().is_none());
    let Some(ColumnView::String(s)) = view.column("s").unwrap() else { panic!() };
    assert_eq!(s.dictionary().lookup("x").unwrap(), Some(1));
    assert_eq!(s.dictionary().lookup("y").unwrap(), None);
    assert!(s.bitmap(1).unwrap().is_none() && s.id_range(0).unwrap().is_none());
}

#[test]
fn h_13_lists_keep_the_order_that_was_asked_for() {
    let list = [Some("b"), None, Some("a"), Some("b"), Some("")];
    let text = |texts: &[Option<&str>]| {
        Value::Multi(texts.iter().map(|text| text.map(String::from)).collect())
    };
    for (handling, expected) in [
        (MultiValueHandling::Array, text(&list)),
        (MultiValueHandling::SortedArray, text(&[None, Some(""), Some("a"), Some("b"), Some("b")])),
        (MultiValueHandling::SortedSet, text(&[None, Some(""), Some("a"), Some("b")])),
    ] {
        let tags = DimensionSchema { multi_value: handling, ..DimensionSchema::string("tags") };
        let mut index = index(vec![tags], vec![], true);
        for _ in 0..2 {
            index.add(0, &[ValueRef::Multi(&list)]).unwrap();
            index.add(0, &[ValueRef::Multi(&[Some("b")])]).unwrap();
            index.add(0, &[ValueRef::Multi(&[Some("b"), Some("b")])]).unwrap();
        }
        let view = index.snapshot(segment_id());
        let rows = column(&*view, "tags");
        assert_eq!(rows[..2], [expected, Value::String("b".into())]);
        // A set of one value is that value.
        let is_set = handling == MultiValueHandling::SortedSet;
        assert_eq!(rows.len(), if is_set { 2 } else { 3 });
    }
}

#[test]
fn h_20_negative_zero_rolls_up_with_zero() {
    let mut index = index(vec![DimensionSchema::new("d", ColumnType::Double)], vec![count()], true);
    for value in [0.0, -0.0, f64::NAN, -f64::NAN] {
        index.add(0, &[ValueRef::Double(value), ValueRef::Null]).unwrap();
    }
    index.add(0, &[ValueRef::Null, ValueRef::Null]).unwrap();
    let view = index.snapshot(segment_id());
    assert_eq!(column(&*view, "count"), [Value::Long(2), Value::Long(2), Value::Long(1)]);
}

#[test]
fn discovered_dimensions_are_null_in_earlier_rows() {
    for rollup in [false, true] {
        let mut index = index(vec![DimensionSchema::string("a")], vec![count()], rollup);
        for number in 0..10_000 {
            index.add(number, &[ValueRef::String("x"), ValueRef::Null]).unwrap();
        }
        let long = DimensionSchema::new("l", ColumnType::Long);
        assert_eq!(index.add_dimension(DimensionSchema::string("s")).unwrap(), 1);
        assert_eq!(index.add_dimension(long.clone()).unwrap(), 2);
        assert_eq!(index.add_dimension(long).unwrap(), 2, "known ones stay where they are");
        let values =
            [ValueRef::String("x"), ValueRef::String("y"), ValueRef::Long(1), ValueRef::Null];
        index.add(0, &values).unwrap();
        let nulls = [ValueRef::String("x"), ValueRef::Null, ValueRef::Null, ValueRef::Null];
        index.add(9_999, &nulls).unwrap();
        let view = index.snapshot(segment_id());
        // An event without the new dimensions is one of the earlier rows.
        assert_eq!(view.row_count(), if rollup { 10_001 } else { 10_002 });
        let (s, l) = (column(&*view, "s"), column(&*view, "l"));
        assert!(s[..10_000].iter().chain(&l[..10_000]).all(|value| *value == Value::Null));
        assert_eq!((&s[10_000], &l[10_000]), (&Value::String("y".into()), &Value::Long(1)));
        assert!(!view.is_time_sorted());
    }
}

#[test]
fn sums_and_extremes_are_null_until_a_value_is_seen() {
    let kinds = [NumericOp::Sum, NumericOp::Min, NumericOp::Max];
    let types = [ValueType::Long, ValueType::Float, ValueType::Double];
    let metrics: Vec<MetricSpec> = kinds
        .iter()
        .flat_map(|op| types.iter().map(move |of| numeric(&format!("{op:?}{of}"), *op, *of)))
        .collect();
    let mut index = index(vec![], metrics.clone(), true);
    let add = |index: &mut WriteIndex, value| index.add(0, &[value; 9]).unwrap();
    add(&mut index, ValueRef::Null);
    add(&mut index, ValueRef::String("none"));
    let before = index.snapshot(segment_id());
    for value in [ValueRef::Long(4), ValueRef::String("-1"), ValueRef::Null, ValueRef::Double(2.0)]
    {
        add(&mut index, value);
    }
    let after = index.snapshot(segment_id());
    for (position, metric) in metrics.iter().enumerate() {
        assert_eq!(column(&*before, &metric.name), [Value::Null]);
        assert!(before.schema().column(&metric.name).unwrap().has_nulls);
        assert!(!after.schema().column(&metric.name).unwrap().has_nulls);
        let expected = [5.0, -1.0, 4.0][position / 3];
        let expected = match types[position % 3] {
            ValueType::Long => Value::Long(expected as i64),
            ValueType::Float => Value::Float(expected as f32),
            _ => Value::Double(expected),
        };
        assert_eq!(column(&*after, &metric.name), [expected], "{}", metric.name);
    }
}

#[test]
fn sketches_take_raw_values_and_sketches() {
    let mut hll = HllSketch::new(11, HllType::Hll8).unwrap();
    let mut theta = ThetaSketch::new(64).unwrap();
    let mut kll = KllSketch::new(64).unwrap();
    for number in 0..10 {
        hll.update_i64(number);
        theta.update_i64(number);
        kll.update_f64(number as f64);
    }
    let (hll, theta, kll) = (hll.to_bytes(), theta.to_bytes(), kll.to_bytes());
    let merge = MetricKind::HllMerge { lg_k: 12, hll_type: HllType::Hll4 };
    let metrics = vec![
        metric("build", MetricKind::HllBuild { lg_k: 12, hll_type: HllType::Hll4 }),
        metric("merge", merge),
        metric("unique", MetricKind::HyperUnique),
        metric("theta", MetricKind::Theta { size: 64, input_is_sketch: false }),
        metric("thetas", MetricKind::Theta { size: 64, input_is_sketch: true }),
        metric("quantiles", MetricKind::Quantiles { k: 64 }),
    ];
    let mut index = index(vec![], metrics, true);
    index.add(0, &[ValueRef::Null; 6]).unwrap();
    assert_eq!(column(&*index.snapshot(segment_id()), "build"), [Value::Null]);
    let raw = ValueRef::Multi(&[Some("1"), None, Some("2")]);
    index.add(0, &[raw, ValueRef::Null, raw, raw, ValueRef::Null, raw]).unwrap();
    let binary = [&hll, &hll, &hll, &theta, &theta, &kll].map(|bytes| ValueRef::Complex(bytes));
    index.add(0, &binary).unwrap();
    let (hll_text, theta_text, kll_text) = (to_base64(&hll), to_base64(&theta), to_base64(&kll));
    let null = ValueRef::Null;
    let [merged, thetas, quantiles] =
        [&hll_text, &theta_text, &kll_text].map(|t| ValueRef::String(t));
    index.add(0, &[null, merged, null, null, thetas, quantiles]).unwrap();
    index.add(0, &[null, null, null, null, null, ValueRef::String("Apple")]).unwrap();
    let view = index.snapshot(segment_id());
    for (name, expected) in
        [("build", 12.0), ("merge", 10.0), ("unique", 12.0), ("theta", 12.0), ("thetas", 10.0)]
    {
        let Value::Complex(bytes) = &column(&*view, name)[0] else { panic!("{name}") };
        let estimate = match name {
            "theta" | "thetas" => ThetaSketch::from_bytes(bytes).unwrap().estimate(),
            _ => HllSketch::from_bytes(bytes).unwrap().estimate(),
        };
        assert!((estimate - expected).abs() < 0.1, "{name}: {estimate}");
    }
    let Value::Complex(bytes) = &column(&*view, "quantiles")[0] else { panic!() };
    assert_eq!(KllSketch::from_bytes(bytes).unwrap().n(), 22);
}

#[test]
fn h_49_a_bad_sketch_refuses_the_row_and_changes_nothing() {
    let merge = MetricKind::HllMerge { lg_k: 12, hll_type: HllType::Hll4 };
    let metrics = vec![count(), metric("merge", merge)];
    let mut index = index(vec![DimensionSchema::string("a")], metrics, true);
    index.add(0, &[ValueRef::String("x"), ValueRef::Null, ValueRef::Null]).unwrap();
    let before = (support::rows(&*index.snapshot(segment_id())), index.memory_bytes());
    for bad in [ValueRef::Complex(b"hostile"), ValueRef::String("?"), ValueRef::String("AAAA")] {
        for a in ["x", "new"] {
            let error = index.add(0, &[ValueRef::String(a), ValueRef::Null, bad]).unwrap_err();
            assert!(matches!(&error, IndexError::Sketch { metric, .. } if metric == "merge"));
        }
    }
    assert_eq!((support::rows(&*index.snapshot(segment_id())), index.memory_bytes()), before);
    assert_eq!(index.event_count(), 1);
}

#[test]
fn time_is_truncated_to_the_granularity_and_the_start_of_the_interval() {
    let schema = IndexSchema {
        dimensions: vec![],
        metrics: vec![count()],
        before_time: Vec::new(),
        query_granularity: Granularity::All,
        rollup: true,
    };
    let mut index = WriteIndex::new(schema, NO_LIMITS).unwrap();
    index.set_min_time_ms(86_400_000);
    index.add(90_000_000, &[ValueRef::Null]).unwrap();
    index.add(100_000_000, &[ValueRef::Null]).unwrap();
    let view = index.snapshot(segment_id());
    assert_eq!(column(&*view, "__time"), [Value::Long(86_400_000)]);
    assert_eq!(column(&*view, "count"), [Value::Long(2)]);
    assert_eq!(view.max_event_time_ms(), Some(100_000_000));
    assert_eq!((index.min_time_ms(), index.max_time_ms()), (Some(86_400_000), Some(86_400_000)));
}

#[test]
fn impossible_schemas_are_refused_by_name() {
    let build = |dimensions: Vec<DimensionSchema>, metrics: Vec<MetricSpec>| {
        let schema = IndexSchema {
            dimensions,
            before_time: Vec::new(),
            metrics,
            query_granularity: Granularity::None,
            rollup: true,
        };
        WriteIndex::new(schema, NO_LIMITS).map(|_| ()).unwrap_err().to_string()
    };
    let twice = build(vec![DimensionSchema::string("count")], vec![count()]);
    assert!(twice.contains("'count' occurs twice"));
    assert!(build(vec![DimensionSchema::string("__time")], vec![]).contains("__time"));
    let complex = DimensionSchema::new("c", ColumnType::Complex("x".into()));
    assert!(build(vec![complex], vec![]).contains("'c' is COMPLEX"));
    let text = numeric("m", NumericOp::Sum, ValueType::String);
    assert!(build(vec![], vec![text]).contains("'m' aggregates STRING"));
    let huge = metric("h", MetricKind::HllBuild { lg_k: 99, hll_type: HllType::Hll4 });
    assert!(build(vec![], vec![huge]).contains("'h': lgK 99"));
    let mut index = index(vec![], vec![count()], true);
    assert!(index.add_dimension(DimensionSchema::string("count")).is_err());
    assert!(index.add_dimension(DimensionSchema::string("__time")).is_err());
    assert!(matches!(index.add(0, &[]), Err(IndexError::Width { expected: 1, actual: 0 })));
}

#[test]
fn h_07_columns_without_values_cost_next_to_nothing_and_discovered_ones_are_not_shown() {
    let declared = vec![DimensionSchema::string("a"), DimensionSchema::new("b", ColumnType::Long)];
    let mut index = index(declared, vec![count()], true);
    let add = |index: &mut WriteIndex, at: usize, value: ValueRef<'_>| {
        let mut values = vec![ValueRef::Null; index.dimensions().len() + 1];
        values[at] = value;
        index.add(0, &values).unwrap()
    };
    add(&mut index, 0, ValueRef::Null);
    let before = index.memory_bytes();
    let mut wider = IndexSchema {
        dimensions: index.dimensions().to_vec(),
        metrics: vec![count()],
        before_time: Vec::new(),
        query_granularity: Granularity::None,
        rollup: true,
    };
    for number in 0..2_000 {
        let column_type = if number % 2 == 0 { ColumnType::String } else { ColumnType::Double };
        wider.dimensions.push(DimensionSchema::new(format!("c{number}"), column_type));
    }
    index.widen(&Arc::new(wider));
    assert!(index.memory_bytes() < before + 100_000, "{}", index.memory_bytes());
    // An event of nulls is still the one from before; one with a value is another.
    assert_eq!(add(&mut index, 0, ValueRef::Null), AddOutcome::RolledUp);
    assert_eq!(add(&mut index, 2 + 1_001, ValueRef::Double(0.5)), AddOutcome::Appended);
    let snapshot = index.snapshot(segment_id());
    let names: Vec<&str> = snapshot.schema().columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["__time", "a", "b", "c1001", "count"]);
    assert!(snapshot.schema().columns[1..4].iter().all(|column| column.has_nulls));
    assert!(snapshot.column("c7").unwrap().is_none());
    let Some(ColumnView::Long(column)) = snapshot.column("b").unwrap() else { panic!() };
    let mut scratch = Vec::new();
    let block = column.block(0, &mut scratch).unwrap();
    assert!((0..2).all(|row| block.nulls.unwrap().is_null(row)) && column.has_nulls());
    let Some(ColumnView::Double(column)) = snapshot.column("c1001").unwrap() else { panic!() };
    let mut scratch = Vec::new();
    let block = column.block(0, &mut scratch).unwrap();
    assert!(block.nulls.unwrap().is_null(0) && !block.nulls.unwrap().is_null(1));
    assert_eq!(block.values.get(1), 0.5);
}
