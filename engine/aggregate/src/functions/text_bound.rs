//! `stringMin`, `stringMax`: ids are compared while rows come, and texts only where ids have no order.

use std::sync::Arc;

use henge_query::aggregate::{TextBound, TextEnd};
use henge_query::{AggregatorKind, DimensionSpec};
use henge_scan::{Batch, Dimension, DimensionIds, KeyScope, Result, SlotId, Source};
use henge_segment::NULL_ID;
use henge_segment::metric::cut;
use henge_types::{OneOf, ValueType};
use henge_vector::{Column, Text, TextValues, Timed};

use crate::accumulator::{Accumulator, BlockInput};
use crate::function::{Accumulate, AggregateFunction, Scanned};
use crate::merged::{KeptValues, MergedStates, other_states};
use crate::sketch::{selection_of, visit_ids};
use crate::table::StateTable;

impl Accumulate for TextBound {
    fn accumulator<'a>(&'a self, scanned: Scanned<'_, 'a>) -> Result<Box<dyn Accumulator + 'a>> {
        let Scanned { name, columns, set, .. } = scanned;
        let source = columns.resolve(&self.field)?;
        if let Source::Complex(column) = source {
            return Err(columns.unreadable(&self.field, column).of_aggregator(name));
        }
        let spec = DimensionSpec {
            dimension: self.field.clone(),
            output_name: self.field.clone(),
            output_type: ValueType::String,
        };
        let of_float = matches!(source, Source::Float(_));
        let dimension = Dimension::new(&spec, columns, set)?;
        Ok(match dimension.ascends() {
            true => Box::new(Ordered { end: self.end, dimension, best: Vec::new() }),
            false => Box::new(Unordered {
                end: self.end,
                dimension,
                of_float,
                best: Vec::new(),
                pending: Vec::new(),
            }),
        })
    }
}

impl AggregateFunction for TextBound {
    /// States are values of one time, of which first keeps the least and last the greatest.
    fn merged(&self) -> Box<dyn MergedStates> {
        Box::new(KeptValues::<Arc<str>>::new(match self.end {
            TextEnd::Least => OneOf::First,
            TextEnd::Greatest => OneOf::Last,
        }))
    }

    fn finished(&self, name: &str, states: &Column, rows: &[u32]) -> Result<Column> {
        let other = || other_states(name, states.kind());
        let Column::Timed(timed) = states else { return Err(other()) };
        let Column::Text(texts) = timed.values() else { return Err(other()) };
        let max_bytes = self.max_string_bytes as usize;
        let shown = |row: &u32| texts.get(*row as usize).map(|text| cut(text, max_bytes));
        Ok(Column::Text(Text::of(rows.iter().map(shown))))
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    /// No projection stores them.
    fn over_stored(&self, column: &str) -> AggregatorKind {
        Self { field: column.to_owned(), ..self.clone() }.into()
    }
}

/// The states of these groups, of all for `None`, whose ids are `best`.
fn states(dimension: Dimension<'_>, best: Vec<u32>, groups: Option<&[u32]>) -> Result<Column> {
    let ids = match groups {
        None => best,
        Some(groups) => groups.iter().map(|group| best[*group as usize]).collect(),
    };
    let times = vec![0; ids.len()].into();
    Ok(Column::Timed(Timed::new(times, dimension.into_keys(ids, KeyScope::Text)?)))
}

/// Ids in the order of their texts.
#[derive(Debug)]
struct Ordered<'a> {
    end: TextEnd,
    dimension: Dimension<'a>,
    /// The id by group; that of null is none.
    best: Vec<u32>,
}

impl Ordered<'_> {
    fn add(batch: &Batch<'_>, ids: DimensionIds<'_>, mut better: impl FnMut(usize, u32)) {
        match (batch, ids) {
            (Batch::One { selection, group }, DimensionIds::Rows(ids)) => {
                selection.for_each(|row| better(*group as usize, ids[row]));
            }
            _ => visit_ids(batch, ids, better),
        }
    }
}

impl Accumulator for Ordered<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimension.slot().into_iter().collect()
    }

    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, NULL_ID);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let mut rows = Vec::new();
        let Self { end, dimension, best } = self;
        let (ids, _) = dimension.ids(input.window, selection_of(batch, &mut rows), input.loaded)?;
        match end {
            // One less, the id of null is the greatest of all.
            TextEnd::Least => Self::add(batch, ids, |group, id| {
                let kept = &mut best[group];
                *kept = id.wrapping_sub(1).min(kept.wrapping_sub(1)).wrapping_add(1);
            }),
            TextEnd::Greatest => Self::add(batch, ids, |group, id| {
                let kept = &mut best[group];
                *kept = id.max(*kept);
            }),
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.dimension.memory_bytes() + self.best.capacity() * size_of::<u32>()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        states(self.dimension, self.best, groups)
    }
}

/// Ids in the order of their arrival: texts are compared for many rows at once.
#[derive(Debug)]
struct Unordered<'a> {
    end: TextEnd,
    dimension: Dimension<'a>,
    /// Whether the column is a FLOAT.
    of_float: bool,
    best: Vec<u32>,
    /// `group << 32 | id` of rows that are not compared yet.
    pending: Vec<u64>,
}

/// Rows that are compared at once.
const MAX_PENDING: usize = 1 << 16;

impl Unordered<'_> {
    /// Compares what is pending with what is kept.
    fn settle(&mut self) -> Result<()> {
        let Self { end, dimension, of_float, best, pending } = self;
        pending.sort_unstable();
        pending.dedup();
        let kept = pending.iter().map(|key| best[(key >> 32) as usize]);
        let mut ids: Vec<u32> = pending.iter().map(|key| *key as u32).chain(kept).collect();
        ids.sort_unstable();
        ids.dedup();
        let ids = ids.strip_prefix(&[NULL_ID]).unwrap_or(&ids);
        let mut texts = TextValues::with_capacity(ids.len());
        dimension.for_each_value(Some(ids), &mut |_, value| {
            texts.push(&value.text(*of_float));
        })?;
        let text_of = |id| texts.value(ids.binary_search(&id).map_or(0, |at| at as u32 + 1));
        for key in pending.drain(..) {
            let (kept, id) = (&mut best[(key >> 32) as usize], key as u32);
            let is_better = *kept == NULL_ID
                || match end {
                    TextEnd::Least => text_of(id) < text_of(*kept),
                    TextEnd::Greatest => text_of(id) > text_of(*kept),
                };
            if is_better {
                *kept = id;
            }
        }
        Ok(())
    }
}

impl Accumulator for Unordered<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimension.slot().into_iter().collect()
    }

    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, NULL_ID);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let mut rows = Vec::new();
        let Self { dimension, best, pending, .. } = self;
        let (ids, _) = dimension.ids(input.window, selection_of(batch, &mut rows), input.loaded)?;
        visit_ids(batch, ids, |group, id| {
            if id != NULL_ID && id != best[group] {
                pending.push((group as u64) << 32 | u64::from(id));
            }
        });
        if self.pending.len() >= MAX_PENDING { self.settle() } else { Ok(()) }
    }

    fn memory_bytes(&self) -> usize {
        let states = self.best.capacity() * size_of::<u32>();
        self.dimension.memory_bytes() + states + self.pending.capacity() * size_of::<u64>()
    }

    fn finish(mut self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        self.settle()?;
        states(self.dimension, self.best, groups)
    }
}
