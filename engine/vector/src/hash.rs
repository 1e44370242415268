//! Hashes of rows: the same for equal values, whatever numbers them.

use std::hash::{Hash, Hasher};

use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use henge_expr::ExprValue;
use henge_types::number::order_bits;
use rustc_hash::FxHasher;

use crate::column::Column;
use crate::numbers::optional;

impl Column {
    /// Mixes each row's value into its hash. The upper bits are the well mixed ones.
    pub fn mix_into(&self, hashes: &mut [u64]) {
        match self {
            Self::Null(rows) => mix(hashes, std::iter::repeat_n(hash_of(&None::<i64>), *rows)),
            Self::Long(values) => mix_values(hashes, values, |value| value as u64),
            // Sums are no wider than they must be, so equal ones may be of either width.
            Self::Wide(values) => mix_values(hashes, values, |value| value as u64),
            Self::Float(values) => {
                mix_values(hashes, values, |value| order_bits(f64::from(value)));
            }
            Self::Double(values) | Self::WideFloat(values) => {
                mix_values(hashes, values, order_bits);
            }
            Self::Text(text) => {
                let ids = 0..text.id_count() as u32;
                let by_id: Vec<u64> = ids.map(|id| hash_of(&text.value(id))).collect();
                mix(hashes, text.ids().iter().map(|&id| by_id[id as usize]));
            }
            Self::Lists(lists) => mix(
                hashes,
                (0..lists.len()).map(|row| {
                    let values = lists.row(row).iter().map(|&id| hash_of(&lists.value(id)));
                    values.fold(0, mixed)
                }),
            ),
            Self::Objects(objects) => {
                mix(hashes, (0..objects.len()).map(|row| hash_of(&objects.image(row))));
            }
            Self::Timed(timed) => {
                mix_values(hashes, timed.times(), |time| time as u64);
                timed.values().mix_into(hashes);
            }
            Self::Mixed(values) => mix(hashes, values.iter().map(hash_mixed)),
            Self::SegmentIds(keys) => mix(hashes, keys.ids().iter().map(hash_of)),
            Self::NodeIds(keys) => {
                mix(hashes, (0..keys.ids().len()).map(|row| hash_of(&keys.get(row))));
            }
        }
    }
}

fn mix_values<T: ArrowPrimitiveType>(
    hashes: &mut [u64],
    values: &PrimitiveArray<T>,
    bits: impl Fn(T::Native) -> u64,
) {
    let values = (0..values.len()).map(|row| hash_of(&optional(values, row).map(&bits)));
    mix(hashes, values);
}

fn hash_mixed(value: &ExprValue) -> u64 {
    match value {
        ExprValue::Null => hash_of(&None::<u64>),
        ExprValue::Long(value) => hash_of(&Some(order_bits(*value as f64))),
        ExprValue::Double(value) => hash_of(&Some(order_bits(*value))),
        ExprValue::String(text) => hash_of(&Some(&**text)),
        ExprValue::Array(items) => items.iter().map(hash_mixed).fold(1, mixed),
    }
}

fn hash_of<T: Hash>(value: &T) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

fn mixed(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn mix(hashes: &mut [u64], values: impl Iterator<Item = u64>) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        *hash = mixed(*hash, value);
    }
}
