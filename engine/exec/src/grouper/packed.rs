//! Groups numbered by one table over packed keys, in which numbers are their values: instead of a
//! table for each dimension's numbers and one more for their ids.

use henge_scan::{
    Dimension, DimensionIds, ExecError, GroupIds, KeyScope, LoadedBlock, NumberPart, PackedKeys,
    PartIds, Result, Selection, Window, bits_of_ids,
};
use henge_vector::Column;

/// Bits of ids whose number is not known before.
const GROWING_BITS: u32 = 32;

/// Numbers groups by packed keys.
#[derive(Debug)]
pub(super) struct PackedSpace {
    keys: PackedKeys,
    /// Where each dimension is in a key, and how when it is a number.
    parts: Vec<(usize, Option<NumberPart>)>,
    groups: Vec<u32>,
    numbered: Vec<u32>,
    /// True when each row is a group, even if another has the same key.
    each_row: bool,
}

impl PackedSpace {
    /// For dimensions of which one is of numbers, none has lists, and all fit a key.
    pub(super) fn new(
        dimensions: &[Dimension<'_>],
        has_buckets: bool,
        each_row: bool,
    ) -> Option<Self> {
        let mut widths = vec![if has_buckets { GROWING_BITS } else { 0 }];
        let mut parts = Vec::with_capacity(dimensions.len());
        for dimension in dimensions {
            let number = dimension.number_part();
            parts.push((widths.len(), number));
            match (number, dimension.id_limit()) {
                (Some(number), _) => widths.extend(number.widths()),
                (None, Some(limit)) => widths.push(bits_of_ids(limit as usize)),
                (None, None) => widths.push(GROWING_BITS),
            }
        }
        let pays = parts.iter().any(|(_, number)| number.is_some())
            && !dimensions.iter().any(Dimension::has_lists);
        let keys = PackedKeys::new(&widths).filter(|_| pays)?;
        Some(Self { keys, parts, groups: Vec::new(), numbered: Vec::new(), each_row })
    }

    /// Makes room for so many groups.
    pub(super) fn reserve(&mut self, groups: usize) {
        if !self.each_row {
            self.keys.reserve(groups);
        }
    }

    /// True when several groups may have the same key.
    pub(super) fn is_repeating(&self) -> bool {
        self.each_row
    }

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes of memory, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
    }

    /// The groups of a window's selected rows, and how many there are so far.
    pub(super) fn groups(
        &mut self,
        dimensions: &mut [Dimension<'_>],
        window: Window,
        selection: Selection<'_>,
        buckets: PartIds<'_>,
        loaded: &LoadedBlock<'_>,
    ) -> Result<(GroupIds<'_>, usize)> {
        let Self { keys, parts, groups, numbered, each_row } = self;
        keys.start(selection.len());
        put_ids(keys, 0, buckets, selection);
        for (dimension, &(at, number)) in dimensions.iter_mut().zip(&*parts) {
            match number {
                Some(number) => dimension.pack(number, selection, loaded, keys, at)?,
                None => match dimension.ids(window, selection, loaded)?.0 {
                    DimensionIds::Constant(id) => {
                        put_ids(keys, at, PartIds::Constant(id), selection);
                    }
                    DimensionIds::Rows(ids) => put_ids(keys, at, PartIds::Rows(ids), selection),
                    DimensionIds::Lists { .. } => {
                        let message = "a dimension of packed keys has several values in a row";
                        return Err(ExecError::Internal(message.to_owned()));
                    }
                },
            }
        }
        groups.resize(groups.len().max(window.capacity()), 0);
        let number = if *each_row { PackedKeys::number_each } else { PackedKeys::number };
        match selection {
            Selection::Range { start, end } => number(keys, &mut groups[start..end]),
            Selection::Rows(rows) => {
                numbered.resize(rows.len(), 0);
                number(keys, numbered);
                let all = rows.iter().zip(&*numbered);
                all.for_each(|(row, group)| groups[usize::from(*row)] = *group);
            }
        }
        Ok((GroupIds::Rows(groups), keys.len()))
    }

    /// The bucket of each of some groups.
    pub(super) fn buckets(&self, groups: &[u32]) -> Vec<u32> {
        self.keys.part_ids(0, groups.iter().copied())
    }

    /// The keys of each of some groups.
    pub(super) fn into_keys(
        self,
        dimensions: Vec<Dimension<'_>>,
        groups: &[u32],
        scope: KeyScope<'_>,
    ) -> Result<Vec<Column>> {
        let Self { keys, parts, .. } = self;
        let column = |(dimension, (at, number)): (Dimension<'_>, _)| match number {
            Some(number) => Ok(dimension.packed_column(number, &keys, at, groups)),
            None => dimension.into_keys(keys.part_ids(at, groups.iter().copied()), scope),
        };
        dimensions.into_iter().zip(parts).map(column).collect()
    }
}

fn put_ids(keys: &mut PackedKeys, at: usize, ids: PartIds<'_>, selection: Selection<'_>) {
    match (ids, selection) {
        (PartIds::Constant(0), _) => {}
        (PartIds::Constant(id), _) => keys.put(at, std::iter::repeat(u64::from(id))),
        (PartIds::Rows(ids), Selection::Range { start, end }) => {
            keys.put(at, ids[start..end].iter().map(|id| u64::from(*id)));
        }
        (PartIds::Rows(ids), Selection::Rows(rows)) => {
            keys.put(at, rows.iter().map(|row| u64::from(ids[usize::from(*row)])));
        }
    }
}
