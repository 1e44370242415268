//! [`Column`]: finished values of one output field, one a row of the result.

use henge_expr::ExprValue;
use henge_query::Ordering;
use henge_types::number::{long_order_bits, order_bits};
use rustc_hash::FxHashMap;

use crate::finalise::json;
use crate::partial::{KeyColumn, NodeKeys, StringKeys};
use henge_query::comparison::ordering::compare_nullable;
use henge_query::comparison::{compare_doubles, compare_long_double};

/// Values of one field. `valid` is false where a value is null, absent when none is.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    /// STRING
    Text(StringKeys),
    /// LONG
    Long { values: Vec<i64>, valid: Option<Vec<bool>> },
    /// DOUBLE
    Double { values: Vec<f64>, valid: Option<Vec<bool>> },
    /// FLOAT, widened
    Float { values: Vec<f64>, valid: Option<Vec<bool>> },
    /// Values each of their own type.
    Mixed(Vec<ExprValue>),
}

impl Column {
    /// The dimension values of some groups.
    pub(crate) fn of_keys(keys: &KeyColumn, float: bool, rows: &[u32]) -> Self {
        match keys {
            KeyColumn::String(keys) => Self::Text(gather_text(keys, rows)),
            KeyColumn::Node(keys) => {
                Self::Text(text_of(rows.iter().map(|&row| keys.get(row as usize))))
            }
            KeyColumn::Long(values) => {
                let (values, valid) = gather_optional(values, rows);
                Self::Long { values, valid }
            }
            KeyColumn::Double(values) => {
                let (values, valid) = gather_optional(values, rows);
                if float { Self::Float { values, valid } } else { Self::Double { values, valid } }
            }
        }
    }

    /// Doubles, null where there is none.
    pub(crate) fn of_doubles(values: impl Iterator<Item = Option<f64>>) -> Self {
        let (values, valid) = split_optional(values);
        Self::Double { values, valid }
    }

    /// Longs, null where there is none.
    pub(crate) fn of_longs(values: impl Iterator<Item = Option<i64>>) -> Self {
        let (values, valid) = split_optional(values);
        Self::Long { values, valid }
    }

    /// True when the row's value is null.
    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(keys) => keys.ids[row] == 0,
            Self::Long { valid, .. } | Self::Double { valid, .. } | Self::Float { valid, .. } => {
                valid.as_ref().is_some_and(|valid| !valid[row])
            }
            Self::Mixed(values) => values[row].is_null(),
        }
    }

    /// As a double; text is parsed.
    pub(crate) fn double(&self, row: usize) -> Option<f64> {
        match self {
            _ if self.is_null(row) => None,
            Self::Text(keys) => keys.get(row).and_then(henge_expr::number::parse_double),
            Self::Long { values, .. } => Some(values[row] as f64),
            Self::Double { values, .. } | Self::Float { values, .. } => Some(values[row]),
            Self::Mixed(values) => values[row].as_double(),
        }
    }

    /// As a long; doubles are truncated, text is parsed.
    pub(crate) fn long(&self, row: usize) -> Option<i64> {
        match self {
            Self::Long { values, .. } if !self.is_null(row) => Some(values[row]),
            _ => self.expr_value(row).as_long(),
        }
    }

    /// As an expression's value.
    pub(crate) fn expr_value(&self, row: usize) -> ExprValue {
        match self {
            _ if self.is_null(row) => ExprValue::Null,
            Self::Text(keys) => ExprValue::from(keys.get(row)),
            Self::Long { values, .. } => ExprValue::Long(values[row]),
            Self::Double { values, .. } | Self::Float { values, .. } => {
                ExprValue::Double(values[row])
            }
            Self::Mixed(values) => values[row].clone(),
        }
    }

    /// As JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, row: usize) {
        match self {
            _ if self.is_null(row) => json::write_null(out),
            Self::Text(keys) => json::write_optional_string(out, keys.get(row)),
            Self::Long { values, .. } => json::write_long(out, values[row]),
            Self::Double { values, .. } => json::write_double(out, values[row]),
            Self::Float { values, .. } => json::write_float(out, values[row] as f32),
            Self::Mixed(values) => json::write_expr_value(out, &values[row]),
        }
    }

    /// One number a row whose order is the order of the values, null first. Strings compare as
    /// `ordering` says, numbers as numbers. Equal values have equal numbers.
    pub(crate) fn sort_keys(&self, ordering: Ordering) -> Vec<u64> {
        match self {
            Self::Text(keys) => text_sort_keys(keys, ordering),
            Self::Long { values, valid: None } => {
                values.iter().map(|&v| long_order_bits(v)).collect()
            }
            // Null needs a key below that of the smallest long, so longs with nulls are ranked.
            Self::Long { .. } => ranks_by(self.len(), |a, b| self.long(a).cmp(&self.long(b))),
            Self::Double { values, .. } | Self::Float { values, .. } => values
                .iter()
                .enumerate()
                .map(|(row, &value)| if self.is_null(row) { 0 } else { order_bits(value) })
                .collect(),
            Self::Mixed(values) => {
                ranks_by(values.len(), |a, b| compare_mixed(ordering, &values[a], &values[b]))
            }
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(keys) => keys.ids.len(),
            Self::Long { values, .. } => values.len(),
            Self::Double { values, .. } | Self::Float { values, .. } => values.len(),
            Self::Mixed(values) => values.len(),
        }
    }
}

