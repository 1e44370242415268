//! Numbers as parts of packed keys: their values instead of ids.

use henge_segment::{NumericBlock, NumericValues};
use henge_types::ValueType;
use henge_vector::Column;

use super::ids::{not_loaded, outside_statistics};
use super::values::{LocalValues, round};
use super::{Dimension, Kind};
use crate::column::{Loaded, LoadedBlock};
use crate::error::Result;
use crate::packed_keys::{PackedDoubles, PackedKeys, PackedLongs};
use crate::selection::Selection;

/// How a dimension of numbers is a part of a packed key.
#[derive(Debug, Clone, Copy)]
pub enum NumberPart {
    /// Integers.
    Longs(PackedLongs),
    /// Doubles, FLOATs among them.
    Doubles,
}

impl NumberPart {
    /// Bits of its parts.
    pub fn widths(self) -> Vec<u32> {
        match self {
            Self::Longs(packing) => packing.widths(),
            Self::Doubles => vec![PackedDoubles::WIDTH],
        }
    }
}

impl Dimension<'_> {
    /// How the dimension is a part of a packed key; `None` when its keys are no numbers, or are
    /// numbered without a table.
    pub fn number_part(&self) -> Option<NumberPart> {
        match (&self.kind, self.output) {
            (_, ValueType::String) => None,
            (Kind::Numbers { values: LocalValues::Long(_), ends, .. }, _) => {
                Some(NumberPart::Longs(PackedLongs::within(*ends)))
            }
            (Kind::Numbers { values: LocalValues::Double(_), .. }, _) => Some(NumberPart::Doubles),
            (
                Kind::Null
                | Kind::Dictionary { .. }
                | Kind::Mapped { .. }
                | Kind::DirectLongs { .. }
                | Kind::Numbers { values: LocalValues::Text(_), .. }
                | Kind::Computed { .. },
                _,
            ) => None,
        }
    }

    /// Puts the selected rows' numbers into keys that were begun for them.
    ///
    /// # Errors
    /// When the segment is corrupt.
    pub fn pack(
        &self,
        part: NumberPart,
        selection: Selection<'_>,
        loaded: &LoadedBlock<'_>,
        keys: &mut PackedKeys,
        at: usize,
    ) -> Result<()> {
        let Kind::Numbers { slot, .. } = &self.kind else { return Err(not_loaded()) };
        let output = self.output;
        match (part, loaded.get(*slot)) {
            (NumberPart::Longs(packing), loaded) => {
                let mut to = LongsTo { packing, keys, at, outside: false };
                match loaded {
                    Loaded::Long(block) => to.block(&block, selection, |value| value),
                    Loaded::Float(block) => to.block(&block, selection, |value| value as i64),
                    Loaded::Double(block) => to.block(&block, selection, |value| value as i64),
                    Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => return Err(not_loaded()),
                }
                if to.outside {
                    return Err(outside_statistics());
                }
            }
            (NumberPart::Doubles, loaded) => {
                let mut to = DoublesTo { keys, at };
                match loaded {
                    Loaded::Long(block) => {
                        to.block(&block, selection, |value| round(value as f64, output));
                    }
                    Loaded::Float(block) => to.block(&block, selection, f64::from),
                    Loaded::Double(block) => {
                        to.block(&block, selection, |value| round(value, output));
                    }
                    Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => return Err(not_loaded()),
                }
            }
        }
        Ok(())
    }

    /// The keys of groups with these numbers.
    pub fn packed_column(
        &self,
        part: NumberPart,
        keys: &PackedKeys,
        at: usize,
        groups: &[u32],
    ) -> Column {
        match (part, self.output) {
            (NumberPart::Longs(packing), _) => packing.column(keys, at, groups),
            (NumberPart::Doubles, ValueType::Float) => {
                Column::WideFloat(PackedDoubles::array(keys, at, groups))
            }
            (NumberPart::Doubles, ValueType::String | ValueType::Long | ValueType::Double) => {
                Column::Double(PackedDoubles::array(keys, at, groups))
            }
        }
    }
}

/// Takes the numbers of selected rows.
trait NumbersTo<V> {
    /// None of them null.
    fn plain(&mut self, values: impl Iterator<Item = V>);
    /// Some of them null.
    fn nullable(&mut self, values: impl Iterator<Item = Option<V>> + Clone);

    fn block<T: Copy>(
        &mut self,
        block: &NumericBlock<'_, T>,
        selection: Selection<'_>,
        convert: impl Fn(T) -> V + Copy,
    ) {
        match (block.values, block.nulls, selection) {
            (NumericValues::Slice(values), None, Selection::Range { start, end }) => {
                self.plain(values[start..end].iter().map(|value| convert(*value)));
            }
            (NumericValues::Slice(values), None, Selection::Rows(rows)) => {
                self.plain(rows.iter().map(|row| convert(values[usize::from(*row)])));
            }
            (values, nulls, selection) => {
                let value = |row: usize| {
                    let is_null = nulls.is_some_and(|nulls| nulls.is_null(row));
                    (!is_null).then(|| convert(values.get(row)))
                };
                match selection {
                    Selection::Range { start, end } => self.nullable((start..end).map(value)),
                    Selection::Rows(rows) => {
                        self.nullable(rows.iter().map(|row| value(usize::from(*row))));
                    }
                }
            }
        }
    }
}

struct LongsTo<'k> {
    packing: PackedLongs,
    keys: &'k mut PackedKeys,
    at: usize,
    outside: bool,
}

impl NumbersTo<i64> for LongsTo<'_> {
    fn plain(&mut self, values: impl Iterator<Item = i64>) {
        self.outside |= self.packing.put(self.keys, self.at, values);
    }

    fn nullable(&mut self, values: impl Iterator<Item = Option<i64>> + Clone) {
        self.outside |= self.packing.put_nullable(self.keys, self.at, values);
    }
}

struct DoublesTo<'k> {
    keys: &'k mut PackedKeys,
    at: usize,
}

impl NumbersTo<f64> for DoublesTo<'_> {
    fn plain(&mut self, values: impl Iterator<Item = f64>) {
        self.keys.put(self.at, values.map(|value| PackedDoubles::code(Some(value))));
    }

    fn nullable(&mut self, values: impl Iterator<Item = Option<f64>> + Clone) {
        self.keys.put(self.at, values.map(PackedDoubles::code));
    }
}
