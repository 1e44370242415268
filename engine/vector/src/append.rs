//! Columns put together.

use arrow_array::{Array, ArrowPrimitiveType, Decimal128Array, Int64Array, PrimitiveArray};

use crate::column::{Column, wide_array};
use crate::error::{Result, VectorError};
use crate::ids::SegmentIds;
use crate::numbers::{no_values, nulls_of};
use crate::text::{Text, TextValues};

impl Column {
    /// So many nulls of the same kind, with the same dictionary.
    #[must_use]
    pub fn nulls_like(&self, rows: usize) -> Self {
        match self {
            Self::Null(_) => Self::Null(rows),
            Self::Long(_) => Self::Long(no_values(rows)),
            Self::Wide(_) => Self::Long(no_values(rows)),
            Self::Float(_) => Self::Float(no_values(rows)),
            Self::Double(_) => Self::Double(no_values(rows)),
            Self::WideFloat(_) => Self::WideFloat(no_values(rows)),
            Self::Text(text) => Self::Text(text.with_ids(vec![0; rows])),
            Self::Lists(_) => Self::Null(rows),
            Self::Objects(objects) => Self::Objects(objects.nulls(rows)),
            Self::Timed(timed) => Self::Timed(timed.nulls_like(rows)),
            Self::Mixed(_) => Self::Mixed(vec![henge_expr::ExprValue::Null; rows]),
            Self::SegmentIds(_) => Self::SegmentIds(SegmentIds::new(vec![0; rows])),
            Self::NodeIds(keys) => Self::NodeIds(keys.with_ids(vec![0; rows])),
        }
    }

    /// Makes nulls of whole numbers zeros. Other kinds keep theirs.
    pub fn fill_nulls_with_zero(&mut self) {
        match self {
            Self::Long(values) => *values = zero_filled(values),
            Self::Wide(values) => *values = zero_filled(values),
            Self::Null(_)
            | Self::Float(_)
            | Self::Double(_)
            | Self::WideFloat(_)
            | Self::Text(_)
            | Self::Lists(_)
            | Self::Objects(_)
            | Self::Timed(_)
            | Self::Mixed(_)
            | Self::SegmentIds(_)
            | Self::NodeIds(_) => {}
        }
    }

    /// Appends the rows of a column of the same kind. Longs widen when they meet wide ones.
    ///
    /// # Errors
    /// When the columns are of different kinds, or number strings differently.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        let (left, right) = (self.kind(), other.kind());
        let mismatch = || VectorError::Mismatch { left, right };
        match (&mut *self, other) {
            (Self::Null(rows), Self::Null(more)) => *rows += more,
            (Self::Long(to), Self::Long(from)) => *to = chained(to, from),
            (Self::Long(to), Self::Wide(from)) => *self = Self::Wide(chained(&widened(to), from)),
            (Self::Wide(to), Self::Long(from)) => *to = chained(to, &widened(from)),
            (Self::Wide(to), Self::Wide(from)) => *to = chained(to, from),
            (Self::Float(to), Self::Float(from)) => *to = chained(to, from),
            (Self::Double(to), Self::Double(from))
            | (Self::WideFloat(to), Self::WideFloat(from)) => *to = chained(to, from),
            (Self::Text(to), Self::Text(from)) => *to = chained_text(to, from),
            (Self::Lists(to), Self::Lists(from)) => {
                *to = to.followed_by(from, chained_text(to.elements(), from.elements()));
            }
            (Self::Objects(to), Self::Objects(from)) => {
                if !to.append(&**from) {
                    return Err(mismatch());
                }
            }
            (Self::Timed(to), Self::Timed(from)) => to.append(from)?,
            (Self::Mixed(to), Self::Mixed(from)) => to.extend_from_slice(from),
            (Self::SegmentIds(to), Self::SegmentIds(from)) => {
                *to = SegmentIds::new([to.ids(), from.ids()].concat());
            }
            (Self::NodeIds(to), Self::NodeIds(from)) => {
                if to.numbering().dictionary() != from.numbering().dictionary() {
                    return Err(mismatch());
                }
                let ids = [to.ids(), from.ids()].concat();
                let has_all = to.numbering().id_count() >= from.numbering().id_count();
                *to = if has_all { to.with_ids(ids) } else { from.with_ids(ids) };
            }
            (
                Self::Null(_)
                | Self::Long(_)
                | Self::Wide(_)
                | Self::Float(_)
                | Self::Double(_)
                | Self::WideFloat(_)
                | Self::Text(_)
                | Self::Lists(_)
                | Self::Objects(_)
                | Self::Timed(_)
                | Self::Mixed(_)
                | Self::SegmentIds(_)
                | Self::NodeIds(_),
                _,
            ) => return Err(mismatch()),
        }
        Ok(())
    }
}

fn zero_filled<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> PrimitiveArray<T> {
    let values = array.iter().map(|value| value.unwrap_or_default());
    PrimitiveArray::from_iter_values(values).with_data_type(array.data_type().clone())
}

pub(crate) fn chained<T: ArrowPrimitiveType>(
    first: &PrimitiveArray<T>,
    second: &PrimitiveArray<T>,
) -> PrimitiveArray<T> {
    let values = [&first.values()[..], &second.values()[..]].concat();
    let is_valid = |row: usize| match row.checked_sub(first.len()) {
        None => first.is_valid(row),
        Some(row) => second.is_valid(row),
    };
    let any = first.null_count() + second.null_count() > 0;
    let nulls = any.then(|| nulls_of(values.len(), is_valid)).flatten();
    PrimitiveArray::new(values.into(), nulls).with_data_type(first.data_type().clone())
}

/// Integers as wide ones.
#[must_use]
pub fn widened(longs: &Int64Array) -> Decimal128Array {
    let values = longs.values().iter().map(|value| i128::from(*value)).collect();
    wide_array(values, longs.nulls().cloned())
}

fn chained_text(first: &Text, second: &Text) -> Text {
    if first.shares_values(second) {
        return first.with_ids([first.ids(), second.ids()].concat());
    }
    let mut values = TextValues::with_capacity(first.id_count() + second.id_count());
    for id in 1..first.id_count() as u32 {
        values.push(first.value(id).unwrap_or_default());
    }
    let shift = first.id_count() as u32 - 1;
    for id in 1..second.id_count() as u32 {
        values.push(second.value(id).unwrap_or_default());
    }
    let shifted = second.ids().iter().map(|id| if *id == 0 { 0 } else { id + shift });
    values.into_text(first.ids().iter().copied().chain(shifted).collect(), false)
}
