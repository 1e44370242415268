//! Distinct counts: pairs of group and value id are marked first, and each distinct value is hashed
//! once for each group it occurs in.

use super::batch::Batch;
use super::build::MakeSketch;
use super::marks::{Marks, all_hashes};
use super::sketches::{GroupSketches, SketchKind};
use super::{Accumulator, BlockInput, StateTable};
use crate::column::{IdTable, Loaded, SlotId};
use crate::error::Result;
use crate::filter::Selection;
use crate::group::{Dimension, DimensionIds, Scalar};
use crate::partial::StateColumn;

/// Distinct values of one or several dimensions.
#[derive(Debug)]
pub(super) struct DistinctAccumulator<'a, S: SketchKind> {
    dimensions: Vec<Counted<'a, S>>,
    sketches: GroupSketches<S>,
}

/// A dimension whose values are counted.
struct Counted<'a, S: SketchKind> {
    dimension: Dimension<'a>,
    marks: Marks,
    /// The hashes of all its values, when pairs are too many to be collected.
    hashes: Option<Vec<Option<S::Hash>>>,
}

impl<S: SketchKind> std::fmt::Debug for Counted<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

impl<'a, S: SketchKind> DistinctAccumulator<'a, S> {
    pub(super) fn new(name: &str, dimensions: Vec<Dimension<'a>>, make: MakeSketch<S>) -> Self {
        let dimensions = dimensions.into_iter().map(|dimension| {
            let marks = Marks::new(&dimension);
            Counted { dimension, marks, hashes: None }
        });
        Self { dimensions: dimensions.collect(), sketches: GroupSketches::new(name, make) }
    }
}

impl<S: SketchKind> Counted<'_, S> {
    /// Makes room for the pairs of some rows: moves those so far into the sketches where they are
    /// many.
    fn make_room(&mut self, rows: usize, sketches: &mut GroupSketches<S>) -> Result<()> {
        let Self { dimension, marks, hashes } = self;
        let full = marks.is_full(dimension.id_limit());
        // Where ids are given as values arrive, each row may bring a new one.
        let id_count = match dimension.id_limit() {
            Some(limit) => limit as usize,
            None => dimension.id_count() + rows,
        };
        if full || !marks.resize(sketches.len(), id_count) {
            marks.drain(dimension, sketches)?;
            *marks = Marks::Pairs(IdTable::new());
            if full && S::BY_HASH && dimension.id_limit().is_some() {
                *hashes = Some(all_hashes::<S>(dimension)?);
            }
        }
        Ok(())
    }
}

/// Calls `visit` with each group and id of a batch.
pub(super) fn visit_ids(
    batch: &Batch<'_>,
    ids: DimensionIds<'_>,
    mut visit: impl FnMut(usize, u32),
) {
    match (ids, batch) {
        (DimensionIds::Constant(id), Batch::One { group, .. }) => visit(*group as usize, id),
        (DimensionIds::Constant(id), _) => batch.visit(|_, group| visit(group, id)),
        (DimensionIds::Rows(ids), _) => batch.visit(|row, group| visit(group, ids[row])),
        (DimensionIds::Lists { offsets, ids }, _) => batch.visit(|row, group| {
            for &id in &ids[offsets[row] as usize..offsets[row + 1] as usize] {
                visit(group, id);
            }
        }),
    }
}

/// The distinct rows of a batch.
pub(super) fn selection_of<'b>(batch: &Batch<'b>, rows: &'b mut Vec<u16>) -> Selection<'b> {
    match *batch {
        Batch::One { selection, .. } | Batch::ByRow { selection, .. } => selection,
        Batch::Pairs { rows: repeated, .. } => {
            rows.clear();
            rows.extend_from_slice(repeated);
            rows.dedup();
            Selection::Rows(rows)
        }
    }
}

impl<S: SketchKind> Accumulator for DistinctAccumulator<'_, S> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimensions.iter().filter_map(|counted| counted.dimension.slot()).collect()
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let Self { dimensions, sketches } = self;
        let mut rows = Vec::new();
        let selection = selection_of(batch, &mut rows);
        for counted in dimensions {
            if counted.hashes.is_none() {
                counted.make_room(selection.len(), sketches)?;
            }
            let Counted { dimension, marks, hashes } = counted;
            let (ids, id_count) = dimension.ids(input.window, selection, input.loaded)?;
            marks.widen(sketches.len(), id_count);
            match (hashes, batch, ids) {
                (
                    None,
                    Batch::One { selection: Selection::Range { start, end }, group },
                    DimensionIds::Rows(ids),
                ) => marks.mark_all(*group as usize, &ids[*start..*end]),
                (None, ..) => visit_ids(batch, ids, |group, id| marks.mark(group, id)),
                (Some(hashes), ..) => {
                    let mut result = Ok(());
                    visit_ids(batch, ids, |group, id| {
                        if let Some(hash) = hashes[id as usize] {
                            match sketches.get(group) {
                                Ok(sketch) => sketch.update_hash(hash),
                                Err(error) => result = Err(error),
                            }
                        }
                    });
                    result?;
                }
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |counted: &Counted<'_, S>| {
            let hashes = counted.hashes.as_ref().map_or(0, Vec::capacity);
            counted.dimension.memory_bytes()
                + counted.marks.memory_bytes()
                + hashes * size_of::<Option<S::Hash>>()
        };
        self.dimensions.iter().map(bytes).sum::<usize>() + self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<StateColumn> {
        let Self { dimensions, mut sketches } = *self;
        for Counted { dimension, marks, .. } in &dimensions {
            marks.drain(dimension, &mut sketches)?;
        }
        Ok(sketches.finish(groups))
    }
}

/// Distinct values of a stored numeric column, hashed row by row.
#[derive(Debug)]
pub(super) struct NumberSketches<S: SketchKind> {
    slot: SlotId,
    sketches: GroupSketches<S>,
}

impl<S: SketchKind> NumberSketches<S> {
    pub(super) fn new(name: &str, slot: SlotId, make: MakeSketch<S>) -> Self {
        Self { slot, sketches: GroupSketches::new(name, make) }
    }
}

impl<S: SketchKind> Accumulator for NumberSketches<S> {
    fn slots(&self) -> Vec<SlotId> {
        vec![self.slot]
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let sketches = &mut self.sketches;
        match input.loaded.get(self.slot) {
            Loaded::Long(block) => add_numbers(sketches, batch, &block, Scalar::Long),
            Loaded::Float(block) => {
                add_numbers(sketches, batch, &block, |value| Scalar::Double(f64::from(value)))
            }
            Loaded::Double(block) => add_numbers(sketches, batch, &block, Scalar::Double),
            Loaded::Nothing | Loaded::Ids(_) | Loaded::Multi(_) => Ok(()),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<StateColumn> {
        Ok(self.sketches.finish(groups))
    }
}

/// Adds the values of a batch that are not null.
pub(super) fn add_numbers<S: SketchKind, T: Copy>(
    sketches: &mut GroupSketches<S>,
    batch: &Batch<'_>,
    block: &henge_segment::NumericBlock<'_, T>,
    scalar: impl Fn(T) -> Scalar<'static>,
) -> Result<()> {
    batch.try_visit(|row, group| {
        if !block.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            sketches.get(group)?.update(scalar(block.values.get(row)));
        }
        Ok(())
    })
}
