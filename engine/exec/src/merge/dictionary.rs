//! One dictionary for the keys of several partials.

use henge_types::number::{equality_bits, of_equality_bits};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::column::IdTable;
use crate::error::{ExecError, Result};
use crate::node::{NodeDictionary, NodeValues};
use crate::partial::{KeyColumn, NodeKeys, StringKeys};

/// The distinct keys of one dimension over all partials. Id 0 is null.
pub(super) enum MergedKeys {
    String { ends: Vec<usize>, bytes: String },
    Node { dictionary: Arc<NodeDictionary>, values: Arc<NodeValues> },
    Long(Vec<u64>),
    Double(Vec<u64>),
}

impl MergedKeys {
    /// Number of ids, null's included.
    pub(super) fn id_count(&self) -> usize {
        1 + match self {
            Self::String { ends, .. } => ends.len(),
            Self::Node { values, .. } => values.id_count() - 1,
            Self::Long(values) | Self::Double(values) => values.len(),
        }
    }

    /// The key column of groups whose ids are these.
    pub(super) fn into_keys(self, ids: Vec<u32>) -> KeyColumn {
        let index = |id: u32| (id as usize).checked_sub(1);
        match self {
            Self::String { ends, bytes } => {
                KeyColumn::String(StringKeys { ids, ends, bytes, sorted: true })
            }
            Self::Node { dictionary, values } => {
                KeyColumn::Node(NodeKeys { ids, dictionary, values })
            }
            Self::Long(values) => KeyColumn::Long(
                ids.into_iter().map(|id| index(id).map(|at| values[at] as i64)).collect(),
            ),
            Self::Double(values) => KeyColumn::Double(
                ids.into_iter()
                    .map(|id| index(id).map(|at| of_equality_bits(values[at])))
                    .collect(),
            ),
        }
    }
}

/// Merges the keys of one dimension. Gives the merged keys and each partial's ids among them.
pub(super) fn merge_keys(columns: Vec<KeyColumn>) -> Result<(MergedKeys, Vec<Vec<u32>>)> {
    match columns.first() {
        Some(KeyColumn::Long(_)) => {
            let mut table = IdTable::new();
            let ids = numbers(columns, |column| match column {
                KeyColumn::Long(values) => {
                    Some(renumber(values, |value| table.id_of(value as u64)))
                }
                _ => None,
            })?;
            Ok((MergedKeys::Long(table.keys().to_vec()), ids))
        }
        Some(KeyColumn::Double(_)) => {
            let mut table = IdTable::new();
            let ids = numbers(columns, |column| match column {
                KeyColumn::Double(values) => {
                    Some(renumber(values, |value| table.id_of(equality_bits(value))))
                }
                _ => None,
            })?;
            Ok((MergedKeys::Double(table.keys().to_vec()), ids))
        }
        _ => {
            let node = columns.iter().find_map(|column| match column {
                KeyColumn::Node(keys) => Some(Arc::clone(&keys.dictionary)),
                _ => None,
            });
            match node {
                Some(node) => number_by_node(columns, node),
                None => Ok(merge_strings(numbers(columns, |column| match column {
                    KeyColumn::String(keys) => Some(keys),
                    _ => None,
                })?)),
            }
        }
    }
}

/// Gives all keys the ids of one node-wide dictionary.
fn number_by_node(
    columns: Vec<KeyColumn>,
    dictionary: Arc<NodeDictionary>,
) -> Result<(MergedKeys, Vec<Vec<u32>>)> {
    let mut latest = Arc::new(NodeValues::default());
    let mut later = |values: Arc<NodeValues>| {
        if values.id_count() > latest.id_count() {
            latest = values;
        }
    };
    let ids = numbers(columns, |column| match column {
        KeyColumn::Node(keys) if Arc::ptr_eq(&keys.dictionary, &dictionary) => {
            later(keys.values);
            Some(keys.ids)
        }
        // Of a dictionary that was dropped and built again meanwhile.
        KeyColumn::Node(keys) => {
            let values: Vec<&str> = keys.ids.iter().filter_map(|id| keys.values.get(*id)).collect();
            let (interned, values) = dictionary.intern(values.into_iter());
            later(values);
            let mut interned = interned.into_iter();
            let id = |id: &u32| if *id == 0 { 0 } else { interned.next().unwrap_or(0) };
            Some(keys.ids.iter().map(id).collect())
        }
        KeyColumn::String(mut keys) => {
            let values = (1..=keys.ends.len() as u32).map(|id| keys.value(id).unwrap_or_default());
            let values: Vec<&str> = values.collect();
            let (interned, values) = dictionary.intern(values.into_iter());
            later(values);
            for id in keys.ids.iter_mut().filter(|id| **id != 0) {
                *id = interned[*id as usize - 1];
            }
            Some(keys.ids)
        }
        KeyColumn::Long(_) | KeyColumn::Double(_) => None,
    })?;
    Ok((MergedKeys::Node { dictionary, values: latest }, ids))
}

