//! Sets of distinct values by group that take in those of partials: one set of pairs of group and value
//! a kind of value, whatever the number of groups.

use std::any::Any;
use std::sync::Arc;

use henge_scan::{ExecError, Result, StringInterner};
use henge_types::narrow::{narrow, place};
use henge_types::number::equality_bits;
use henge_vector::{Column, NodeIds, Numbering, SetPart, Sets, SpreadPart, Text, WordKind};

use super::{MergedStates, other_states};
use crate::pairs::{DistinctPairs, MergedPairs};

/// Distinct values by group.
pub(crate) struct MergedSets {
    longs: MergedPairs,
    doubles: MergedPairs,
    /// Words are ids.
    texts: DistinctPairs,
    ids: TextIds,
}

impl Default for MergedSets {
    fn default() -> Self {
        Self {
            longs: MergedPairs::new(WordKind::Longs),
            doubles: MergedPairs::new(WordKind::Doubles),
            texts: DistinctPairs::default(),
            ids: TextIds::default(),
        }
    }
}

/// What ids of texts mean.
enum TextIds {
    /// Of values that came as texts.
    Own(StringInterner),
    /// Of a node-wide dictionary.
    Node(Arc<dyn Numbering>),
}

impl Default for TextIds {
    fn default() -> Self {
        Self::Own(StringInterner::default())
    }
}

impl TextIds {
    /// The ids of texts by their own ids, of which 0 is null.
    fn of_text(&mut self, text: &Text) -> Vec<u32> {
        let values = (1..narrow(text.id_count())).map(|id| text.value(id).unwrap_or_default());
        self.of_values(values)
    }

    fn of_values<'v>(&mut self, values: impl Iterator<Item = &'v str>) -> Vec<u32> {
        let null = std::iter::once(0);
        match self {
            Self::Own(own) => null.chain(values.map(|value| own.id_of(value))).collect(),
            Self::Node(node) => {
                let (ids, latest) = node.intern(&values.collect::<Vec<_>>());
                *node = latest;
                null.chain(ids).collect()
            }
        }
    }
}

impl MergedSets {
    /// Numbers texts as a node does from now on; true when it is done.
    fn number_by(&mut self, numbering: &Arc<dyn Numbering>) -> bool {
        if let TextIds::Node(node) = &mut self.ids {
            let alike = node.dictionary() == numbering.dictionary();
            if alike && node.id_count() < numbering.id_count() {
                *node = Arc::clone(numbering);
            }
            return alike;
        }
        let node = TextIds::Node(Arc::clone(numbering));
        if let TextIds::Own(own) = std::mem::replace(&mut self.ids, node) {
            let values = (1..narrow(own.id_count())).map(|id| own.value(id).unwrap_or_default());
            let ids = self.ids.of_values(values);
            let renamed = |id: u64| u64::from(ids[place(id)]);
            self.texts = std::mem::take(&mut self.texts).renamed(renamed);
        }
        true
    }

    fn add_part(&mut self, name: &str, part: &SetPart, groups: &[u32]) -> Result<()> {
        let Self { longs, doubles, .. } = self;
        match part.values() {
            Column::Long(values) => {
                each(part, groups, values.values(), |group, value| {
                    longs.insert(group, value.cast_unsigned());
                });
            }
            Column::Double(values) => {
                each(part, groups, values.values(), |group, value| {
                    doubles.insert(group, equality_bits(value));
                });
            }
            Column::Text(text) => {
                let ids = self.ids.of_text(text);
                self.add_texts(part, groups, text.ids(), |id| ids[id as usize]);
            }
            Column::NodeIds(keys) if self.number_by(keys.numbering()) => {
                self.add_texts(part, groups, keys.ids(), |id| id);
            }
            // Of a dictionary that was dropped and built again meanwhile.
            Column::NodeIds(keys) => {
                let text = keys.to_text();
                let ids = self.ids.of_text(&text);
                self.add_texts(part, groups, text.ids(), |id| ids[id as usize]);
            }
            other @ (Column::Null(_)
            | Column::Wide(_)
            | Column::Float(_)
            | Column::WideFloat(_)
            | Column::Lists(_)
            | Column::Objects(_)
            | Column::Timed(_)
            | Column::Mixed(_)
            | Column::SegmentIds(_)) => {
                let kind = other.kind();
                return Err(ExecError::Internal(format!("aggregator '{name}': sets of {kind}")));
            }
        }
        Ok(())
    }