/// Text keys of some groups, with the whole dictionary while that is not much larger.
pub(crate) fn gather_text(keys: &StringKeys, rows: &[u32]) -> StringKeys {
    if rows.len() * 2 >= keys.ends.len() {
        let ids = rows.iter().map(|&row| keys.ids[row as usize]).collect();
        return StringKeys {
            ids,
            ends: keys.ends.clone(),
            bytes: keys.bytes.clone(),
            sorted: keys.sorted,
        };
    }
    text_of(rows.iter().map(|&row| keys.get(row as usize)))
}

/// Keys that hold each value of their own.
pub(crate) fn text_of<'v>(values: impl Iterator<Item = Option<&'v str>>) -> StringKeys {
    let mut keys =
        StringKeys { ids: Vec::new(), ends: Vec::new(), bytes: String::new(), sorted: false };
    for value in values {
        match value {
            Some(text) => {
                keys.bytes.push_str(text);
                keys.ends.push(keys.bytes.len());
                keys.ids.push(keys.ends.len() as u32);
            }
            None => keys.ids.push(0),
        }
    }
    keys
}

fn gather_optional<T: Copy + Default>(
    values: &[Option<T>],
    rows: &[u32],
) -> (Vec<T>, Option<Vec<bool>>) {
    split_optional(rows.iter().map(|&row| values[row as usize]))
}

fn split_optional<T: Copy + Default>(
    items: impl Iterator<Item = Option<T>>,
) -> (Vec<T>, Option<Vec<bool>>) {
    let mut values = Vec::with_capacity(items.size_hint().0);
    let mut valid: Option<Vec<bool>> = None;
    for (row, item) in items.enumerate() {
        values.push(item.unwrap_or_default());
        match &mut valid {
            Some(valid) => valid.push(item.is_some()),
            None if item.is_none() => {
                let mut flags = vec![true; row];
                flags.push(false);
                valid = Some(flags);
            }
            None => {}
        }
    }
    (values, valid)
}

/// [`Column::sort_keys`] of a dimension's values, without making a column of them.
pub(crate) fn dimension_sort_keys(keys: &KeyColumn, ordering: Ordering) -> Vec<u64> {
    match keys {
        KeyColumn::String(keys) => text_sort_keys(keys, ordering),
        KeyColumn::Node(keys) => node_sort_keys(keys, ordering),
        KeyColumn::Long(values) => Column::of_longs(values.iter().copied()).sort_keys(ordering),
        KeyColumn::Double(values) => {
            values.iter().map(|value| value.map_or(0, order_bits)).collect()
        }
    }
}

fn text_sort_keys(keys: &StringKeys, ordering: Ordering) -> Vec<u64> {
    if keys.sorted && ordering == Ordering::Lexicographic {
        return keys.ids.iter().map(|&id| u64::from(id)).collect();
    }
    let ranks = text_ranks(keys, ordering);
    keys.ids.iter().map(|&id| ranks[id as usize]).collect()
}

