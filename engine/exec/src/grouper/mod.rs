//! Rows to groups: the time bucket and the dimensions as parts of one key.

mod packed;

use henge_query::DimensionSpec;
use henge_scan::{
    Batch, ColumnSet, Columns, Dimension, DimensionIds, GroupIds, KeyScope, KeySpace, LoadedBlock,
    PartIds, PartSize, Result, Selection, SlotId, Window,
};
use henge_segment::{BLOCK_ROWS, NULL_ID};
use henge_types::narrow::row_of_block;
use henge_vector::Column;

use crate::context::Grouping;
use crate::partial::Distinctness;
use packed::PackedSpace;

/// Dense arrays of at most this many groups are always fine.
const MIN_DENSE_LIMIT: usize = 1 << 16;
/// Groups a row that dense arrays may have: touching fresh memory costs about as much as hashing.
const DENSE_GROUPS_A_ROW: usize = 32;
/// The same for combinations of several parts, which tables of what occurs are much smaller than.
const DENSE_COMBINATIONS_A_ROW: usize = 1;

/// What decides how groups are numbered.
#[derive(Debug)]
pub(crate) struct GroupingSize {
    /// `None` when there is one bucket for all rows.
    pub(crate) expected_buckets: Option<usize>,
    /// About how many rows will be grouped.
    pub(crate) expected_rows: usize,
    /// Bytes of a group's states.
    pub(crate) row_bytes: usize,
    /// True when states tell which groups have rows.
    pub(crate) states_know_seen: bool,
    /// Groups that will come at least, as far as is known.
    pub(crate) expected_groups: usize,
    /// True when each row may be a group, even if another has the same keys: rows seldom do.
    pub(crate) each_row: bool,
    /// Bytes that all states may take.
    pub(crate) budget_bytes: usize,
    /// What the caller asks for.
    pub(crate) grouping: Grouping,
}

impl GroupingSize {
    /// Most groups that a dense array of parts of these sizes may have.
    fn dense_limit(&self, sizes: &[PartSize]) -> usize {
        let is_one = |size: &&PartSize| matches!(size, PartSize::Fixed(0 | 1));
        let groups_a_row = match sizes.len() - sizes.iter().filter(is_one).count() {
            0 | 1 => DENSE_GROUPS_A_ROW,
            _ => DENSE_COMBINATIONS_A_ROW,
        };
        let wanted = self.expected_rows.saturating_mul(groups_a_row).max(MIN_DENSE_LIMIT);
        let affordable = self.budget_bytes / (2 * (self.row_bytes + 1));
        match self.grouping {
            Grouping::Auto => wanted.min(affordable),
            Grouping::Dense => affordable,
            Grouping::Hashed => 1,
        }
    }
}

/// Assigns groups to rows.
#[derive(Debug)]
pub(crate) struct Grouper<'a> {
    dimensions: Vec<Dimension<'a>>,
    space: Space,
    bucket_count: usize,
    /// Which groups have rows, when groups are positions of a dense array and states do not tell.
    seen: Option<Vec<u8>>,
    pairs: Pairs,
}

/// What numbers the groups.
#[derive(Debug)]
enum Space {
    /// Ids of the parts.
    Ids(KeySpace),
    /// Keys with numbers in them.
    Packed(PackedSpace),
}

/// Rows of multi-value dimensions, one entry for each combination of their values.
#[derive(Debug, Default)]
struct Pairs {
    rows: Vec<u16>,
    parts: Vec<Vec<u32>>,
    groups: Vec<u32>,
}

impl<'a> Grouper<'a> {
    pub(crate) fn new(
        specs: &[DimensionSpec],
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
        size: &GroupingSize,
    ) -> Result<Self> {
        let row_count = columns.view().row_count();
        let mut dimensions = specs
            .iter()
            .map(|spec| Dimension::new(spec, columns, set))
            .collect::<Result<Vec<_>>>()?;
        // Behind groups that were handed on come the rest of the rows, nobody knows how many.
        if size.expected_groups == 0 {
            dimensions.iter_mut().for_each(|dimension| dimension.expect_rows(size.expected_rows));
        }
        let bucket = size.expected_buckets.map_or(PartSize::Fixed(1), PartSize::Growing);
        let sizes: Vec<PartSize> = std::iter::once(bucket)
            .chain(dimensions.iter().map(|dimension| match dimension.id_limit() {
                Some(limit) => PartSize::Fixed(limit),
                None => PartSize::Growing(row_count),
            }))
            .collect();
        let seen = (!size.states_know_seen).then(Vec::new);
        let mut space = KeySpace::new(&sizes, size.dense_limit(&sizes));
        let packed = (!space.is_dense())
            .then(|| {
                let has_buckets = size.expected_buckets.is_some();
                PackedSpace::new(&dimensions, has_buckets, size.each_row)
            })
            .flatten();
        let space = match packed {
            Some(mut packed) => {
                packed.reserve(size.expected_groups);
                Space::Packed(packed)
            }
            None => {
                space.reserve(size.expected_groups);
                for dimension in &mut dimensions {
                    dimension.reserve(size.expected_groups);
                }
                Space::Ids(space)
            }
        };
        Ok(Self { dimensions, space, bucket_count: 0, seen, pairs: Pairs::default() })
    }

