//! Keys of several parts in 64 or 128 bits, numbered by one table: numbers by their values, whatever
//! else by ids.

use henge_types::number::{equality_bits, of_equality_bits};
use henge_vector::{Array, Column, Float64Array, Int64Array, nulls_of, optional};

use crate::id_table::IdTable;
use crate::wide_table::WideIdTable;

/// Keys of parts side by side, and the number of each distinct one.
#[derive(Debug)]
pub struct PackedKeys {
    fields: Vec<Field>,
    table: Table,
}

/// Where a part is in a key.
#[derive(Debug, Clone, Copy)]
struct Field {
    shift: u32,
    width: u32,
}

#[derive(Debug)]
enum Table {
    Narrow { keys: Vec<u64>, ids: IdTable },
    Wide { keys: Vec<u128>, ids: WideIdTable },
}

/// Bits that values below `count` take.
#[inline]
pub fn bits_of_ids(count: usize) -> u32 {
    usize::BITS - count.saturating_sub(1).leading_zeros()
}

impl PackedKeys {
    /// Keys of parts of so many bits, each at most 64; `None` when they are more than 128 in all.
    pub fn new(widths: &[u32]) -> Option<Self> {
        let mut bits = 0;
        let field = |&width: &u32| {
            let shift = bits;
            bits += width;
            Field { shift, width }
        };
        let fields = widths.iter().map(field).collect();
        let table = match bits {
            0..=64 => Table::Narrow { keys: Vec::new(), ids: IdTable::default() },
            65..=128 => Table::Wide { keys: Vec::new(), ids: WideIdTable::default() },
            _ => return None,
        };
        Some(Self { fields, table })
    }

    /// Makes room for so many distinct keys.
    pub fn reserve(&mut self, keys: usize) {
        match &mut self.table {
            Table::Narrow { ids, .. } => ids.reserve(keys),
            Table::Wide { ids, .. } => ids.reserve(keys),
        }
    }

    /// Number of distinct keys.
    pub fn len(&self) -> usize {
        match &self.table {
            Table::Narrow { ids, .. } => ids.len(),
            Table::Wide { ids, .. } => ids.keys().len(),
        }
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory, roughly.
    pub fn memory_bytes(&self) -> usize {
        match &self.table {
            Table::Narrow { ids, .. } => ids.memory_bytes(),
            Table::Wide { ids, .. } => ids.memory_bytes(),
        }
    }

    /// Begins so many keys, all 0.
    pub fn start(&mut self, count: usize) {
        match &mut self.table {
            Table::Narrow { keys, .. } => {
                keys.clear();
                keys.resize(count, 0);
            }
            Table::Wide { keys, .. } => {
                keys.clear();
                keys.resize(count, 0);
            }
        }
    }

    /// Puts a part into the keys that were begun, in their order. Values fit the part's bits.
    #[inline]
    pub fn put(&mut self, part: usize, values: impl Iterator<Item = u64>) {
        let Field { shift, width } = self.fields[part];
        if width == 0 {
            return;
        }
        match &mut self.table {
            Table::Narrow { keys, .. } => {
                keys.iter_mut().zip(values).for_each(|(key, value)| *key |= value << shift);
            }
            Table::Wide { keys, .. } => {
                let values = values.map(u128::from);
                keys.iter_mut().zip(values).for_each(|(key, value)| *key |= value << shift);
            }
        }
    }

    /// Numbers the keys that were begun.
    pub fn number(&mut self, ids: &mut [u32]) {
        match &mut self.table {
            Table::Narrow { keys, ids: table } => table.ids_of(keys, ids),
            Table::Wide { keys, ids: table } => table.ids_of(keys, ids),
        }
    }

    /// Numbers each of the keys that were begun anew, as if it was never seen: no key of all that is
    /// here is to be looked up then.
    pub fn number_each(&mut self, ids: &mut [u32]) {
        match &mut self.table {
            Table::Narrow { keys, ids: table } => table.append(keys, ids),
            Table::Wide { keys, ids: table } => table.append(keys, ids),
        }
    }

    /// A part of the keys with these numbers.
    pub fn part(&self, part: usize, ids: impl Iterator<Item = u32>) -> Vec<u64> {
        let Field { shift, width } = self.fields[part];
        if width == 0 {
            return ids.map(|_| 0).collect();
        }
        let mask = u64::MAX >> (64 - width);
        match &self.table {
            Table::Narrow { ids: table, .. } => {
                ids.map(|id| table.keys()[id as usize] >> shift & mask).collect()
            }
            Table::Wide { ids: table, .. } => {
                ids.map(|id| (table.keys()[id as usize] >> shift) as u64 & mask).collect()
            }
        }
    }

    /// As [`PackedKeys::part`], of ids.
    pub fn part_ids(&self, part: usize, ids: impl Iterator<Item = u32>) -> Vec<u32> {
        self.part(part, ids).into_iter().map(|id| id as u32).collect()
    }
}

/// How integers, or null, are parts of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedLongs {
    /// The smallest and the largest, when null has room beside them in 64 bits.
    range: Option<(i64, u64)>,
    /// Whether null needs a part of its own.
    nullable: bool,
}