fn numbers<T>(
    columns: Vec<KeyColumn>,
    mut of: impl FnMut(KeyColumn) -> Option<T>,
) -> Result<Vec<T>> {
    let mixed = || ExecError::Internal("partials have keys of different types".to_owned());
    columns.into_iter().map(|column| of(column).ok_or_else(mixed)).collect()
}

fn renumber<T>(values: Vec<Option<T>>, mut id_of: impl FnMut(T) -> u32) -> Vec<u32> {
    values.into_iter().map(|value| value.map_or(0, |value| id_of(value) + 1)).collect()
}

/// A partial's dictionary, walked in the order of its values.
struct Walk<'k> {
    keys: &'k StringKeys,
    /// Ids by value; `None` when they ascend already.
    order: Option<Vec<u32>>,
    next: u32,
}

impl<'k> Walk<'k> {
    fn new(keys: &'k StringKeys) -> Self {
        let order = (!keys.sorted).then(|| {
            let mut order: Vec<u32> = (1..=keys.ends.len() as u32).collect();
            order.sort_unstable_by(|&a, &b| keys.value(a).cmp(&keys.value(b)));
            order
        });
        Self { keys, order, next: 0 }
    }

    /// The next id and value.
    fn next(&mut self) -> Option<(u32, &'k str)> {
        let id = match &self.order {
            Some(order) => *order.get(self.next as usize)?,
            None => self.next + 1,
        };
        self.next += 1;
        if id as usize > self.keys.ends.len() {
            return None;
        }
        Some((id, self.keys.value(id)?))
    }
}

/// Merges dictionaries in the order of their values, so that the result is sorted.
fn merge_strings(columns: Vec<StringKeys>) -> (MergedKeys, Vec<Vec<u32>>) {
    let mut remaps: Vec<Vec<u32>> =
        columns.iter().map(|keys| vec![0; keys.ends.len() + 1]).collect();
    let (mut ends, mut bytes) = (Vec::<usize>::new(), String::new());
    {
        let mut walks: Vec<Walk<'_>> = columns.iter().map(Walk::new).collect();
        let mut heap = BinaryHeap::with_capacity(walks.len());
        for (part, walk) in walks.iter_mut().enumerate() {
            if let Some((id, value)) = walk.next() {
                heap.push(Reverse((value, part, id)));
            }
        }
        let mut last: Option<&str> = None;
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((value, part, id)) = *top;
            if last != Some(value) {
                bytes.push_str(value);
                ends.push(bytes.len());
                last = Some(value);
            }
            remaps[part][id as usize] = ends.len() as u32;
            match walks[part].next() {
                Some((id, value)) => *top = Reverse((value, part, id)),
                None => {
                    std::collections::binary_heap::PeekMut::pop(top);
                }
            }
        }
    }
    let ids = columns
        .into_iter()
        .zip(&remaps)
        .map(|(keys, remap)| {
            let mut ids = keys.ids;
            ids.iter_mut().for_each(|id| *id = remap[*id as usize]);
            ids
        })
        .collect();
    (MergedKeys::String { ends, bytes }, ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(values: &[Option<&str>]) -> StringKeys {
        let mut interner = crate::column::StringInterner::default();
        let ids = values.iter().map(|value| interner.id_of_nullable(*value)).collect();
        interner.into_keys(ids)
    }

    #[test]
    fn string_dictionaries_merge_sorted() {
        let parts = [
            vec![Some("b"), None, Some("a"), Some("b")],
            vec![Some(""), Some("b"), Some("c")],
            vec![],
        ];
        let columns = parts.iter().map(|values| KeyColumn::String(keys(values))).collect();
        let (merged, ids) = merge_keys(columns).expect("same types");
        assert_eq!(merged.id_count(), 5);
        let all: Vec<u32> = ids.iter().flatten().copied().collect();
        let KeyColumn::String(merged) = merged.into_keys(all) else { panic!("strings") };
        assert!(merged.sorted);
        let values: Vec<Option<&str>> = (0..merged.ids.len()).map(|i| merged.get(i)).collect();
        let expected: Vec<Option<&str>> = parts.iter().flatten().copied().collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn numbers_share_ids() {
        let columns = vec![
            KeyColumn::Double(vec![Some(1.5), None]),
            KeyColumn::Double(vec![Some(-0.0), Some(1.5), Some(0.0)]),
        ];
        let (merged, ids) = merge_keys(columns).expect("same types");
        assert_eq!(merged.id_count(), 3);
        assert_eq!(ids, [vec![1, 0], vec![2, 1, 2]]);
    }
}