    /// The slots that must be loaded of a block.
    pub(crate) fn slots_of(&self, block: usize) -> Result<Vec<SlotId>> {
        let slots = self.dimensions.iter().map(|dimension| dimension.slot_of(block));
        slots.filter_map(Result::transpose).collect()
    }

    /// True when rows may have several values in a dimension.
    pub(crate) fn has_lists(&self) -> bool {
        self.dimensions.iter().any(Dimension::has_lists)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let dimensions: usize = self.dimensions.iter().map(Dimension::memory_bytes).sum();
        let space = match &self.space {
            Space::Ids(space) => space.memory_bytes(),
            Space::Packed(space) => space.memory_bytes(),
        };
        dimensions + space + self.seen.as_ref().map_or(0, Vec::capacity)
    }

    /// Groups that tables number, in which each has rows.
    pub(crate) fn table_groups(&self) -> usize {
        match (self.is_dense(), self.dimensions.as_slice()) {
            (false, _) => self.group_limit(),
            // Its own table numbers the groups.
            (true, [dimension]) if dimension.id_limit().is_none() => self.group_limit(),
            (true, _) => 0,
        }
    }

    /// Whether several groups may have the same keys.
    pub(crate) fn distinctness(&self) -> Distinctness {
        match &self.space {
            Space::Packed(space) if space.is_repeating() => Distinctness::Repeating,
            Space::Packed(_) | Space::Ids(_) => Distinctness::Distinct,
        }
    }

    /// True when groups are positions, some of which may be empty.
    fn is_dense(&self) -> bool {
        matches!(&self.space, Space::Ids(space) if space.is_dense())
    }

    /// Group numbers are below this.
    fn group_limit(&self) -> usize {
        match &self.space {
            Space::Ids(space) => group_limit(space, &self.dimensions, self.bucket_count),
            Space::Packed(space) => space.len(),
        }
    }

