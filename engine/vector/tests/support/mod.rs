//! Columns of every kind that travels.
#![allow(dead_code, reason = "each test uses a part")]

use henge_expr::ExprValue;
use henge_sketch::{HllSketch, KllSketch, ThetaSketch};
use henge_vector::{
    Bytes, Column, Decimal128Array, ListsBuilder, SetPart, Sets, Sketches, Text, TextValues, Timed,
    nulls_of,
};

/// One of each kind, with nulls and without, all of three rows.
pub(crate) fn every_kind() -> Vec<(&'static str, Column)> {
    let first_null = || nulls_of(3, |row| row != 0);
    vec![
        ("null", Column::Null(3)),
        ("long", Column::longs(vec![1, i64::MIN, i64::MAX], None)),
        ("long with nulls", Column::longs(vec![0, -5, 7], first_null())),
        ("wide", wide(&[None, Some(1 << 70), Some(-1)])),
        ("float", Column::floats(vec![0.0, 1.5, f32::NEG_INFINITY], first_null())),
        ("double", Column::doubles(vec![0.1, f64::NAN, -0.0], None)),
        ("wide float", Column::wide_floats(vec![0.1, 2.0, 3.0], first_null())),
        ("text", Column::Text(Text::of([Some("é"), None, Some("")].into_iter()))),
        ("sorted text", Column::Text(sorted_text())),
        ("lists", Column::Lists(lists())),
        ("complex", Column::from(Bytes::of([Some(&b"ab"[..]), None, Some(b"")].into_iter()))),
        ("hll", Column::from(Sketches::new(vec![Some(Box::new(hll(&["a", "b"]))), None, None]))),
        ("theta", Column::from(Sketches::new(vec![None, Some(Box::new(theta())), None]))),
        ("kll", Column::from(Sketches::new(vec![None, None, Some(Box::new(kll()))]))),
        ("sets", sets().into()),
        ("timed", timed()),
        ("mixed", Column::Mixed(vec![ExprValue::Long(4), ExprValue::Null, nested()])),
    ]
}

pub(crate) fn wide(values: &[Option<i128>]) -> Column {
    let array = Decimal128Array::from_iter(values.iter().copied());
    Column::Wide(array.with_precision_and_scale(38, 0).unwrap())
}

fn sets() -> Sets {
    let texts = Column::Text(Text::of([Some("é"), Some("")].into_iter()));
    let parts = vec![
        SetPart::new([2, 0, 1], Column::longs(vec![7, i64::MIN, 7], None)),
        SetPart::new([1, 0, 0], Column::doubles(vec![0.5], None)),
        SetPart::new([0, 0, 2], texts),
    ];
    Sets::new(3, parts)
}

fn timed() -> Column {
    let times = vec![Some(5), None, Some(i64::MIN)].into();
    let values = Column::Text(Text::of([Some("é"), None, None].into_iter()));
    Column::Timed(Timed::new(times, values))
}

fn sorted_text() -> Text {
    let mut values = TextValues::default();
    let ids = ["a", "b"].map(|value| values.push(value));
    values.into_text(vec![ids[1], 0, ids[0]], true)
}

fn lists() -> henge_vector::Lists {
    let (mut builder, mut values) = (ListsBuilder::default(), TextValues::default());
    let ids = ["x", "y"].map(|value| values.push(value));
    for row in [&[ids[1], 0, ids[0]][..], &[], &[ids[0]]] {
        row.iter().for_each(|id| builder.push(*id));
        builder.end_row();
    }
    builder.finish(values)
}

pub(crate) fn hll(values: &[&str]) -> HllSketch {
    let mut sketch = HllSketch::hyper_unique().unwrap();
    values.iter().for_each(|value| sketch.update_str(value));
    sketch
}

fn theta() -> ThetaSketch {
    let mut sketch = ThetaSketch::new(64).unwrap();
    sketch.update_str("a");
    sketch
}

fn kll() -> KllSketch {
    let mut sketch = KllSketch::new(32).unwrap();
    [1.0, 2.0].into_iter().for_each(|value| sketch.update_f64(value));
    sketch
}

fn nested() -> ExprValue {
    vec![ExprValue::from("t"), ExprValue::Null, vec![ExprValue::Double(0.5)].into()].into()
}

/// A row as text, sketches by their bytes.
pub(crate) fn shown(column: &Column, row: usize) -> String {
    match column {
        Column::Objects(objects) => {
            let mut image = objects.image(row).map(std::borrow::Cow::into_owned);
            // The values of a small one come in any order.
            if let Some(image) = image.as_mut().filter(|_| objects.kind() == "hll") {
                image.sort_unstable();
            }
            format!("{image:?}")
        }
        Column::Timed(timed) => {
            let time = henge_vector::optional(timed.times(), row);
            format!("{time:?} {}", shown(timed.values(), row))
        }
        Column::Wide(values) => format!("{:?}", henge_vector::optional(values, row)),
        other => format!("{:?}", other.expr_value(row)),
    }
}

/// All rows as text, with the kind.
pub(crate) fn shown_all(column: &Column) -> Vec<String> {
    let rows = (0..column.len()).map(|row| shown(column, row));
    std::iter::once(column.kind().to_owned()).chain(rows).collect()
}
