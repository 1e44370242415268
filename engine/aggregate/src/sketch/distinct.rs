//! Distinct counts of dimensions: pairs of group and value id are marked first, and each distinct
//! value is hashed once. Where marks would take too much room, or more than hashes that are kept
//! anyway, rows go to the sketches by their values' hashes.

use std::sync::Arc;

use henge_scan::{Batch, Dimension, DimensionIds, Result, Selection, SlotId};
use henge_segment::NULL_ID;
use henge_sketch::{HllHash, HllRegisters};

use super::groups::{GroupSketches, SketchInput};
use super::kind::SketchKind;
use super::marks::{Marks, all_hashes};
use crate::accumulator::BlockInput;

/// A bitmap of marks that is smaller stays in the cache, where marking is cheaper than fetching
/// hashes.
const CACHED_MARKS: usize = 1 << 23;

/// Pairs whose hashes are fetched together.
const GATHERED: usize = 256;

/// Distinct values of one or several dimensions.
#[derive(Debug)]
pub(crate) struct DistinctValues<'a> {
    dimensions: Vec<Counted<'a>>,
}

/// A dimension whose values are counted.
#[derive(Debug)]
struct Counted<'a> {
    dimension: Dimension<'a>,
    marks: Marks,
    /// The hashes of all its values by id, when rows go to the sketches without being marked.
    hashes: Option<Arc<[HllHash]>>,
}

impl<'a> DistinctValues<'a> {
    pub(crate) fn new(dimensions: Vec<Dimension<'a>>) -> Self {
        let counted = |dimension| Counted { dimension, marks: Marks::new(), hashes: None };
        Self { dimensions: dimensions.into_iter().map(counted).collect() }
    }
}

impl Counted<'_> {
    /// Makes room for a batch's pairs: moves those so far into the sketches where they are many.
    fn make_room<S: SketchKind>(
        &mut self,
        rows: usize,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        if self.hashes.is_some() || self.marks.are_few() {
            return Ok(());
        }
        let (groups, limit) = (sketches.len(), self.dimension.id_limit());
        let is_large = limit.is_some_and(|ids| Marks::dense_bits(groups, ids) > CACHED_MARKS);
        if is_large && S::BY_HASH {
            self.hashes = self.dimension.kept_hashes(0)?;
        }
        let full = self.marks.is_full(limit);
        let room = limit.or_else(|| Marks::growing_limit(groups, self.dimension.id_count() + rows));
        if self.hashes.is_some() || full || !self.marks.resize(groups, room) {
            std::mem::replace(&mut self.marks, Marks::pairs()).drain(&self.dimension, sketches)?;
        }
        if self.hashes.is_none() && full && S::BY_HASH && limit.is_some() {
            self.hashes = Some(all_hashes::<S>(&self.dimension)?);
        }
        Ok(())
    }
}

/// Adds a batch's values to the sketches by their hashes.
fn add_by_hash<S: SketchKind>(
    hashes: &[HllHash],
    batch: &Batch<'_>,
    ids: DimensionIds<'_>,
    sketches: &mut GroupSketches<S>,
) -> Result<()> {
    if let Some(registers) = sketches.registers()? {
        let mut gathered = Gathered::new(hashes);
        visit_ids(batch, ids, |group, id| {
            if id != NULL_ID {
                gathered.push(registers, group, id);
            }
        });
        gathered.flush(registers);
        return Ok(());
    }
    let mut result = Ok(());
    visit_ids(batch, ids, |group, id| {
        if id != NULL_ID {
            match sketches.get(group) {
                Ok(sketch) => sketch.update_hash(hashes[id as usize]),
                Err(error) => result = Err(error),
            }
        }
    });
    result
}

/// Pairs of group and id on their way to registers. Hashes of many are fetched before the first
/// register is written: else each fetch would wait until the processor knows that no write before
/// it meant the same place.
struct Gathered<'h> {
    hashes: &'h [HllHash],
    groups: [u32; GATHERED],
    ids: [u32; GATHERED],
    count: usize,
}

impl<'h> Gathered<'h> {
    fn new(hashes: &'h [HllHash]) -> Self {
        Self { hashes, groups: [0; GATHERED], ids: [0; GATHERED], count: 0 }
    }

    #[inline]
    fn push(&mut self, registers: &mut HllRegisters, group: usize, id: u32) {
        self.groups[self.count] = group as u32;
        self.ids[self.count] = id;
        self.count += 1;
        if self.count == GATHERED {
            self.flush(registers);
        }
    }

    #[inline(never)]
    fn flush(&mut self, registers: &mut HllRegisters) {
        let Some(&of_null) = self.hashes.first() else { return };
        let mut found = [of_null; GATHERED];
        let ids = &self.ids[..self.count];
        found.iter_mut().zip(ids).for_each(|(found, id)| *found = self.hashes[*id as usize]);
        registers.update_each(&self.groups[..self.count], &found[..self.count]);
        self.count = 0;
    }
}

/// Calls `visit` with each group and id of a batch.
pub(crate) fn visit_ids(
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
pub(crate) fn selection_of<'b>(batch: &Batch<'b>, rows: &'b mut Vec<u16>) -> Selection<'b> {
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

impl<S: SketchKind> SketchInput<S> for DistinctValues<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimensions.iter().filter_map(|counted| counted.dimension.slot()).collect()
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        sketches: &mut GroupSketches<S>,
    ) -> Result<()> {
        let mut rows = Vec::new();
        let selection = selection_of(batch, &mut rows);
        for counted in &mut self.dimensions {
            counted.make_room(selection.len(), sketches)?;
            let Counted { dimension, marks, hashes } = counted;
            let (ids, id_count) = dimension.ids(input.window, selection, input.loaded)?;
            marks.make_room(id_count);
            match (hashes, batch, ids) {
                (Some(hashes), ..) => add_by_hash(hashes, batch, ids, sketches)?,
                (
                    None,
                    Batch::One { selection: Selection::Range { start, end }, group },
                    DimensionIds::Rows(ids),
                ) => marks.mark_all(*group as usize, &ids[*start..*end]),
                (None, ..) => visit_ids(batch, ids, |group, id| marks.mark(group, id)),
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let bytes = |counted: &Counted<'_>| {
            let hashes = counted.hashes.as_ref().map_or(0, |hashes| size_of_val(&**hashes));
            counted.dimension.memory_bytes() + counted.marks.memory_bytes() + hashes
        };
        self.dimensions.iter().map(bytes).sum()
    }

    fn finish(self, sketches: &mut GroupSketches<S>) -> Result<()> {
        let mut dimensions = self.dimensions.into_iter();
        dimensions.try_for_each(|counted| counted.marks.drain(&counted.dimension, sketches))
    }
}
