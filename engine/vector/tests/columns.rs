//! What is done with columns, for every kind.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::cmp::Ordering;

use henge_expr::ExprValue;
use henge_vector::{Column, Distinct, Text, TextValues, VectorError, nulls_of};
use support::{every_kind, shown, shown_all, wide};

#[test]
fn taking_rows_and_appending_them_give_the_same() {
    for (name, column) in every_kind() {
        let rows = [2, 0, 1, 2];
        let taken = column.take(&rows);
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(shown(&taken, at), shown(&column, *row as usize), "{name}");
            assert_eq!(taken.is_null(at), column.is_null(*row as usize), "{name}");
        }
        let mut appended = column.take(&[2]);
        appended.append(&column.take(&[0, 1])).unwrap();
        appended.append(&column.take(&[2])).unwrap();
        let of_values = |column: &Column| shown_all(column)[1..].to_vec();
        if !matches!(column, Column::Wide(_)) {
            assert_eq!(of_values(&appended), of_values(&taken), "{name}");
        }
        let mut cut = column.clone();
        cut.truncate(2);
        assert_eq!((cut.len(), column.len()), (2, 3), "{name}");
        assert_eq!(shown(&cut, 1), shown(&column, 1), "{name}");
        assert_eq!(of_values(&column.clone().into_taken(&[1])), of_values(&column.take(&[1])));
        assert!(column.nulls_like(2).len() == 2 && column.nulls_like(2).is_null(1), "{name}");
    }
}

#[test]
fn kinds_do_not_mix() {
    for (name, mut column) in every_kind() {
        let others = every_kind().into_iter().filter(|(_, other)| other.kind() != column.kind());
        for (other_name, other) in others.collect::<Vec<_>>() {
            let longs = ["long", "wide"];
            if longs.contains(&column.kind()) && longs.contains(&other.kind()) {
                continue;
            }
            let refused = column.append(&other).unwrap_err();
            assert!(matches!(refused, VectorError::Mismatch { .. }), "{name} and {other_name}");
        }
    }
}

#[test]
fn long_sums_widen_when_they_meet_wide_ones_and_are_taken_narrow() {
    let mut longs = Column::longs(vec![1, 2], nulls_of(2, |row| row == 0));
    longs.append(&wide(&[Some(1 << 70)])).unwrap();
    assert_eq!(shown_all(&longs)[1..], ["Some(1)", "None", &format!("Some({})", 1_i128 << 70)]);
    assert_eq!(longs.take(&[0, 1]).kind(), "long");
    assert_eq!(longs.take(&[2]).kind(), "wide");
}

#[test]
fn equal_values_have_equal_hashes_whatever_numbers_them() {
    let text = Text::of(["b", "a", "b"].map(Some).into_iter());
    let mut values = TextValues::default();
    let ids = ["a", "b"].map(|value| values.push(value));
    let sorted = values.into_text(vec![ids[1], ids[0], ids[1]], true);
    let hashes = |column: &Column| {
        let mut hashes = vec![7; column.len()];
        column.mix_into(&mut hashes);
        hashes
    };
    let (first, second) = (hashes(&Column::Text(text)), hashes(&Column::Text(sorted)));
    assert_eq!(first, second);
    assert!(first[0] == first[2] && first[0] != first[1]);
    for (name, column) in every_kind() {
        assert_eq!(hashes(&column.take(&[2, 1]))[1], hashes(&column)[1], "{name}");
    }
}

#[test]
fn null_comes_first_and_nan_last() {
    let doubles = Column::doubles(vec![f64::NAN, -0.0, 0.0, 1.0], nulls_of(4, |row| row != 3));
    assert_eq!(doubles.compare(3, 1), Ordering::Less);
    assert_eq!(doubles.compare(1, 2), Ordering::Equal);
    assert_eq!(doubles.compare(0, 1), Ordering::Greater);
    let text = Column::Text(Text::of([Some("b"), None, Some("a")].into_iter()));
    assert_eq!(text.compare(1, 2), Ordering::Less);
    assert_eq!(text.compare(0, 2), Ordering::Greater);
    let mixed = [ExprValue::Null, ExprValue::Long(2), ExprValue::Double(2.5), ExprValue::from("1")];
    let mixed = Column::Mixed(mixed.to_vec());
    assert!((1..4).all(|row| mixed.compare(row - 1, row) == Ordering::Less));
}

#[test]
fn few_rows_of_a_large_dictionary_keep_only_their_text() {
    let values: Vec<String> = (0..1_000).map(|value| value.to_string()).collect();
    let column = Column::Text(Text::of(values.iter().map(|value| Some(value.as_str()))));
    let few = column.take(&[7, 9]);
    assert!(few.memory_bytes() * 100 < column.memory_bytes());
    assert_eq!(
        shown_all(&few)[1..],
        shown_all(&column)[8..].iter().step_by(2).take(2).cloned().collect::<Vec<_>>()
    );
}

#[test]
fn rows_name_distinct_values() {
    let ids = || vec![2, 0, 1];
    let rows = |distinct: Distinct| {
        assert_eq!(distinct.id_count(), 3);
        shown_all(&distinct.rows(ids()))[1..].to_vec()
    };
    assert_eq!(rows(Distinct::Long(vec![5, 6])), ["Long(6)", "Null", "Long(5)"]);
    assert_eq!(rows(Distinct::Double(vec![0.5, 1.5])), ["Double(1.5)", "Null", "Double(0.5)"]);
    let text = Text::of(["a", "b"].map(Some).into_iter());
    assert_eq!(rows(Distinct::Text(text)), [r#"String("b")"#, "Null", r#"String("a")"#]);
}