    /// Hands the selected rows with their groups to `sink`, together with the number that all group
    /// numbers so far are below.
    pub(crate) fn assign(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        buckets: (PartIds<'_>, usize),
        loaded: &LoadedBlock<'_>,
        sink: &mut dyn FnMut(&Batch<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        self.bucket_count = buckets.1;
        if self.dimensions.is_empty()
            && let PartIds::Constant(group) = buckets.0
        {
            let limit = self.group_limit();
            let batch = Batch::One { selection, group };
            let dense = self.is_dense();
            return emit_batch(&mut self.seen, dense, limit, &batch, sink);
        }
        let Self { dimensions, space, bucket_count, seen, pairs } = self;
        let space = match space {
            Space::Ids(space) => space,
            Space::Packed(space) => {
                let (groups, limit) =
                    space.groups(dimensions, window, selection, buckets.0, loaded)?;
                return sink(&batch_of(groups, selection), limit);
            }
        };
        let (mut ids, mut counts) = (Vec::with_capacity(dimensions.len()), vec![*bucket_count]);
        for dimension in dimensions.iter_mut() {
            let (part, count) = dimension.ids(window, selection, loaded)?;
            ids.push(part);
            counts.push(count);
        }
        if ids.iter().any(|ids| matches!(ids, DimensionIds::Lists { .. })) {
            let mut emit = |pairs: &mut Pairs| {
                pairs.number(space);
                let batch = Batch::Pairs { rows: &pairs.rows, groups: &pairs.groups };
                let limit = space.group_limit(|part| counts[part]);
                emit_batch(seen, space.is_dense(), limit, &batch, sink)
            };
            return pairs.expand(buckets.0, &ids, selection, &mut emit);
        }
        let mut parts = Vec::with_capacity(ids.len() + 1);
        parts.push(buckets.0);
        parts.extend(ids.iter().map(|ids| match ids {
            DimensionIds::Constant(id) => PartIds::Constant(*id),
            DimensionIds::Rows(ids) => PartIds::Rows(ids),
            DimensionIds::Lists { .. } => PartIds::Constant(NULL_ID),
        }));
        let dense = space.is_dense();
        let dense_limit = space.group_limit(|part| counts[part]);
        let (groups, hashed_limit) = space.groups(&parts, selection, window.capacity());
        let batch = batch_of(groups, selection);
        emit_batch(seen, dense, hashed_limit.unwrap_or(dense_limit), &batch, sink)
    }

    /// Marks the time bucket's group, when there are no dimensions: rows of it were added to the
    /// states already.
    pub(crate) fn mark_bucket(&mut self, bucket: u32, bucket_count: usize) {
        self.bucket_count = bucket_count;
        let limit = self.group_limit();
        if let Some(seen) = &mut self.seen {
            seen.resize(seen.len().max(limit), 0);
            seen[bucket as usize] = 1;
        }
    }

    /// The groups that have rows, when groups are positions among which there are empty ones;
    /// `of_states` are those that states tell of.
    pub(crate) fn positions(
        &self,
        of_states: impl FnOnce() -> Option<Vec<u32>>,
    ) -> Option<Vec<u32>> {
        if !self.is_dense() {
            return None;
        }
        Some(match &self.seen {
            None => of_states().unwrap_or_default(),
            Some(seen) => {
                let seen = (0..).zip(seen).filter(|(_, seen)| **seen != 0);
                seen.map(|(group, _)| group).collect()
            }
        })
    }

    /// Number of groups, when all have rows.
    pub(crate) fn group_count(&self) -> usize {
        self.group_limit()
    }

    /// The bucket of each of some groups.
    pub(crate) fn buckets_of(&self, groups: &[u32]) -> impl Iterator<Item = u32> {
        let buckets = match &self.space {
            Space::Ids(space) => space.part_ids(0, groups.iter().copied()),
            Space::Packed(space) => space.buckets(groups),
        };
        buckets.into_iter()
    }

    /// The keys of each of some groups.
    pub(crate) fn into_keys(self, groups: &[u32], scope: KeyScope<'_>) -> Result<Vec<Column>> {
        let Self { dimensions, space, .. } = self;
        let space = match space {
            Space::Ids(space) => space,
            Space::Packed(space) => return space.into_keys(dimensions, groups, scope),
        };
        let part = |part: usize| space.part_ids(part, groups.iter().copied());
        dimensions
            .into_iter()
            .enumerate()
            .map(|(index, dimension)| dimension.into_keys(part(index + 1), scope))
            .collect()
    }
}

fn batch_of<'b>(groups: GroupIds<'b>, selection: Selection<'b>) -> Batch<'b> {
    match groups {
        GroupIds::One(group) => Batch::One { selection, group },
        GroupIds::Rows(groups) => Batch::ByRow { selection, groups },
    }
}

fn group_limit(space: &KeySpace, dimensions: &[Dimension<'_>], bucket_count: usize) -> usize {
    space.group_limit(|part| match part {
        0 => bucket_count,
        part => dimensions[part - 1].id_count(),
    })
}

fn emit_batch(
    seen: &mut Option<Vec<u8>>,
    dense: bool,
    limit: usize,
    batch: &Batch<'_>,
    sink: &mut dyn FnMut(&Batch<'_>, usize) -> Result<()>,
) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    if let (true, Some(seen)) = (dense, seen) {
        seen.resize(seen.len().max(limit), 0);
        match batch {
            Batch::One { group, .. } => seen[*group as usize] = 1,
            batch => batch.visit(|_, group| seen[group] = 1),
        }
    }
    sink(batch, limit)
}

impl Pairs {
    /// Fills rows and part ids until there are about a block's worth, then calls `emit`, and so on.
    fn expand(
        &mut self,
        bucket: PartIds<'_>,
        ids: &[DimensionIds<'_>],
        selection: Selection<'_>,
        emit: &mut dyn FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.parts.resize_with(ids.len() + 1, Vec::new);
        self.clear();
        selection.try_for_each(|row| {
            let bucket = match bucket {
                PartIds::Constant(id) => id,
                PartIds::Rows(ids) => ids[row],
            };
            self.push_row(row, bucket, ids);
            if self.rows.len() >= BLOCK_ROWS {
                emit(self)?;
                self.clear();
            }
            Ok::<_, henge_scan::ExecError>(())
        })?;
        emit(self)
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.parts.iter_mut().for_each(Vec::clear);
    }

    /// The row once for each combination of its values.
    fn push_row(&mut self, row: usize, bucket: u32, ids: &[DimensionIds<'_>]) {
        let first = self.rows.len();
        self.rows.push(row_of_block(row));
        self.parts[0].push(bucket);
        let mut combinations = 1;
        for (part, ids) in self.parts[1..].iter_mut().zip(ids) {
            part.resize(first, NULL_ID);
            let single;
            let values: &[u32] = match ids {
                DimensionIds::Constant(id) => {
                    single = [*id];
                    &single
                }
                DimensionIds::Rows(ids) => std::slice::from_ref(&ids[row]),
                DimensionIds::Lists { offsets, ids } => {
                    match &ids[offsets[row] as usize..offsets[row + 1] as usize] {
                        [] => &[NULL_ID],
                        values => values,
                    }
                }
            };
            // Each value in turn for every combination so far.
            for &value in values {
                part.extend(std::iter::repeat_n(value, combinations));
            }
            combinations *= values.len();
        }
        self.rows.resize(first + combinations, row_of_block(row));
        self.parts[0].resize(first + combinations, bucket);
        for part in &mut self.parts[1..] {
            let period = part.len() - first;
            for at in first + period..first + combinations {
                part.push(part[at - period]);
            }
        }
    }

    /// Numbers the groups of all entries.
    fn number(&mut self, space: &mut KeySpace) {
        let count = self.rows.len();
        let parts: Vec<PartIds<'_>> = self.parts.iter().map(|ids| PartIds::Rows(ids)).collect();
        let all = Selection::Range { start: 0, end: count };
        self.groups.clear();
        match space.groups(&parts, all, count).0 {
            GroupIds::One(group) => self.groups.resize(count, group),
            GroupIds::Rows(groups) => self.groups.extend_from_slice(&groups[..count]),
        }
    }
}
