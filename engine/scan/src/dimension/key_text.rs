//! From a dimension's ids back to keys.

use std::sync::Arc;

use henge_query::DimensionSpec;
use henge_segment::{Dictionary, NULL_ID};
use henge_types::ValueType;
use henge_vector::{Column, NodeIds, SegmentIds, Text, TextValues};

use crate::column::{Columns, Source, StringInterner};
use crate::error::Result;
use crate::node::{NodeScope, NodeSnapshot};

/// What string keys are to become.
#[derive(Debug, Clone, Copy)]
pub enum KeyScope<'a> {
    /// Text.
    Text,
    /// The ids of the segment's dictionary: for groups that are merged with none but the same
    /// segment's.
    Ids,
    /// Numbers of the node where it pays, else text.
    Node(NodeScope<'a>),
}

/// All values are gone through when at least one of so many is wanted: it costs less a value.
const SWEEP_FROM: usize = 4;

/// Which ids are wanted, asked in their order.
pub(super) struct Wanted<'i> {
    ids: Option<&'i [u32]>,
}

impl<'i> Wanted<'i> {
    /// Some ids, which ascend, or all.
    pub(super) fn new(ids: Option<&'i [u32]>) -> Self {
        Self { ids }
    }

    /// True when an id is wanted that is greater than all that were asked for before.
    #[inline]
    pub(super) fn has(&mut self, id: u32) -> bool {
        let Some(ids) = &mut self.ids else { return true };
        while let [first, rest @ ..] = *ids
            && *first <= id
        {
            *ids = rest;
            if *first == id {
                return true;
            }
        }
        false
    }
}

/// Visits the values of some ids, which ascend, or of all: in one sweep when they are many, page by
/// page when they are few.
pub(super) fn for_each_text(
    dictionary: &dyn Dictionary,
    ids: Option<&[u32]>,
    visit: &mut dyn FnMut(u32, &str),
) -> Result<()> {
    let all = 1..dictionary.len();
    if let Some(ids) = ids.filter(|ids| ids.len() * SWEEP_FROM < all.len()) {
        dictionary.for_ids(ids, visit)?;
        return Ok(());
    }
    let mut wanted = Wanted::new(ids);
    dictionary.for_each(all, &mut |id, text| {
        if wanted.has(id) {
            visit(id, text.unwrap_or_default());
        }
    })?;
    Ok(())
}

/// The dictionary whose ids are a dimension's ids, if it is such a dimension.
pub fn dictionary_of<'a>(
    spec: &DimensionSpec,
    columns: &Columns<'a>,
) -> Result<Option<&'a dyn Dictionary>> {
    Ok(match columns.resolve(&spec.dimension)? {
        Source::String(column) if spec.output_type == ValueType::String => {
            Some(column.dictionary())
        }
        _ => None,
    })
}

/// The keys of groups whose ids are these.
pub(super) fn dictionary_keys(
    column: &str,
    dictionary: &dyn Dictionary,
    mut ids: Vec<u32>,
    scope: KeyScope<'_>,
) -> Result<Column> {
    let length = dictionary.len();
    if ids.iter().copied().max().is_some_and(|id| id >= length) {
        let reason = format!("an id of column '{column}' is beyond its dictionary");
        return Err(henge_segment::SegmentError::corrupt(reason).into());
    }
    let mapped = match scope {
        KeyScope::Node(NodeScope { dictionaries, datasource, expected_groups }) => {
            let groups = ids.len().max(expected_groups);
            dictionaries.map_of(datasource, column, dictionary, groups)?
        }
        KeyScope::Ids => {
            return Ok(Column::SegmentIds(SegmentIds::new(ids)));
        }
        KeyScope::Text => None,
    };
    Ok(match mapped {
        Some((node, map)) => {
            ids.iter_mut().for_each(|id| *id = map.ids[*id as usize]);
            let values = Arc::clone(&map.values);
            Column::NodeIds(NodeIds::new(ids, Arc::new(NodeSnapshot::new(node, values))))
        }
        None => Column::Text(text_keys(dictionary, ids)?),
    })
}

/// String keys of the ids that occur, renumbered without gaps in the dictionary's order.
pub fn text_keys(dictionary: &dyn Dictionary, mut ids: Vec<u32>) -> Result<Text> {
    let length = dictionary.len() as usize;
    // A table of all ids is quick to look up in, and long to fill.
    let mut renumbered = vec![NULL_ID; if ids.len() * SWEEP_FROM >= length { length } else { 0 }];
    let distinct = distinct_ids(&ids, &mut renumbered);
    let mut values = TextValues::with_capacity(distinct.len());
    for_each_text(dictionary, Some(&distinct), &mut |_, text| {
        values.push(text);
    })?;
    if renumbered.is_empty() {
        let place = |id: u32| distinct.binary_search(&id).map_or(NULL_ID, |at| at as u32 + 1);
        ids.iter_mut().for_each(|id| *id = place(*id));
    } else {
        for (new, id) in (1..).zip(&distinct) {
            renumbered[*id as usize] = new;
        }
        ids.iter_mut().for_each(|id| *id = renumbered[*id as usize]);
    }
    Ok(values.into_text(ids, dictionary.is_sorted()))
}

/// The distinct ids but null's, ascending; those that occur are marked in a table, if there is one.
fn distinct_ids(ids: &[u32], table: &mut [u32]) -> Vec<u32> {
    if table.is_empty() {
        let mut distinct: Vec<u32> = ids.iter().copied().filter(|id| *id != NULL_ID).collect();
        distinct.sort_unstable();
        distinct.dedup();
        return distinct;
    }
    ids.iter().for_each(|id| table[*id as usize] = 1);
    table[NULL_ID as usize] = NULL_ID;
    (0..).zip(&*table).filter(|(_, occurs)| **occurs != 0).map(|(id, _)| id).collect()
}

/// Keys of integers that were numbered directly.
pub(super) fn direct_keys(ids: &[u32], min: i64, output: ValueType) -> Column {
    let value = |id: u32| (id > NULL_ID).then(|| min.wrapping_add(i64::from(id) - 1));
    if output == ValueType::String {
        let mut values = StringInterner::default();
        let ids = ids
            .iter()
            .map(|&id| values.id_of_nullable(value(id).map(|v| v.to_string()).as_deref()))
            .collect();
        return Column::Text(values.into_text(ids));
    }
    Column::Long(ids.iter().map(|&id| value(id)).collect())
}
