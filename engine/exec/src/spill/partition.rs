//! Cutting groups into partitions: equal groups of any partial meet in the same one.

use henge_vector::Column;

use crate::bucket_starts::BucketStarts;
use crate::partial::GroupedPartial;

/// The groups of each of `partitions` partitions.
#[must_use]
pub fn partition_groups(partial: &GroupedPartial, partitions: usize) -> Vec<GroupedPartial> {
    let mut groups_of: Vec<Vec<u32>> = vec![Vec::new(); partitions.max(1)];
    let count = groups_of.len() as u64;
    for (group, hash) in (0..).zip(hashes(partial)) {
        // The upper bits are the well mixed ones.
        groups_of[scaled(hash, count)].push(group);
    }
    groups_of.iter().map(|groups| partial.pick(groups)).collect()
}

/// A hash as one of `count` numbers.
fn scaled(hash: u64, count: u64) -> usize {
    usize::try_from((u128::from(hash) * u128::from(count)) >> 64).unwrap_or(usize::MAX)
}

/// A hash of each group's bucket and keys, the same in every partial.
fn hashes(partial: &GroupedPartial) -> Vec<u64> {
    let mut hashes = vec![0; partial.group_count()];
    if let BucketStarts::At(starts) = &partial.bucket_starts {
        Column::longs(starts.clone(), None).mix_into(&mut hashes);
    }
    partial.keys.iter().for_each(|keys| keys.mix_into(&mut hashes));
    hashes
}