/// Ranks among the values that occur: the dictionary may hold many more.
fn node_sort_keys(keys: &NodeKeys, ordering: Ordering) -> Vec<u64> {
    let mut occurring = keys.ids.clone();
    occurring.sort_unstable();
    occurring.dedup();
    let texts: Vec<Option<&str>> = occurring.iter().map(|id| keys.values.get(*id)).collect();
    let ranks = match ordering {
        Ordering::Lexicographic => lexicographic_ranks(&texts),
        _ => ranks_by(texts.len(), |a, b| compare_nullable(ordering, texts[a], texts[b])),
    };
    let rank_of: FxHashMap<u32, u64> = occurring.into_iter().zip(ranks).collect();
    keys.ids.iter().map(|id| rank_of[id]).collect()
}

/// For each dictionary id the rank of its value; null has rank 0.
fn text_ranks(keys: &StringKeys, ordering: Ordering) -> Vec<u64> {
    ranks_by(keys.ends.len() + 1, |a, b| {
        compare_nullable(ordering, keys.value(a as u32), keys.value(b as u32))
    })
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

/// Null, then numbers, then text.
fn compare_mixed(ordering: Ordering, left: &ExprValue, right: &ExprValue) -> std::cmp::Ordering {
    fn class(value: &ExprValue) -> u8 {
        match value {
            ExprValue::Null => 0,
            ExprValue::Long(_) | ExprValue::Double(_) => 1,
            ExprValue::String(_) | ExprValue::Array(_) => 2,
        }
    }
    match (left, right) {
        (ExprValue::Long(a), ExprValue::Long(b)) => a.cmp(b),
        (ExprValue::Long(a), ExprValue::Double(b)) => compare_long_double(*a, *b),
        (ExprValue::Double(a), ExprValue::Long(b)) => compare_long_double(*b, *a).reverse(),
        (ExprValue::Double(a), ExprValue::Double(b)) => compare_doubles(*a, *b),
        _ if class(left) != class(right) => class(left).cmp(&class(right)),
        _ => compare_nullable(ordering, left.as_text().as_deref(), right.as_text().as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[Option<&str>]) -> Column {
        let mut keys =
            StringKeys { ids: vec![], ends: vec![], bytes: String::new(), sorted: false };
        for value in values {
            match value {
                Some(value) => {
                    keys.bytes.push_str(value);
                    keys.ends.push(keys.bytes.len());
                    keys.ids.push(keys.ends.len() as u32);
                }
                None => keys.ids.push(0),
            }
        }
        Column::Text(keys)
    }

    fn order(column: &Column, ordering: Ordering) -> Vec<usize> {
        let keys = column.sort_keys(ordering);
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
        let column = Column::of_longs(all.into_iter());
        assert_eq!(order(&column, Ordering::Lexicographic), [1, 2, 4, 3, 0]);
        let column = Column::of_longs([Some(3), Some(i64::MIN), Some(i64::MAX)].into_iter());
        assert_eq!(order(&column, Ordering::Lexicographic), [1, 0, 2]);
    }

    #[test]
    fn doubles_sort_null_first_and_nan_last() {
        let all = [Some(f64::NAN), Some(1.5), Some(f64::NEG_INFINITY), None, Some(-1.5)];
        let column = Column::of_doubles(all.into_iter());
        assert_eq!(order(&column, Ordering::Lexicographic), [3, 2, 4, 1, 0]);
        let keys = Column::of_doubles([Some(0.0), Some(-0.0)].into_iter());
        let keys = keys.sort_keys(Ordering::Lexicographic);
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

    #[test]
    fn gathering_few_rows_copies_only_their_text() {
        let Column::Text(keys) = text(&[Some("a"), Some("b"), None, Some("c"), Some("d")]) else {
            unreachable!()
        };
        let gathered = gather_text(&keys, &[3]);
        assert_eq!((gathered.get(0), gathered.bytes.as_str()), (Some("c"), "c"));
        let whole = gather_text(&keys, &[3, 2]);
        assert_eq!((whole.get(0), whole.get(1)), (Some("c"), None));
    }
}
