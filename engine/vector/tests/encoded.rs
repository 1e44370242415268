//! Columns as bytes: what is written is read, whatever the bytes are nothing panics, and what was
//! written before is read for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use henge_expr::ExprValue;
use henge_sketch::{HllSketch, KllSketch, Sketch, ThetaSketch};
use henge_vector::{
    Bytes, Column, Int64Array, ListsBuilder, NodeIds, Numbering, SegmentIds, Sketches, Text,
    TextValues, Timed, VectorError, decode, encode, nulls_of,
};
use proptest::prelude::*;
use support::{every_kind, shown_all, wide};

fn encoded(columns: &[(&str, Column)], about: &str) -> Vec<u8> {
    encode(columns.iter().map(|(name, column)| (*name, column)), about).unwrap()
}

#[test]
fn every_kind_comes_back_as_it_was() {
    let bytes = encoded(&every_kind(), "{}");
    let (table, rest) = decode(&bytes).unwrap();
    assert!(rest.is_empty());
    assert_eq!(table.about, "{}");
    for ((name, column), (read_name, read)) in every_kind().iter().zip(&table.columns) {
        assert_eq!(name, read_name);
        assert_eq!(shown_all(column), shown_all(read), "{name}");
    }
    let sorted = |column: &Column| matches!(column, Column::Text(text) if text.is_sorted());
    assert_eq!(table.columns.iter().filter(|(_, column)| sorted(column)).count(), 1);
}

#[test]
fn streams_follow_one_another_and_may_be_empty() {
    let mut bytes = encoded(&[], "nothing");
    let empty = every_kind().into_iter().map(|(name, mut column)| {
        column.truncate(0);
        (name, column)
    });
    bytes.extend(encoded(&empty.collect::<Vec<_>>(), "no rows"));
    bytes.extend(b"rest");
    let (first, rest) = decode(&bytes).unwrap();
    assert_eq!((first.columns.len(), first.about.as_str()), (0, "nothing"));
    let (second, rest) = decode(rest).unwrap();
    assert_eq!(second.columns.len(), every_kind().len());
    assert!(second.columns.iter().all(|(_, column)| column.is_empty()));
    assert_eq!(rest, b"rest");
}

/// `UPDATE_GOLDEN=1` writes the file: only a new kind of column, or a new version, is a reason to.
#[test]
fn the_golden_file_is_read_and_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/every_kind.arrow");
    let bytes = encoded(&every_kind(), "golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &bytes).unwrap();
    }
    let golden = std::fs::read(path).unwrap();
    let (table, _) = decode(&golden).unwrap();
    for ((_, column), (_, read)) in every_kind().iter().zip(&table.columns) {
        assert_eq!(shown_all(column), shown_all(read));
    }
    assert_eq!(golden, bytes, "the encoded form changed");
}

#[derive(Debug)]
struct Nobody;

impl Numbering for Nobody {
    fn dictionary(&self) -> usize {
        0
    }
    fn id_count(&self) -> usize {
        3
    }
    fn value(&self, id: u32) -> Option<&str> {
        [None, Some("b"), Some("a")][id as usize]
    }
    fn intern(&self, _: &[&str]) -> (Vec<u32>, Arc<dyn Numbering>) {
        (Vec::new(), Arc::new(Self))
    }
}

#[test]
fn ids_of_dictionaries_do_not_travel() {
    let node = NodeIds::new(vec![1, 0, 2, 1], Arc::new(Nobody));
    let text = node.to_text();
    for (column, whose) in
        [(Column::SegmentIds(SegmentIds::new(vec![1])), "segment"), (Column::NodeIds(node), "node")]
    {
        let refused = encode([("k", &column)], "").unwrap_err();
        let expected = VectorError::LocalIds { column: "k".to_owned(), dictionary: whose };
        assert_eq!(refused, expected);
    }
    assert_eq!(text.id_count(), 3, "each value once");
    let rows: Vec<Option<&str>> = (0..4).map(|row| text.get(row)).collect();
    assert_eq!(rows, [Some("b"), None, Some("a"), Some("b")]);
}