impl PackedLongs {
    /// Of integers between two ends; of any for `None`.
    pub fn within(ends: Option<(i64, i64)>) -> Self {
        let span = |(min, max): (i64, i64)| (min, max.wrapping_sub(min) as u64);
        Self { range: ends.map(span).filter(|(_, span)| *span < u64::MAX), nullable: true }
    }

    /// Of any integers, of which none is null if none is `nullable`.
    pub fn any(nullable: bool) -> Self {
        Self { range: None, nullable }
    }

    /// The bits of its parts: one, or two when null needs one of its own.
    pub fn widths(self) -> Vec<u32> {
        match self.range {
            Some((_, span)) => vec![64 - (span + 1).leading_zeros()],
            None if self.nullable => vec![64, 1],
            None => vec![64],
        }
    }

    /// Puts integers that are not null into keys; true when one is outside of the range.
    #[inline]
    pub fn put(
        self,
        keys: &mut PackedKeys,
        part: usize,
        values: impl Iterator<Item = i64>,
    ) -> bool {
        let Some((min, span)) = self.range else {
            keys.put(part, values.map(|value| value as u64));
            return false;
        };
        let mut outside = false;
        keys.put(
            part,
            values.map(|value| {
                let offset = value.wrapping_sub(min) as u64;
                outside |= offset > span;
                offset.min(span) + 1
            }),
        );
        outside
    }

    /// As [`PackedLongs::put`], for integers of which some may be null.
    #[inline]
    pub fn put_nullable(
        self,
        keys: &mut PackedKeys,
        part: usize,
        values: impl Iterator<Item = Option<i64>> + Clone,
    ) -> bool {
        let Some((min, span)) = self.range else {
            keys.put(part, values.clone().map(|value| value.unwrap_or(0) as u64));
            keys.put(part + 1, values.map(|value| u64::from(value.is_none())));
            return false;
        };
        let mut outside = false;
        let code = |value: Option<i64>| match value {
            None => 0,
            Some(value) => {
                let offset = value.wrapping_sub(min) as u64;
                outside |= offset > span;
                offset.min(span) + 1
            }
        };
        keys.put(part, values.map(code));
        outside
    }

    /// The integers of the keys with these numbers.
    pub fn column(self, keys: &PackedKeys, part: usize, ids: &[u32]) -> Column {
        let codes = keys.part(part, ids.iter().copied());
        let Some((min, _)) = self.range else {
            let nulls = self.nullable.then(|| keys.part(part + 1, ids.iter().copied()));
            let nulls = nulls.and_then(|null| nulls_of(codes.len(), |row| null[row] == 0));
            return Column::longs(codes.into_iter().map(|code| code as i64).collect(), nulls);
        };
        let nulls = nulls_of(codes.len(), |row| codes[row] != 0);
        let value = |code: u64| if code == 0 { 0 } else { min.wrapping_add((code - 1) as i64) };
        Column::longs(codes.into_iter().map(value).collect(), nulls)
    }
}

/// Doubles, or null, as a part of a key: the bits that are equal where values are, and those of no
/// such value for null.
#[derive(Debug, Clone, Copy)]
pub struct PackedDoubles;