    fn add_texts(
        &mut self,
        part: &SetPart,
        groups: &[u32],
        ids: &[u32],
        id_of: impl Fn(u32) -> u32,
    ) {
        let texts = &mut self.texts;
        each(part, groups, ids, |group, id| texts.insert(group, u64::from(id_of(id))));
    }

    fn add_spread(&mut self, part: SpreadPart, groups: &[u32]) {
        let (kind, partitions) = part.into_partitions();
        match kind {
            WordKind::Longs => self.longs.add(partitions, groups),
            WordKind::Doubles => self.doubles.add(partitions, groups),
        }
    }
}

/// Calls `visit` with each value of a part and the group of its row.
fn each<T: Copy>(part: &SetPart, groups: &[u32], values: &[T], mut visit: impl FnMut(u32, T)) {
    let mut rest = values;
    for (row, group) in groups.iter().enumerate() {
        let (of_row, others) = rest.split_at(part.count(row));
        of_row.iter().for_each(|value| visit(*group, *value));
        rest = others;
    }
}

impl MergedStates for MergedSets {
    fn resize(&mut self, _: usize) {}

    fn add(&mut self, name: &str, states: Column, groups: &[u32], _: &[bool]) -> Result<()> {
        let kind = states.kind();
        let sets = states.into_objects::<Sets>().ok_or_else(|| other_states(name, kind))?;
        let (parts, spread) = sets.into_parts();
        spread.into_iter().for_each(|part| self.add_spread(part, groups));
        parts.iter().try_for_each(|part| self.add_part(name, part, groups))
    }

    fn absorb(
        &mut self,
        name: &str,
        other: Box<dyn MergedStates>,
        _: &[bool],
        _: &[bool],
    ) -> Result<()> {
        let other = (other as Box<dyn Any>).downcast::<Self>();
        let Self { longs, doubles, texts, ids } =
            *other.map_err(|_| other_states(name, "another aggregator"))?;
        self.longs.absorb(longs);
        self.doubles.absorb(doubles);
        if texts.is_empty() {
            return Ok(());
        }
        let renamed = match &ids {
            TextIds::Node(node) if self.number_by(node) => {
                self.texts.absorb(texts);
                return Ok(());
            }
            TextIds::Node(node) => {
                let all = (1..narrow(node.id_count())).map(|id| node.value(id).unwrap_or_default());
                self.ids.of_values(all)
            }
            TextIds::Own(own) => {
                let all = (1..narrow(own.id_count())).map(|id| own.value(id).unwrap_or_default());
                self.ids.of_values(all)
            }
        };
        self.texts.absorb(texts.renamed(|id| u64::from(renamed[place(id)])));
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let own = match &self.ids {
            TextIds::Own(own) => own.memory_bytes(),
            TextIds::Node(_) => 0,
        };
        let numbers = self.longs.memory_bytes() + self.doubles.memory_bytes();
        numbers + self.texts.memory_bytes() + own
    }

    fn finish(self: Box<Self>, groups: &[u32]) -> Column {
        let Self { longs, doubles, texts, ids } = *self;
        let mut sets = Sets::new(groups.len(), Vec::new());
        for numbers in [longs, doubles].into_iter().filter(|numbers| !numbers.is_empty()) {
            sets = sets.and(numbers.into_sets(groups));
        }
        if !texts.is_empty() {
            let (counts, words) = texts.into_groups(groups);
            let words = words.into_iter().map(|id| narrow(place(id))).collect();
            let values = match ids {
                TextIds::Own(own) => Column::Text(own.into_text(words)),
                TextIds::Node(node) => Column::NodeIds(NodeIds::new(words, node)),
            };
            let texts = SetPart::new(counts, values);
            sets = sets.and(Sets::new(groups.len(), vec![texts]));
        }
        sets.into()
    }
}
