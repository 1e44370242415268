//! One dictionary for the keys of several partials.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use henge_scan::{ExecError, IdTable, Result};
use henge_types::narrow::{narrow, place};
use henge_types::number::{equality_bits, of_equality_bits};
use henge_vector::{
    Array, Column, Distinct, Float64Array, NodeIds, Numbering, Text, TextValues, optional,
};
use rustc_hash::FxHashMap;

/// Dictionaries in no order that together have so many values are merged by hash: each of them would be
/// sorted else.
const HASHED_VALUES: usize = 4 << 10;

/// Merges the keys of one dimension. Gives the distinct ones and each partial's ids among them.
pub(super) fn merge_keys(columns: Vec<Column>) -> Result<(Distinct, Vec<Vec<u32>>)> {
    let mut table = IdTable::default();
    match columns.first() {
        Some(Column::Long(_)) => {
            let ids = each(columns, |column| {
                let Column::Long(values) = column else { return None };
                if values.null_count() == 0 {
                    return Some(numbered(values.values(), &mut table));
                }
                let keys =
                    (0..values.len()).map(|row| optional(&values, row).map(i64::cast_unsigned));
                Some(numbered_nullable(keys, &mut table))
            })?;
            let keys = table.keys().iter().map(|key| key.cast_signed()).collect();
            Ok((Distinct::Long(keys), ids))
        }
        Some(Column::SegmentIds(_)) => {
            let ids = each(columns, |column| {
                let Column::SegmentIds(keys) = column else { return None };
                let keys = keys.ids().iter().map(|id| (*id != 0).then_some(u64::from(*id)));
                Some(numbered_nullable(keys, &mut table))
            })?;
            let keys = table.keys().iter().map(|key| narrow(place(*key))).collect();
            Ok((Distinct::SegmentIds(keys), ids))
        }
        Some(Column::Double(_)) => {
            let ids = each(columns, |column| {
                let Column::Double(values) = column else { return None };
                Some(number_doubles(&values, &mut table))
            })?;
            Ok((Distinct::Double(doubles_of(&table)), ids))
        }
        Some(Column::WideFloat(_)) => {
            let ids = each(columns, |column| {
                let Column::WideFloat(values) = column else { return None };
                Some(number_doubles(&values, &mut table))
            })?;
            Ok((Distinct::WideFloat(doubles_of(&table)), ids))
        }
        Some(Column::Text(_) | Column::NodeIds(_)) | None => merge_texts(columns),
        Some(
            other @ (Column::Null(_)
            | Column::Wide(_)
            | Column::Float(_)
            | Column::Lists(_)
            | Column::Objects(_)
            | Column::Timed(_)
            | Column::Mixed(_)),
        ) => Err(ExecError::Internal(format!("groups have keys of kind {}", other.kind()))),
    }
}

/// Merges keys that are text, or ids of a node-wide dictionary.
fn merge_texts(columns: Vec<Column>) -> Result<(Distinct, Vec<Vec<u32>>)> {
    let node = columns.iter().find_map(|column| {
        let Column::NodeIds(keys) = column else { return None };
        Some(Arc::clone(keys.numbering()))
    });
    if let Some(node) = node {
        return number_by_node(columns, &node);
    }
    let texts = each(columns, |column| {
        let Column::Text(text) = column else { return None };
        Some(text)
    })?;
    let values: usize = texts.iter().map(Text::id_count).sum();
    let in_order = texts.iter().all(Text::is_sorted) || values < HASHED_VALUES;
    Ok(if in_order { merge_strings(&texts) } else { merge_by_hash(&texts) })
}

/// Merges dictionaries in the order in which values come first.
fn merge_by_hash(columns: &[Text]) -> (Distinct, Vec<Vec<u32>>) {
    let most = columns.iter().map(Text::id_count).max().unwrap_or_default();
    let mut known: FxHashMap<&str, u32> = FxHashMap::default();
    known.reserve(most);
    let mut values = TextValues::with_capacity(most);
    let ids = columns.iter().map(|keys| {
        let new_id = |id: u32| match keys.value(id) {
            None => 0,
            Some(value) => *known.entry(value).or_insert_with(|| values.push(value)),
        };
        let remap: Vec<u32> = (0..narrow(keys.id_count())).map(new_id).collect();
        keys.ids().iter().map(|id| remap[*id as usize]).collect::<Vec<u32>>()
    });
    let ids: Vec<Vec<u32>> = ids.collect();
    (Distinct::Text(values.into_text(Vec::new(), false)), ids)
}