impl PackedDoubles {
    /// Bits of the part.
    pub const WIDTH: u32 = 64;
    /// A NaN that is not the one of [`equality_bits`].
    const NULL: u64 = u64::MAX;

    /// The part of a value.
    #[inline]
    pub fn code(value: Option<f64>) -> u64 {
        value.map_or(Self::NULL, equality_bits)
    }

    /// The doubles of the keys with these numbers.
    pub fn array(keys: &PackedKeys, part: usize, ids: &[u32]) -> Float64Array {
        let codes = keys.part(part, ids.iter().copied());
        let nulls = nulls_of(codes.len(), |row| codes[row] != Self::NULL);
        let value = |code: u64| if code == Self::NULL { 0.0 } else { of_equality_bits(code) };
        Float64Array::new(codes.into_iter().map(value).collect(), nulls)
    }
}

/// The smallest and the largest of some integers that are not null.
pub fn ends_of<'c>(columns: impl Iterator<Item = &'c Int64Array>) -> Option<(i64, i64)> {
    let ends = columns.filter_map(|column| {
        let values = column.values().iter().copied();
        if column.null_count() == 0 {
            return values.clone().min().zip(values.max());
        }
        let values = (0..column.len()).filter_map(|row| optional(column, row));
        values.clone().min().zip(values.max())
    });
    ends.reduce(|(low, high), (min, max)| (low.min(min), high.max(max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_looked_up_are_numbered_each() {
        for widths in [[64, 0], [64, 64]] {
            let mut keys = PackedKeys::new(&widths).unwrap();
            let mut ids = [0; 3];
            for first in [0, 3] {
                keys.start(3);
                keys.put(0, [7, 7, 9].into_iter());
                keys.number_each(&mut ids);
                assert_eq!(ids, [first, first + 1, first + 2]);
            }
            assert_eq!(keys.part(0, 0..6), [7, 7, 9, 7, 7, 9]);
        }
    }

    #[test]
    fn parts_come_back_as_they_were_put() {
        let longs = [Some(i64::MIN), None, Some(i64::MAX), Some(-1), Some(i64::MIN), None];
        let doubles = [Some(-0.0), Some(f64::NAN), None, Some(0.0), Some(0.0), Some(f64::NAN)];
        let ids = [3u64, 0, 3, 1, 3, 0];
        for ends in [None, Some((i64::MIN, i64::MAX)), Some((-1, 7))] {
            let packing = PackedLongs::within(ends);
            let mut widths = packing.widths();
            let fits = |value: &Option<i64>| ends != Some((-1, 7)) || value.is_none_or(|v| v == -1);
            widths.extend([bits_of_ids(4)]);
            let mut keys = PackedKeys::new(&widths).unwrap();
            keys.start(6);
            let outside = packing.put_nullable(&mut keys, 0, longs.iter().copied());
            assert_eq!(outside, !longs.iter().all(fits));
            keys.put(widths.len() - 1, ids.iter().copied());
            let mut groups = [0; 6];
            keys.number(&mut groups);
            let found = packing.column(&keys, 0, &groups);
            let Column::Long(found) = found else { panic!("longs") };
            for (row, expected) in longs.iter().enumerate().filter(|(_, value)| fits(value)) {
                assert_eq!(optional(&found, row), *expected);
            }
            assert_eq!(keys.part(widths.len() - 1, groups.iter().copied()), ids);
            if !outside {
                assert_eq!((keys.len(), groups), (4, [0, 1, 2, 3, 0, 1]));
            }
        }
        let mut keys = PackedKeys::new(&[PackedDoubles::WIDTH, 2]).unwrap();
        keys.start(6);
        keys.put(0, doubles.iter().map(|value| PackedDoubles::code(*value)));
        let mut groups = [0; 6];
        keys.number(&mut groups);
        assert_eq!(groups, [0, 1, 2, 0, 0, 1]);
        let array = PackedDoubles::array(&keys, 0, &groups);
        assert!(array.is_null(2) && array.value(1).is_nan() && array.value(0).to_bits() == 0);
        assert!(PackedKeys::new(&[64, 64, 1]).is_none());
    }
}
