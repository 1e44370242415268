//! Numbers whose order is the order of a column's values.

use henge_query::Ordering;
use henge_query::comparison::ordering::compare_nullable;
use henge_types::narrow::narrow;
use henge_types::number::{long_order_bits, order_bits};
use henge_vector::{Array, Column, Float64Array, NodeIds, Text, optional};
use rustc_hash::FxHashMap;

use crate::value_order::compare_values_by;

/// One number a row whose order is the order of the values, null first. Strings compare as `ordering`
/// says, numbers as numbers. Equal values have equal numbers.
pub(crate) fn sort_keys(column: &Column, ordering: Ordering) -> Vec<u64> {
    match column {
        Column::Null(rows) => vec![0; *rows],
        Column::Long(values) if values.null_count() == 0 => {
            values.values().iter().map(|value| long_order_bits(*value)).collect()
        }
        Column::Float(values) => {
            let key = |row| optional(values, row).map_or(0, |value| order_bits(f64::from(value)));
            (0..values.len()).map(key).collect()
        }
        Column::Double(values) | Column::WideFloat(values) => double_keys(values),
        Column::Text(text) => text_sort_keys(text, ordering),
        Column::NodeIds(keys) => node_sort_keys(keys, ordering),
        Column::Mixed(values) => {
            ranks_by(values.len(), |a, b| compare_values_by(ordering, &values[a], &values[b]))
        }
        // Null needs a key below that of the smallest long, so longs with nulls are ranked.
        Column::Long(_)
        | Column::Wide(_)
        | Column::Lists(_)
        | Column::Objects(_)
        | Column::Timed(_)
        | Column::SegmentIds(_) => ranks_by(column.len(), |a, b| column.compare(a, b)),
    }
}

/// The sort keys of times.
pub(crate) fn time_keys(times_ms: &[i64]) -> Vec<u64> {
    times_ms.iter().map(|time_ms| long_order_bits(*time_ms)).collect()
}

fn double_keys(values: &Float64Array) -> Vec<u64> {
    if values.null_count() == 0 {
        return values.values().iter().map(|value| order_bits(*value)).collect();
    }
    (0..values.len()).map(|row| optional(values, row).map_or(0, order_bits)).collect()
}

fn text_sort_keys(text: &Text, ordering: Ordering) -> Vec<u64> {
    if text.is_sorted() && ordering == Ordering::Lexicographic {
        return text.ids().iter().map(|&id| u64::from(id)).collect();
    }
    // For each id the rank of its value; null has rank 0.
    let ranks = ranks_by(text.id_count(), |a, b| {
        compare_nullable(ordering, text.value(narrow(a)), text.value(narrow(b)))
    });
    text.ids().iter().map(|&id| ranks[id as usize]).collect()
}

/// Ranks among the values that occur: the dictionary may hold many more.
fn node_sort_keys(keys: &NodeIds, ordering: Ordering) -> Vec<u64> {
    let mut occurring = keys.ids().to_vec();
    occurring.sort_unstable();
    occurring.dedup();
    let texts: Vec<Option<&str>> = occurring.iter().map(|id| keys.numbering().value(*id)).collect();
    let ranks = match ordering {
        Ordering::Lexicographic => lexicographic_ranks(&texts),
        _ => ranks_by(texts.len(), |a, b| compare_nullable(ordering, texts[a], texts[b])),
    };
    let rank_of: FxHashMap<u32, u64> = occurring.into_iter().zip(ranks).collect();
    keys.ids().iter().map(|id| rank_of[id]).collect()
}

/// Dense ranks of distinct texts, null first. Most pairs differ in their first eight bytes, which
/// compare as a number without leaving the cache.
fn lexicographic_ranks(texts: &[Option<&str>]) -> Vec<u64> {
    let prefix = |text: &str| {
        let mut bytes = [0; 8];
        let length = text.len().min(8);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        u64::from_be_bytes(bytes)
    };
    let mut order: Vec<(u64, u32)> =
        texts.iter().map(|text| text.map_or(0, prefix)).zip(0..).collect();
    order.sort_unstable_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| texts[a.1 as usize].cmp(&texts[b.1 as usize]))
    });
    let mut ranks = vec![0; texts.len()];
    for ((_, position), rank) in order.into_iter().zip(0..) {
        ranks[position as usize] = rank;
    }
    ranks
}

/// Dense ranks of `count` items under a comparison.
fn ranks_by(count: usize, compare: impl Fn(usize, usize) -> std::cmp::Ordering) -> Vec<u64> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by(|&a, &b| compare(a, b));
    let mut ranks = vec![0; count];
    let mut rank = 0;
    for pair in 1..order.len() {
        if compare(order[pair - 1], order[pair]).is_ne() {
            rank += 1;
        }
        ranks[order[pair]] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use henge_expr::ExprValue;

    use super::*;

    fn text(values: &[Option<&str>]) -> Column {
        Column::Text(Text::of(values.iter().copied()))
    }

    fn order(column: &Column, ordering: Ordering) -> Vec<usize> {
        let keys = sort_keys(column, ordering);
        let mut rows: Vec<usize> = (0..keys.len()).collect();
        rows.sort_by_key(|&row| keys[row]);
        rows
    }

    #[test]
    fn text_sorts_null_first_by_the_ordering() {
        let column = text(&[Some("10"), Some("9"), None, Some("")]);
        assert_eq!(order(&column, Ordering::Lexicographic), [2, 3, 0, 1]);
        assert_eq!(order(&column, Ordering::Numeric), [2, 3, 1, 0]);
    }

    #[test]
    fn longs_sort_exactly_even_at_the_ends_and_with_nulls() {
        let all = [Some(i64::MAX), None, Some(i64::MIN), Some(-1), Some(i64::MIN + 1)];
        let column = Column::Long(all.into_iter().collect());
        assert_eq!(order(&column, Ordering::Lexicographic), [1, 2, 4, 3, 0]);
        let column = Column::longs(vec![3, i64::MIN, i64::MAX], None);
        assert_eq!(order(&column, Ordering::Lexicographic), [1, 0, 2]);
    }

    #[test]
    fn doubles_sort_null_first_and_nan_last() {
        let all = [Some(f64::NAN), Some(1.5), Some(f64::NEG_INFINITY), None, Some(-1.5)];
        let column = Column::Double(all.into_iter().collect());
        assert_eq!(order(&column, Ordering::Lexicographic), [3, 2, 4, 1, 0]);
        let keys = sort_keys(&Column::doubles(vec![0.0, -0.0], None), Ordering::Lexicographic);
        assert_eq!(keys[0], keys[1]);
    }

    #[test]
    fn mixed_values_sort_by_class_then_value() {
        let column = Column::Mixed(vec![
            ExprValue::from("a"),
            ExprValue::Double(1.5),
            ExprValue::Null,
            ExprValue::Long(2),
            ExprValue::Long(1),
        ]);
        assert_eq!(order(&column, Ordering::Lexicographic), [2, 4, 1, 3, 0]);
    }
}