/// Gives keys that are text, or ids of another dictionary, the ids of a node-wide one.
pub(super) fn to_numbering(keys: Column, numbering: &Arc<dyn Numbering>) -> Result<Column> {
    let (keys, mut ids) = number_by_node(vec![keys], numbering)?;
    Ok(keys.rows(ids.pop().unwrap_or_default()))
}

/// Gives all keys the ids of one node-wide dictionary.
fn number_by_node(
    columns: Vec<Column>,
    numbering: &Arc<dyn Numbering>,
) -> Result<(Distinct, Vec<Vec<u32>>)> {
    let mut latest = Arc::clone(numbering);
    let mut later = |numbering: Arc<dyn Numbering>| {
        if numbering.id_count() > latest.id_count() {
            latest = numbering;
        }
    };
    let ids = each(columns, |column| match column {
        Column::NodeIds(keys) if keys.numbering().dictionary() == numbering.dictionary() => {
            later(Arc::clone(keys.numbering()));
            Some(keys.into_ids())
        }
        // Of a dictionary that was dropped and built again meanwhile.
        Column::NodeIds(keys) => {
            let values = keys.ids().iter().filter_map(|id| keys.numbering().value(*id));
            let (interned, values) = numbering.intern(&values.collect::<Vec<_>>());
            later(values);
            let mut interned = interned.into_iter();
            let id = |id: &u32| if *id == 0 { 0 } else { interned.next().unwrap_or(0) };
            Some(keys.ids().iter().map(id).collect())
        }
        Column::Text(text) => {
            let values = (1..narrow(text.id_count())).map(|id| text.value(id).unwrap_or_default());
            let (interned, values) = numbering.intern(&values.collect::<Vec<_>>());
            later(values);
            let id = |id: &u32| if *id == 0 { 0 } else { interned[*id as usize - 1] };
            Some(text.ids().iter().map(id).collect())
        }
        Column::Null(_)
        | Column::Long(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Double(_)
        | Column::WideFloat(_)
        | Column::Lists(_)
        | Column::Objects(_)
        | Column::Timed(_)
        | Column::Mixed(_)
        | Column::SegmentIds(_) => None,
    })?;
    Ok((Distinct::NodeIds(NodeIds::new(Vec::new(), latest)), ids))
}

fn each<T>(columns: Vec<Column>, mut of: impl FnMut(Column) -> Option<T>) -> Result<Vec<T>> {
    let mixed = || ExecError::Internal("partials have keys of different types".to_owned());
    columns.into_iter().map(|column| of(column).ok_or_else(mixed)).collect()
}

fn numbered(values: &[i64], table: &mut IdTable) -> Vec<u32> {
    let keys: Vec<u64> = values.iter().map(|value| value.cast_unsigned()).collect();
    let mut ids = vec![0; keys.len()];
    table.ids_of(&keys, &mut ids);
    ids.iter_mut().for_each(|id| *id += 1);
    ids
}

fn numbered_nullable(keys: impl Iterator<Item = Option<u64>>, table: &mut IdTable) -> Vec<u32> {
    keys.map(|key| key.map_or(0, |key| table.id_of(key) + 1)).collect()
}

fn number_doubles(values: &Float64Array, table: &mut IdTable) -> Vec<u32> {
    let keys = (0..values.len()).map(|row| optional(values, row).map(equality_bits));
    numbered_nullable(keys, table)
}

fn doubles_of(table: &IdTable) -> Vec<f64> {
    table.keys().iter().map(|key| of_equality_bits(*key)).collect()
}

/// A partial's dictionary, walked in the order of its values.
struct Walk<'k> {
    keys: &'k Text,
    /// Ids by value; `None` when they ascend already.
    order: Option<Vec<u32>>,
    next: u32,
}

