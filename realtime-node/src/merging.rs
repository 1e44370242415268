//! How much is merged at once. A merge holds a column of all its inputs at a time, with all texts of
//! it twice, so what it takes grows with what the inputs took as indexes. Inputs beyond a budget
//! become several segments of their chunk, whatever was buffered, loaded or replayed; and hand-offs
//! of many datasources wait for each other.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Merges of this many budgets run at once.
const BUDGETS_AT_ONCE: usize = 2;
/// What room is counted in.
const UNIT_BYTES: usize = 1 << 10;

/// What is merged into one segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MergeGroup<T> {
    /// The inputs.
    pub(crate) items: Vec<T>,
    /// What they take, or took, as indexes.
    pub(crate) bytes: usize,
}

/// Cuts a list, in order, into groups of at most `max_bytes` each; what is larger stands alone.
pub(crate) fn in_groups<T>(
    items: impl IntoIterator<Item = (T, usize)>,
    max_bytes: usize,
) -> Vec<MergeGroup<T>> {
    let mut groups: Vec<MergeGroup<T>> = Vec::new();
    for (item, bytes) in items {
        match groups.last_mut() {
            Some(group) if group.bytes.saturating_add(bytes) <= max_bytes => {
                group.items.push(item);
                group.bytes += bytes;
            }
            _ => groups.push(MergeGroup { items: vec![item], bytes }),
        }
    }
    groups
}

/// Room for the merges of all hand-offs.
#[derive(Debug)]
pub(crate) struct MergeRoom {
    units: u32,
    free: Semaphore,
}

impl MergeRoom {
    /// Room for a few merges of `max_merge_bytes`.
    #[must_use]
    pub(crate) fn new(max_merge_bytes: usize) -> Self {
        let units = max_merge_bytes.saturating_mul(BUDGETS_AT_ONCE) / UNIT_BYTES;
        let units = units.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize)) as u32;
        Self { units, free: Semaphore::new(units as usize) }
    }

    /// Waits for room for a merge of so many bytes; one that is too large for it has all of it.
    /// `None` never in practice: the room is never closed.
    pub(crate) async fn take(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        let wanted = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX);
        self.free.acquire_many(wanted.clamp(1, self.units)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_11_groups_stay_within_the_budget_and_keep_the_order() {
        let groups = |sizes: &[usize], most: usize| -> Vec<Vec<usize>> {
            let groups = in_groups(sizes.iter().map(|size| (*size, *size)), most);
            let within = |g: &MergeGroup<usize>| g.bytes <= most || g.items.len() == 1;
            assert!(groups.iter().all(within), "{groups:?}");
            groups.into_iter().map(|group| group.items).collect()
        };
        assert!(groups(&[], 10).is_empty());
        let expected = [vec![4, 6], vec![1, 9], vec![25], vec![0, 3]];
        assert_eq!(groups(&[4, 6, 1, 9, 25, 0, 3], 10), expected);
        assert_eq!(groups(&[7, 8], usize::MAX), [vec![7, 8]]);
    }

    #[tokio::test]
    async fn i_11_merges_wait_for_each_other_and_one_that_is_too_large_goes_alone() {
        let room = MergeRoom::new(1 << 20);
        let first = room.take(1 << 20).await;
        let second = room.take(1 << 20).await;
        assert_eq!(room.free.available_permits(), 0);
        drop((first, second));
        let large = room.take(usize::MAX).await;
        assert!(large.is_some() && room.free.available_permits() == 0);
        drop(large);
        assert!(MergeRoom::new(usize::MAX).take(usize::MAX).await.is_some());
    }
}
