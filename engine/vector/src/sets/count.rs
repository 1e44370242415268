//! How many values a set has, where kinds meet: segments may hold a column as numbers and as texts.
//!
//! Numbers are equal by value, so a LONG that is a DOUBLE counts as that. Where a set has texts too, all
//! its values count by their text, as a grouping by the column tells them apart.

use henge_types::ValueRef;
use henge_types::coerce::as_text;
use henge_types::number::equality_bits;
use rustc_hash::FxHashSet;

use super::Sets;
use super::image::Values;

impl Sets {
    /// How many values each row's set has.
    #[must_use]
    pub fn counts(&self) -> Vec<i64> {
        if self.parts.len() + self.spread.len() < 2 {
            return (0..self.rows).map(|row| self.held(row) as i64).collect();
        }
        let settled = self.settled();
        (0..self.rows).map(|row| settled.count(row) as i64).collect()
    }

    /// How many values a row's set has, once all are in the order of the rows.
    fn count(&self, row: usize) -> usize {
        let mut parts = self.parts.iter().filter(|part| part.count(row) > 0);
        match (parts.next(), parts.next()) {
            (None, _) => 0,
            (Some(only), None) => only.count(row),
            (Some(_), Some(_)) => {
                let mut values = Values::default();
                self.parts.iter().for_each(|part| values.collect(part, row));
                values.distinct_count()
            }
        }
    }
}

impl Values<'_> {
    fn distinct_count(&self) -> usize {
        match self.texts.is_empty() {
            true => self.distinct_numbers(),
            false => self.distinct_texts(),
        }
    }

    fn distinct_numbers(&self) -> usize {
        let mut doubles: FxHashSet<u64> = self.doubles.iter().copied().map(equality_bits).collect();
        let is_double = |value: &i64| (*value as f64) as i128 == i128::from(*value);
        let (alike, apart): (Vec<i64>, Vec<i64>) = self.longs.iter().partition(|v| is_double(v));
        doubles.extend(alike.into_iter().map(|value| equality_bits(value as f64)));
        doubles.len() + apart.into_iter().collect::<FxHashSet<i64>>().len()
    }

    fn distinct_texts(&self) -> usize {
        let longs = self.longs.iter().map(|value| ValueRef::Long(*value));
        let doubles = self.doubles.iter().map(|value| ValueRef::Double(*value));
        let texts = self.texts.iter().map(|text| ValueRef::String(text));
        let (mut distinct, mut buffer) = (FxHashSet::default(), String::new());
        for value in longs.chain(doubles).chain(texts) {
            distinct.extend(as_text(&value, &mut buffer).map(str::to_owned));
        }
        distinct.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;
    use crate::sets::SetPart;

    fn set(longs: &[i64], doubles: &[f64], texts: &[&str]) -> Sets {
        let mut distinct = crate::TextValues::default();
        let ids: Vec<u32> = texts.iter().map(|text| distinct.push(text)).collect();
        let parts = vec![
            SetPart::new([longs.len()], Column::longs(longs.to_vec(), None)),
            SetPart::new([doubles.len()], Column::doubles(doubles.to_vec(), None)),
            SetPart::new([texts.len()], Column::Text(distinct.into_text(ids, false))),
        ];
        Sets::new(1, parts)
    }

    #[test]
    fn values_of_several_kinds_count_once() {
        const LARGE: i64 = (1 << 53) + 1;
        for (sets, expected) in [
            (set(&[1, 2], &[], &["1", "2"]), 2),
            (set(&[1, 2], &[], &["1", "x"]), 3),
            (set(&[1, 0], &[1.0, -0.0, 2.5], &[]), 3),
            (set(&[LARGE], &[LARGE as f64], &[]), 2),
            (set(&[i64::MAX, i64::MIN], &[i64::MAX as f64, i64::MIN as f64], &[]), 3),
            (set(&[], &[2.5, f64::NAN], &["2.5", "NaN"]), 2),
            (set(&[1], &[1.0], &["x"]), 3),
            (set(&[], &[], &[]), 0),
        ] {
            assert_eq!(sets.counts(), [expected], "{sets:?}");
        }
    }
}
