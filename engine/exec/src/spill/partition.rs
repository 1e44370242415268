//! Cutting groups into partitions: equal groups of any partial meet in the same one.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::bucket_starts::BucketStarts;
use crate::finalise::pick_groups;
use crate::partial::{GroupedPartial, KeyColumn};

/// The groups of each of `partitions` partitions.
#[must_use]
pub fn partition_groups(partial: &GroupedPartial, partitions: usize) -> Vec<GroupedPartial> {
    let mut groups_of: Vec<Vec<u32>> = vec![Vec::new(); partitions.max(1)];
    let count = groups_of.len() as u64;
    for (group, hash) in (0..).zip(hashes(partial)) {
        // The upper bits are the well mixed ones.
        groups_of[((u128::from(hash) * u128::from(count)) >> 64) as usize].push(group);
    }
    groups_of.iter().map(|groups| pick_groups(partial, groups)).collect()
}

/// A hash of each group's bucket and keys, the same in every partial.
fn hashes(partial: &GroupedPartial) -> Vec<u64> {
    let mut hashes: Vec<u64> = match &partial.bucket_starts {
        BucketStarts::All(count) => vec![0; *count],
        BucketStarts::At(starts) => starts.iter().map(hash).collect(),
    };
    for keys in &partial.keys {
        match keys {
            KeyColumn::String(keys) => {
                let by_id: Vec<u64> =
                    (0..=keys.ends.len() as u32).map(|id| hash(&keys.value(id))).collect();
                mix(&mut hashes, keys.ids.iter().map(|&id| by_id[id as usize]));
            }
            KeyColumn::Node(keys) => {
                let values = (0..keys.ids.len()).map(|group| hash(&keys.get(group)));
                mix(&mut hashes, values);
            }
            KeyColumn::Long(values) => mix(&mut hashes, values.iter().map(hash)),
            KeyColumn::Double(values) => {
                mix(&mut hashes, values.iter().map(|value| hash(&value.map(f64::to_bits))));
            }
        }
    }
    hashes
}

fn hash<T: Hash>(value: &T) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

fn mix(hashes: &mut [u64], values: impl Iterator<Item = u64>) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        *hash = (hash.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
