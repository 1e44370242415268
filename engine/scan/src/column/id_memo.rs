//! From small ids to other ids: found when first met, looked up in a slice from then on.

use henge_segment::IdBlock;

use crate::error::Result;
use crate::selection::Selection;

/// Marks what was not met yet; no id is that large.
const UNKNOWN: u32 = u32::MAX;

/// Ids by id.
#[derive(Debug, Default)]
pub(crate) struct IdMemo {
    ids: Vec<u32>,
    known_count: usize,
}

impl IdMemo {
    pub(crate) fn new(key_count: usize) -> Self {
        Self { ids: vec![UNKNOWN; key_count], known_count: 0 }
    }

    /// Makes room for keys below this.
    pub(crate) fn grow(&mut self, key_count: usize) {
        if key_count > self.ids.len() {
            self.ids.resize(key_count, UNKNOWN);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.ids.capacity() * size_of::<u32>()
    }

    /// The id of a key, found on first use.
    #[inline]
    pub(crate) fn get(&mut self, key: u32, find: impl FnOnce() -> Result<u32>) -> Result<u32> {
        match self.ids.get(key as usize) {
            Some(&id) if id != UNKNOWN => Ok(id),
            _ => self.fill(key, find),
        }
    }

    #[cold]
    fn fill(&mut self, key: u32, find: impl FnOnce() -> Result<u32>) -> Result<u32> {
        let id = find()?;
        self.set(key, id);
        Ok(id)
    }

    /// Keeps the id of a key that has none yet.
    pub(crate) fn set(&mut self, key: u32, id: u32) {
        if let Some(slot) = self.ids.get_mut(key as usize) {
            *slot = id;
            self.known_count += 1;
        }
    }

    /// True when the id of a key was found.
    pub(crate) fn knows(&self, key: u32) -> bool {
        self.ids.get(key as usize).is_some_and(|id| *id != UNKNOWN)
    }

    /// How many keys have an id.
    pub(crate) fn known_count(&self) -> usize {
        self.known_count
    }

    /// How many keys there are.
    pub(crate) fn key_count(&self) -> usize {
        self.ids.len()
    }

    /// Writes the ids of the selected rows, whose keys are `keys[row]`; `find` is given the first
    /// row of each key that is new.
    pub(crate) fn map<K: Copy + Into<u32>>(
        &mut self,
        keys: &[K],
        selection: Selection<'_>,
        ids: &mut [u32],
        mut find: impl FnMut(usize, u32) -> Result<u32>,
    ) -> Result<()> {
        if self.look_up(keys, selection, ids) {
            return Ok(());
        }
        selection.try_for_each(|row| {
            if ids[row] == UNKNOWN {
                let key = keys[row].into();
                ids[row] = self.get(key, || find(row, key))?;
            }
            Ok(())
        })
    }

    /// As [`IdMemo::map`], for whoever finds many at once: `find` is given all keys that are new, each
    /// once and ascending, and sets their ids.
    pub(crate) fn map_together<K: Copy + Into<u32>>(
        &mut self,
        keys: &[K],
        selection: Selection<'_>,
        ids: &mut [u32],
        find: impl FnOnce(&mut Self, &[u32]) -> Result<()>,
    ) -> Result<()> {
        if self.look_up(keys, selection, ids) {
            return Ok(());
        }
        let mut new = Vec::new();
        selection.for_each(|row| {
            if ids[row] == UNKNOWN {
                new.push(keys[row].into());
            }
        });
        new.sort_unstable();
        new.dedup();
        find(self, &new)?;
        self.look_up(keys, selection, ids);
        Ok(())
    }

    /// Writes the ids of the selected rows as far as they are known; true when all are.
    fn look_up<K: Copy + Into<u32>>(
        &self,
        keys: &[K],
        selection: Selection<'_>,
        ids: &mut [u32],
    ) -> bool {
        // New keys are rare: look all rows up first, and come back only when one was missing.
        let mut missing = false;
        let known = self.ids.as_slice();
        let mut look_up = |key: K| {
            let id = known.get(key.into() as usize).copied().unwrap_or(UNKNOWN);
            missing |= id == UNKNOWN;
            id
        };
        match selection {
            Selection::Range { start, end } => {
                for (id, &key) in ids[start..end].iter_mut().zip(&keys[start..end]) {
                    *id = look_up(key);
                }
            }
            Selection::Rows(rows) => {
                for &row in rows {
                    ids[row as usize] = look_up(keys[row as usize]);
                }
            }
        }
        !missing
    }
}

/// Ids of any width as 32-bit ids; the id of all rows when they have the same.
pub(crate) fn widen_ids(
    block: IdBlock<'_>,
    selection: Selection<'_>,
    wide: &mut [u32],
) -> Option<u32> {
    fn copy<T: Copy + Into<u32>>(ids: &[T], selection: Selection<'_>, wide: &mut [u32]) {
        match selection {
            Selection::Range { start, end } => {
                for (wide, &id) in wide[start..end].iter_mut().zip(&ids[start..end]) {
                    *wide = id.into();
                }
            }
            Selection::Rows(rows) => {
                for &row in rows {
                    wide[row as usize] = ids[row as usize].into();
                }
            }
        }
    }
    match block {
        IdBlock::Constant(id) => return Some(id),
        IdBlock::U8(ids) => copy(ids, selection, wide),
        IdBlock::U16(ids) => copy(ids, selection, wide),
        IdBlock::U32(ids) => copy(ids, selection, wide),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_found_once_and_in_the_order_of_rows() {
        let mut memo = IdMemo::new(3);
        let keys: [u8; 6] = [2, 0, 2, 9, 0, 9];
        let (mut ids, mut found) = ([7; 6], Vec::new());
        let mut find = |row, key| {
            found.push((row, key));
            Ok(key * 10)
        };
        memo.map(&keys, Selection::Range { start: 0, end: 3 }, &mut ids, &mut find).unwrap();
        assert_eq!(ids, [20, 0, 20, 7, 7, 7]);
        // Keys out of range are never kept.
        memo.map(&keys, Selection::Rows(&[2, 3, 4, 5]), &mut ids, &mut find).unwrap();
        assert_eq!(ids, [20, 0, 20, 90, 0, 90]);
        assert_eq!(found, [(0, 2), (1, 0), (3, 9), (5, 9)]);
    }
}
