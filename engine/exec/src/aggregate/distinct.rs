//! Distinct counts: pairs of group and value id are marked first, and each distinct value is hashed
//! once for each group it occurs in.

use super::batch::Batch;
use super::build::MakeSketch;
use super::sketches::{GroupSketches, SketchKind};
use super::{Accumulator, BlockInput};
use crate::column::{IdTable, Loaded, SlotId};
use crate::error::Result;
use crate::filter::Selection;
use crate::group::{Dimension, DimensionIds, Scalar};
use crate::partial::StateColumn;

/// Largest bitmap of marks, in bits.
const MAX_DENSE_MARKS: usize = 1 << 26;
/// Pairs that are collected before they are added to the sketches.
const MAX_PAIRS: usize = 1 << 20;

/// Pairs of group and id that occurred.
#[derive(Debug)]
enum Marks {
    /// Bit `group * id_limit + id`.
    Dense { words: Vec<u64>, id_limit: usize },
    /// Keys are `group << 32 | id`.
    Pairs(IdTable),
}

impl Marks {
    fn new(dimension: &Dimension<'_>) -> Self {
        match dimension.id_limit() {
            Some(limit) => Self::Dense { words: Vec::new(), id_limit: limit as usize },
            None => Self::Pairs(IdTable::new()),
        }
    }

    /// Makes room; false when the marks must be drained first because the bitmap would be too large.
    fn resize(&mut self, groups: usize) -> bool {
        match self {
            Self::Dense { id_limit, .. } if groups.saturating_mul(*id_limit) > MAX_DENSE_MARKS => {
                false
            }
            Self::Dense { words, id_limit } => {
                let needed = (groups * *id_limit).div_ceil(64);
                words.resize(needed.max(words.len()), 0);
                true
            }
            Self::Pairs(_) => true,
        }
    }

    #[inline]
    fn mark(&mut self, group: usize, id: u32) {
        match self {
            Self::Dense { words, id_limit } => {
                let bit = group * *id_limit + id as usize;
                words[bit / 64] |= 1 << (bit % 64);
            }
            Self::Pairs(table) => {
                table.id_of((group as u64) << 32 | u64::from(id));
            }
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Pairs(table) if table.len() >= MAX_PAIRS)
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Dense { words, .. } => words.capacity() * 8,
            Self::Pairs(table) => table.memory_bytes(),
        }
    }

    /// All marks as id and group, by id.
    fn pairs(&self) -> Vec<(u32, u32)> {
        let mut pairs: Vec<(u32, u32)> = match self {
            Self::Dense { words, id_limit } => words
                .iter()
                .enumerate()
                .flat_map(|(index, &word)| {
                    (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
                })
                .map(|bit| ((bit % id_limit) as u32, (bit / id_limit) as u32))
                .collect(),
            Self::Pairs(table) => {
                table.keys().iter().map(|&key| (key as u32, (key >> 32) as u32)).collect()
            }
        };
        pairs.sort_unstable();
        pairs
    }
}

/// Distinct values of one or several dimensions.
#[derive(Debug)]
pub(super) struct DistinctAccumulator<'a, S: SketchKind> {
    dimensions: Vec<(Dimension<'a>, Marks)>,
    sketches: GroupSketches<S>,
}

impl<'a, S: SketchKind> DistinctAccumulator<'a, S> {
    pub(super) fn new(name: &str, dimensions: Vec<Dimension<'a>>, make: MakeSketch<S>) -> Self {
        let dimensions = dimensions.into_iter().map(|dimension| {
            let marks = Marks::new(&dimension);
            (dimension, marks)
        });
        Self { dimensions: dimensions.collect(), sketches: GroupSketches::new(name, make) }
    }
}

/// Adds the marked values to the sketches.
fn drain<S: SketchKind>(
    dimension: &Dimension<'_>,
    marks: &Marks,
    sketches: &mut GroupSketches<S>,
) -> Result<()> {
    let pairs = marks.pairs();
    let highest = pairs.last().map_or(0, |(id, _)| *id as usize);
    let mut occurs = vec![0u64; highest / 64 + 1];
    for (id, _) in &pairs {
        occurs[*id as usize / 64] |= 1 << (id % 64);
    }
    let wanted =
        |id: u32| occurs.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1);
    let (mut next, mut failure) = (0, None);
    dimension.for_each_value(&wanted, &mut |id, value| {
        while pairs.get(next).is_some_and(|pair| pair.0 < id) {
            next += 1;
        }
        while let Some((_, group)) = pairs.get(next).filter(|pair| pair.0 == id) {
            match sketches.get(*group as usize) {
                Ok(sketch) => sketch.update(value),
                Err(error) => failure = Some(error),
            }
            next += 1;
        }
    })?;
    failure.map_or(Ok(()), Err)
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
        self.dimensions.iter().filter_map(|(dimension, _)| dimension.slot()).collect()
    }

    fn resize(&mut self, groups: usize) {
        self.sketches.resize(groups);
    }

    fn update(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        let Self { dimensions, sketches } = self;
        let mut rows = Vec::new();
        let selection = selection_of(batch, &mut rows);
        for (dimension, marks) in dimensions {
            if marks.is_full() || !marks.resize(sketches.len()) {
                drain(dimension, marks, sketches)?;
                *marks = Marks::Pairs(IdTable::new());
            }
            let (ids, _) = dimension.ids(input.block, selection, input.loaded)?;
            visit_ids(batch, ids, |group, id| marks.mark(group, id));
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let marks = self
            .dimensions
            .iter()
            .map(|(dimension, marks)| dimension.memory_bytes() + marks.memory_bytes());
        marks.sum::<usize>() + self.sketches.memory_bytes()
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>) -> Result<StateColumn> {
        let Self { dimensions, mut sketches } = *self;
        for (dimension, marks) in &dimensions {
            drain(dimension, marks, &mut sketches)?;
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

    fn update(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
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

    fn finish(self: Box<Self>, groups: Option<&[u32]>) -> Result<StateColumn> {
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
