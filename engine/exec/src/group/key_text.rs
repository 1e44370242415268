//! From a dimension's ids back to keys.

use std::sync::Arc;

use henge_segment::{Dictionary, NULL_ID};

use super::values::KeyType;
use crate::column::StringInterner;
use crate::error::Result;
use crate::node::NodeScope;
use crate::partial::{KeyColumn, NodeKeys, StringKeys};

/// Visits the wanted values: in one sweep when they are many, one by one when they are few.
pub(super) fn for_each_text(
    dictionary: &dyn Dictionary,
    wanted: &dyn Fn(u32) -> bool,
    visit: &mut dyn FnMut(u32, &str),
) -> Result<()> {
    let all = 1..dictionary.len();
    let count = all.clone().filter(|&id| wanted(id)).count();
    if count * 8 >= all.len() {
        dictionary.for_each(all, &mut |id, text| {
            if wanted(id) {
                visit(id, text.unwrap_or_default());
            }
        })?;
        return Ok(());
    }
    for id in all.filter(|&id| wanted(id)) {
        if let Some(text) = dictionary.get(id)? {
            visit(id, &text);
        }
    }
    Ok(())
}

/// The keys of groups whose ids are these: numbered by the node where it pays, else as text.
pub(super) fn dictionary_keys(
    column: &str,
    dictionary: &dyn Dictionary,
    mut ids: Vec<u32>,
    scope: Option<NodeScope<'_>>,
) -> Result<KeyColumn> {
    let length = dictionary.len();
    if ids.iter().copied().max().is_some_and(|id| id >= length) {
        let reason = format!("an id of column '{column}' is beyond its dictionary");
        return Err(henge_segment::SegmentError::Corrupt(reason).into());
    }
    let mapped = match scope {
        Some(NodeScope { dictionaries, datasource }) => {
            dictionaries.map_of(datasource, column, dictionary, ids.len())?
        }
        None => None,
    };
    Ok(match mapped {
        Some((node, map)) => {
            ids.iter_mut().for_each(|id| *id = map.ids[*id as usize]);
            let values = Arc::clone(&map.values);
            KeyColumn::Node(NodeKeys { ids, dictionary: node, values })
        }
        None => KeyColumn::String(text_keys(dictionary, ids)?),
    })
}

/// String keys of the ids that occur, renumbered without gaps in the dictionary's order.
fn text_keys(dictionary: &dyn Dictionary, mut ids: Vec<u32>) -> Result<StringKeys> {
    let mut renumbered = vec![0u32; dictionary.len() as usize];
    ids.iter().for_each(|id| renumbered[*id as usize] = 1);
    let (mut ends, mut bytes) = (Vec::new(), String::new());
    {
        let occurs = &renumbered;
        for_each_text(dictionary, &|id| occurs[id as usize] != 0, &mut |_, text| {
            bytes.push_str(text);
            ends.push(bytes.len());
        })?;
    }
    let mut next = 0;
    for slot in renumbered.iter_mut().skip(1).filter(|slot| **slot != 0) {
        next += 1;
        *slot = next;
    }
    renumbered[NULL_ID as usize] = NULL_ID;
    ids.iter_mut().for_each(|id| *id = renumbered[*id as usize]);
    Ok(StringKeys { ids, ends, bytes, sorted: dictionary.is_sorted() })
}

/// Keys of integers that were numbered directly.
pub(super) fn direct_keys(ids: &[u32], min: i64, output: KeyType) -> KeyColumn {
    let value = |id: u32| (id > NULL_ID).then(|| min.wrapping_add(i64::from(id) - 1));
    if output == KeyType::Text {
        let mut values = StringInterner::default();
        let ids = ids
            .iter()
            .map(|&id| values.id_of_nullable(value(id).map(|v| v.to_string()).as_deref()))
            .collect();
        return KeyColumn::String(values.into_keys(ids));
    }
    KeyColumn::Long(ids.iter().map(|&id| value(id)).collect())
}
