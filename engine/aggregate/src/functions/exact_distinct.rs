//! `exactDistinctCount`: the distinct values themselves, of a segment by ids where it numbers them.

use std::sync::Arc;

use henge_query::AggregatorKind;
use henge_query::aggregate::ExactDistinctCount;
use henge_scan::{
    Batch, Dimension, DimensionIds, ExecError, Loaded, Result, Selection, SlotId, Source,
};
use henge_segment::NumericBlock;
use henge_types::number::equality_bits;
use henge_vector::{Column, SetPart, Sets, WordKind, words_by_row};

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::merged::{MergedSets, MergedStates, other_states};
use crate::pairs::DistinctPairs;
use crate::sketch::{Marks, selection_of, visit_ids};
use crate::table::StateTable;

impl Accumulate for ExactDistinctCount {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, set, .. } = scanned;
        let source = columns.resolve(&self.field)?;
        if let Source::Complex(column) = source {
            return Err(columns.unreadable(&self.field, column).of_aggregator(name));
        }
        let is_stored_number =
            matches!(source, Source::Long(_) | Source::Float(_) | Source::Double(_));
        let dimension = Dimension::of_values(&self.field, source, columns, set)?;
        Ok(match dimension.slot() {
            // Numbers that would need a table to get ids are as well kept as they are.
            Some(slot) if is_stored_number && dimension.id_limit().is_none() => {
                Box::new(DistinctNumbers::new(slot))
            }
            _ => Box::new(DistinctIds::new(dimension, &columns.view().id().datasource)),
        })
    }
}

impl AggregateFunction for ExactDistinctCount {
    fn merged(&self) -> Box<dyn MergedStates> {
        Box::new(MergedSets::default())
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let sets = states.objects::<Sets>().ok_or_else(|| other_states(name, states.kind()))?;
        Ok(Column::longs(sets.counts(), None).take(rows))
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    /// No projection stores them.
    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned() }.into()
    }
}

/// All groups, when none are named.
fn or_all(groups: Option<&[u32]>, count: usize) -> std::borrow::Cow<'_, [u32]> {
    groups.map_or_else(|| (0..count as u32).collect(), Into::into)
}

/// The groups and the ids of marks.
fn pairs_of(keys: &[u64]) -> impl Iterator<Item = (u32, u32)> + Clone {
    keys.iter().map(|key| ((key >> 32) as u32, *key as u32))
}

/// Values that a dimension has ids for: pairs of group and id.
#[derive(Debug)]
struct DistinctIds<'a> {
    dimension: Dimension<'a>,
    datasource: &'a Arc<str>,
    marks: Marks,
    groups: usize,
}

impl<'a> DistinctIds<'a> {
    fn new(dimension: Dimension<'a>, datasource: &'a Arc<str>) -> Self {
        Self { dimension, datasource, marks: Marks::new(), groups: 0 }
    }

    /// Makes room for a batch's pairs.
    fn make_room(&mut self, rows: usize) {
        if self.marks.are_few() {
            return;
        }
        let growing = || Marks::growing_limit(self.groups, self.dimension.id_count() + rows);
        let limit = self.dimension.id_limit().or_else(growing);
        if !self.marks.resize(self.groups, limit) {
            self.marks = std::mem::replace(&mut self.marks, Marks::new()).into_table();
        }
    }
}

impl Accumulator for DistinctIds<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimension.slot().into_iter().collect()
    }

    fn resize(&mut self, groups: usize) {
        self.groups = groups;
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let mut rows = Vec::new();
        let selection = selection_of(batch, &mut rows);
        self.make_room(selection.len());
        let Self { dimension, marks, .. } = self;
        let (ids, id_count) = dimension.ids(input.window, selection, input.loaded)?;
        marks.make_room(id_count);
        match (batch, ids) {
            (
                Batch::One { selection: Selection::Range { start, end }, group },
                DimensionIds::Rows(ids),
            ) => marks.mark_all(*group as usize, &ids[*start..*end]),
            _ => visit_ids(batch, ids, |group, id| marks.mark(group, id)),
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.dimension.memory_bytes() + self.marks.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        let groups = or_all(groups, self.groups);
        let (counts, ids) = words_by_row(pairs_of(&self.marks.into_keys()), &groups);
        let values = match self.dimension.into_values(ids, self.datasource)? {
            Column::WideFloat(values) => Column::Double(values),
            other => other,
        };
        Ok(Sets::new(groups.len(), vec![SetPart::new(counts, values)]).into())
    }
}

/// Stored numbers by their bits.
#[derive(Debug)]
struct DistinctNumbers {
    slot: SlotId,
    pairs: DistinctPairs,
    is_long: bool,
    groups: usize,
}

impl DistinctNumbers {
    fn new(slot: SlotId) -> Self {
        Self { slot, pairs: DistinctPairs::default(), is_long: false, groups: 0 }
    }

    /// Adds a batch's values that are not null.
    fn add<T: Copy>(
        &mut self,
        batch: &Batch<'_>,
        block: &NumericBlock<'_, T>,
        word: impl Fn(T) -> u64,
    ) {
        let pairs = &mut self.pairs;
        batch.visit(|row, group| {
            if block.nulls.is_none_or(|nulls| !nulls.is_null(row)) {
                pairs.insert(group as u32, word(block.values.get(row)));
            }
        });
    }
}

impl Accumulator for DistinctNumbers {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn resize(&mut self, groups: usize) {
        self.groups = groups;
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        match input.loaded.get(self.slot) {
            Loaded::Long(block) => {
                self.is_long = true;
                self.add(batch, &block, i64::cast_unsigned);
            }
            Loaded::Float(block) => {
                self.add(batch, &block, |value: f32| equality_bits(f64::from(value)));
            }
            Loaded::Double(block) => self.add(batch, &block, equality_bits),
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => {
                return Err(ExecError::Internal("numbers were not loaded".to_owned()));
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        let groups = or_all(groups, self.groups);
        let kind = if self.is_long { WordKind::Longs } else { WordKind::Doubles };
        Ok(self.pairs.into_sets(kind, &groups).into())
    }
}