impl<'k> Walk<'k> {
    fn new(keys: &'k Text) -> Self {
        let order = (!keys.is_sorted()).then(|| {
            let mut order: Vec<u32> = (1..narrow(keys.id_count())).collect();
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
        if id as usize >= self.keys.id_count() {
            return None;
        }
        Some((id, self.keys.value(id)?))
    }
}

/// Merges dictionaries in the order of their values, so that the result is sorted.
fn merge_strings(columns: &[Text]) -> (Distinct, Vec<Vec<u32>>) {
    let mut remaps: Vec<Vec<u32>> = columns.iter().map(|keys| vec![0; keys.id_count()]).collect();
    let mut values = TextValues::default();
    {
        let mut walks: Vec<Walk<'_>> = columns.iter().map(Walk::new).collect();
        let mut heap = BinaryHeap::with_capacity(walks.len());
        for (part, walk) in walks.iter_mut().enumerate() {
            if let Some((id, value)) = walk.next() {
                heap.push(Reverse((value, part, id)));
            }
        }
        let mut last: Option<(&str, u32)> = None;
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((value, part, id)) = *top;
            let new = match last {
                Some((seen, new)) if seen == value => new,
                _ => values.push(value),
            };
            last = Some((value, new));
            remaps[part][id as usize] = new;
            match walks[part].next() {
                Some((id, value)) => *top = Reverse((value, part, id)),
                None => {
                    std::collections::binary_heap::PeekMut::pop(top);
                }
            }
        }
    }
    let ids = columns
        .iter()
        .zip(&remaps)
        .map(|(keys, remap)| keys.ids().iter().map(|id| remap[*id as usize]).collect())
        .collect();
    (Distinct::Text(values.into_text(Vec::new(), true)), ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(values: &[Option<&'static str>]) -> Text {
        let mut texts = TextValues::default();
        let mut known: Vec<(&str, u32)> = Vec::new();
        let mut id_of = |value: &'static str| match known.iter().find(|(text, _)| *text == value) {
            Some((_, id)) => *id,
            None => {
                let id = texts.push(value);
                known.push((value, id));
                id
            }
        };
        let ids = values.iter().map(|value| value.map_or(0, &mut id_of)).collect();
        texts.into_text(ids, false)
    }

    #[test]
    fn string_dictionaries_merge_sorted() {
        let parts = [
            vec![Some("b"), None, Some("a"), Some("b")],
            vec![Some(""), Some("b"), Some("c")],
            vec![],
        ];
        let columns = parts.iter().map(|values| Column::Text(keys(values))).collect();
        let (merged, ids) = merge_keys(columns).expect("same types");
        assert_eq!(merged.id_count(), 5);
        let all: Vec<u32> = ids.iter().flatten().copied().collect();
        let Column::Text(merged) = merged.rows(all) else { panic!("strings") };
        assert!(merged.is_sorted());
        let values: Vec<Option<&str>> = (0..merged.len()).map(|i| merged.get(i)).collect();
        let expected: Vec<Option<&str>> = parts.iter().flatten().copied().collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn many_values_in_no_order_are_merged_as_few_are() {
        let texts: Vec<String> = (0..5_000_u32).map(|n| format!("{}", n * 7_919 % 4_001)).collect();
        let part = |of: &dyn Fn(usize) -> bool| {
            let rows = texts.iter().enumerate().map(|(row, text)| of(row).then_some(text.as_str()));
            Text::of(rows)
        };
        let parts = [
            part(&|row| !row.is_multiple_of(3)),
            part(&|row| row.is_multiple_of(2)),
            Text::nulls(2),
        ];
        let (few, expected) = merge_strings(&parts);
        let columns = parts.iter().cloned().map(Column::Text).collect();
        let (many, found) = merge_keys(columns).expect("same types");
        assert_eq!(many.id_count(), few.id_count(), "each value once");
        let rows = |keys: &Distinct, ids: &[Vec<u32>]| -> Vec<Option<String>> {
            let Column::Text(text) = keys.rows(ids.concat()) else { panic!("strings") };
            (0..text.len()).map(|row| text.get(row).map(str::to_owned)).collect()
        };
        assert_eq!(rows(&many, &found), rows(&few, &expected));
    }

    #[test]
    fn numbers_share_ids() {
        let columns = vec![
            Column::Double([Some(1.5), None].into_iter().collect()),
            Column::Double([Some(-0.0), Some(1.5), Some(0.0)].into_iter().collect()),
        ];
        let (merged, ids) = merge_keys(columns).expect("same types");
        assert_eq!(merged.id_count(), 3);
        assert_eq!(ids, [vec![1, 0], vec![2, 1, 2]]);
    }
}