#[test]
fn h_53_any_byte_changed_and_any_cut_is_refused_or_read_but_never_a_panic() {
    let bytes = encoded(&every_kind(), "about");
    for at in 0..bytes.len() {
        for change in [0x01, 0x40, 0x80, 0xFF] {
            let mut hostile = bytes.clone();
            hostile[at] ^= change;
            use_all(&hostile);
        }
        assert!(decode(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn h_53_wrong_lengths_take_no_memory() {
    let bytes = encoded(&every_kind(), "about");
    for at in 0..bytes.len().saturating_sub(8) {
        for length in [i64::MAX, i64::MIN, -1, 1 << 40, 1 << 20] {
            let mut hostile = bytes.clone();
            hostile[at..at + 8].copy_from_slice(&length.to_le_bytes());
            use_all(&hostile);
        }
    }
}

/// Reads the bytes and, when that goes well, everything in the columns.
fn use_all(bytes: &[u8]) {
    let Ok((table, _)) = decode(bytes) else { return };
    for (_, column) in &table.columns {
        assert!(column.memory_bytes() < 1 << 20 && column.len() < 1 << 20);
        let mut hashes = vec![0; column.len()];
        column.mix_into(&mut hashes);
        let _ = shown_all(column);
        let rows: Vec<u32> = (0..column.len() as u32).rev().collect();
        let taken = column.take(&rows);
        assert_eq!(taken.len(), column.len());
        let _ = (1..column.len()).map(|row| column.compare(row - 1, row)).max();
    }
}

fn value() -> impl Strategy<Value = ExprValue> {
    let one = prop_oneof![
        Just(ExprValue::Null),
        any::<i64>().prop_map(ExprValue::Long),
        any::<f64>().prop_map(ExprValue::Double),
        ".{0,6}".prop_map(|text| ExprValue::from(text.as_str())),
    ];
    let lists = prop::collection::vec(one.clone(), 0..3).prop_map(ExprValue::from);
    prop_oneof![4 => one, 1 => lists]
}

fn sketch<S: Sketch>(
    numbers: &[i64],
    mut sketch: S,
    update: impl Fn(&mut S, i64),
) -> Option<Box<S>> {
    numbers.iter().for_each(|number| update(&mut sketch, *number));
    (!numbers.is_empty()).then(|| Box::new(sketch))
}

/// A column of each kind of some rows, of random values.
fn columns() -> impl Strategy<Value = Vec<(&'static str, Column)>> {
    let texts = prop::collection::vec(prop::option::of("[a-c]{0,2}|é"), 0..4);
    let row = (
        prop::option::of(any::<i64>()),
        prop::option::of(any::<f64>()),
        texts,
        prop::collection::vec(0_i64..50, 0..5),
        value(),
    );
    prop::collection::vec(row, 0..12).prop_map(|rows| {
        let longs = || rows.iter().map(|row| row.0);
        let doubles: Vec<f64> = rows.iter().map(|row| row.1.unwrap_or_default()).collect();
        let nulls = || nulls_of(rows.len(), |row| rows[row].1.is_some());
        let first = |row: usize| rows[row].2.first().cloned().flatten();
        let firsts: Vec<Option<String>> = (0..rows.len()).map(first).collect();
        let (mut lists, mut values) = (ListsBuilder::default(), TextValues::default());
        for (_, _, texts, _, _) in &rows {
            let ids = texts.iter().map(|text| text.as_ref().map_or(0, |text| values.push(text)));
            ids.for_each(|id| lists.push(id));
            lists.end_row();
        }
        let numbers = |row: usize| rows[row].3.as_slice();
        let hll = |row| {
            sketch(numbers(row), HllSketch::hyper_unique().unwrap(), |s, n| {
                s.update_str(&n.to_string());
            })
        };
        let theta =
            |row| sketch(numbers(row), ThetaSketch::new(16).unwrap(), |s, n| s.update_i64(n));
        let kll =
            |row| sketch(numbers(row), KllSketch::new(8).unwrap(), |s, n| s.update_f64(n as f64));
        let all = 0..rows.len();
        vec![
            ("null", Column::Null(rows.len())),
            ("long", Column::Long(longs().collect())),
            ("wide", wide(&longs().map(|v| v.map(|v| i128::from(v) * 3)).collect::<Vec<_>>())),
            ("float", Column::floats(doubles.iter().map(|v| *v as f32).collect(), nulls())),
            ("double", Column::doubles(doubles.clone(), nulls())),
            ("wide float", Column::wide_floats(doubles, nulls())),
            ("text", Column::Text(texts_of(&firsts))),
            ("lists", Column::Lists(lists.finish(values))),
            ("complex", Column::from(Bytes::of(firsts.iter().map(Option::as_ref)))),
            ("hll", Column::from(Sketches::new(all.clone().map(hll).collect()))),
            ("theta", Column::from(Sketches::new(all.clone().map(theta).collect()))),
            ("kll", Column::from(Sketches::new(all.map(kll).collect()))),
            ("timed", timed(longs().collect(), Column::Long(longs().collect()))),
            ("timed text", timed(longs().collect(), Column::Text(texts_of(&firsts)))),
            ("mixed", Column::Mixed(rows.iter().map(|row| row.4.clone()).collect())),
        ]
    })
}

fn texts_of(texts: &[Option<String>]) -> Text {
    Text::of(texts.iter().map(Option::as_deref))
}

fn timed(times: Int64Array, values: Column) -> Column {
    Column::Timed(Timed::new(times, values))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn columns_of_every_kind_come_back(columns in columns(), order in any::<prop::sample::Index>()) {
        let bytes = encoded(&columns, "");
        let (table, rest) = decode(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        for ((name, column), (_, read)) in columns.iter().zip(&table.columns) {
            prop_assert_eq!(shown_all(column), shown_all(read), "{}", name);
            // Other rows, and rows that were cut off, too.
            if column.is_empty() {
                continue;
            }
            let from = order.index(column.len()) as u32;
            let rows: Vec<u32> = (from..column.len() as u32).chain(0..from).collect();
            let mut taken = column.take(&rows);
            taken.truncate(rows.len() - 1);
            let bytes = encoded(&[(name, taken.clone())], "");
            prop_assert_eq!(shown_all(&decode(&bytes).unwrap().0.columns[0].1), shown_all(&taken));
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        use_all(&bytes);
    }
}
