//! Groups of several partials numbered by packed keys: numbers by their values, whatever else by ids
//! of one dictionary.

use henge_scan::{
    ExecError, GroupIds, KeySpace, PackedDoubles, PackedKeys, PackedLongs, PartIds, PartSize,
    Result, Selection, bits_of_ids, ends_of,
};
use henge_types::narrow::narrow;
use henge_vector::{Array, Column, Distinct, Float64Array, Int64Array, optional};

use super::dictionary::merge_keys;
use crate::context::Tuning;
use crate::partial::GroupedPartial;

/// Group arrays of this size are always fine.
const MIN_DENSE_LIMIT: usize = 1 << 20;

/// Partials with fewer groups than this share of what is cut into partitions are numbered by ids,
/// which often are positions of an array.
const PACKED_SHARE: usize = 16;

/// Partials that about have a group each: tables that turn out too small grow.
const EXPECTED_REPEATS: usize = 4;

/// This share of all groups tells how many are the same.
const FIRST_SHARE: usize = 8;
/// Hardly any are, when fewer than one of so many is.
const DISTINCT_OF: usize = 8;

/// Bits that ids are counted as before they are known.
const ID_BITS: u32 = 32;

/// What numbers the groups of several partials.
pub(super) enum MergedKeys {
    /// Ids of the parts.
    Ids { space: KeySpace, keys: Vec<(Distinct, Vec<Vec<u32>>)> },
    /// Keys with numbers in them.
    Packed { space: PackedKeys, keys: Vec<PackedPart>, expected: Expected },
}

/// How many groups are to be numbered, and how many were.
pub(super) struct Expected {
    total: usize,
    numbered: usize,
    /// True once the first of them told how many are the same.
    is_known: bool,
}

impl Expected {
    /// Counts some more, after which there are so many distinct ones. Says once, early, how many there
    /// will be, when hardly any are the same: else the table grows as it has to.
    fn after(&mut self, count: usize, distinct: usize) -> Option<usize> {
        self.numbered += count;
        if self.is_known || self.numbered * FIRST_SHARE < self.total {
            return None;
        }
        self.is_known = true;
        (distinct * DISTINCT_OF > self.numbered * (DISTINCT_OF - 1)).then_some(self.total)
    }
}

/// A dimension of packed keys, and where it is.
pub(super) struct PackedPart {
    at: usize,
    values: PartValues,
}

/// How the integers of a dimension are parts of keys: as they are where that fits, else by the ends
/// of their range, which take a look at all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LongParts {
    Any,
    Ranged,
}

impl LongParts {
    fn packing(self, columns: &[&Int64Array]) -> PackedLongs {
        match self {
            Self::Any => PackedLongs::any(columns.iter().any(|longs| longs.null_count() > 0)),
            Self::Ranged => PackedLongs::within(ends_of(columns.iter().copied())),
        }
    }
}

enum PartValues {
    Longs(PackedLongs, Vec<Int64Array>),
    Doubles(Vec<Float64Array>),
    WideFloats(Vec<Float64Array>),
    Ids(Distinct, Vec<Vec<u32>>),
}

impl MergedKeys {
    /// Takes the keys of partials whose time buckets are so many.
    pub(super) fn of(
        parts: &mut [GroupedPartial],
        bucket_count: usize,
        tuning: &Tuning,
    ) -> Result<Self> {
        let total: usize = parts.iter().map(GroupedPartial::group_count).sum();
        if total >= tuning.parted_groups / PACKED_SHARE && may_pack(parts, bucket_count) {
            for longs in [LongParts::Any, LongParts::Ranged] {
                if packed_bits(parts, bucket_count, longs) <= 128 {
                    return Self::packed(parts, bucket_count, longs);
                }
            }
        }
        let dimensions = parts.first().map_or(0, |part| part.keys.len());
        let keys = (0..dimensions)
            .map(|dimension| merge_keys(taken(parts, dimension)))
            .collect::<Result<Vec<_>>>()?;
        let mut sizes = vec![PartSize::Fixed(narrow(bucket_count))];
        sizes.extend(keys.iter().map(|(keys, _)| PartSize::Fixed(narrow(keys.id_count()))));
        let space = KeySpace::new(&sizes, MIN_DENSE_LIMIT.max(total.saturating_mul(2)));
        Ok(Self::Ids { space, keys })
    }

    fn packed(parts: &mut [GroupedPartial], bucket_count: usize, longs: LongParts) -> Result<Self> {
        let mut widths = vec![bits_of_ids(bucket_count)];
        let mut keys = Vec::new();
        for dimension in 0..parts.first().map_or(0, |part| part.keys.len()) {
            let values = PartValues::of(taken(parts, dimension), longs)?;
            keys.push(PackedPart { at: widths.len(), values });
            match &keys[keys.len() - 1].values {
                PartValues::Longs(packing, _) => widths.extend(packing.widths()),
                PartValues::Doubles(_) | PartValues::WideFloats(_) => {
                    widths.push(PackedDoubles::WIDTH);
                }
                PartValues::Ids(distinct, _) => widths.push(bits_of_ids(distinct.id_count())),
            }
        }
        let mut space = PackedKeys::new(&widths).ok_or_else(|| {
            ExecError::Internal("keys that were to fit 128 bits do not".to_owned())
        })?;
        let counts = parts.iter().map(GroupedPartial::group_count);
        let total: usize = counts.clone().sum();
        space.reserve(counts.max().unwrap_or(0).max(total / EXPECTED_REPEATS));
        let expected = Expected { total, numbered: 0, is_known: false };
        Ok(Self::Packed { space, keys, expected })
    }

    /// The numbers of a partial's groups, which are in these time buckets.
    pub(super) fn number(&mut self, part: usize, count: usize, buckets: PartIds<'_>) -> Vec<u32> {
        match self {
            Self::Ids { space, keys } => {
                let mut ids = vec![buckets];
                ids.extend(keys.iter().map(|(_, ids)| PartIds::Rows(&ids[part])));
                let all = Selection::Range { start: 0, end: count };
                match space.groups(&ids, all, count).0 {
                    GroupIds::One(group) => vec![group; count],
                    GroupIds::Rows(groups) => groups[..count].to_vec(),
                }
            }
            Self::Packed { space, keys, expected } => {
                space.start(count);
                match buckets {
                    PartIds::Constant(id) => space.put(0, std::iter::repeat(u64::from(id))),
                    PartIds::Rows(ids) => space.put(0, ids.iter().map(|id| u64::from(*id))),
                }
                keys.iter().for_each(|keys| keys.put(part, space));
                let mut groups = vec![0; count];
                space.number(&mut groups);
                if let Some(all) = expected.after(count, space.len()) {
                    space.reserve(all);
                }
                groups
            }
        }
    }

    /// Group numbers are below this.
    pub(super) fn group_limit(&self) -> usize {
        match self {
            Self::Ids { space, .. } => space.group_limit(|_| 0),
            Self::Packed { space, .. } => space.len(),
        }
    }

    /// The time bucket and the keys of some groups.
    pub(super) fn finish(self, groups: &[u32]) -> (Vec<u32>, Vec<Column>) {
        match self {
            Self::Ids { space, keys } => {
                let part = |part: usize| space.part_ids(part, groups.iter().copied());
                let columns = keys.into_iter().enumerate();
                let columns = columns.map(|(index, (keys, _))| keys.rows(part(index + 1)));
                (part(0), columns.collect())
            }
            Self::Packed { space, keys, .. } => {
                let columns = keys.into_iter().map(|keys| keys.column(&space, groups));
                (space.part_ids(0, groups.iter().copied()), columns.collect())
            }
        }
    }
}

/// True when numbers are among several parts of the keys.
fn may_pack(parts: &[GroupedPartial], bucket_count: usize) -> bool {
    let Some(first) = parts.first() else { return false };
    let several = first.keys.len() + usize::from(bucket_count > 1) > 1;
    several && first.keys.iter().any(|keys| number_bits(keys).is_some())
}

/// Bits of the keys at most.
fn packed_bits(parts: &[GroupedPartial], bucket_count: usize, longs: LongParts) -> u32 {
    let Some(first) = parts.first() else { return 0 };
    let bits = |dimension: usize| match &first.keys[dimension] {
        Column::Long(_) => {
            let columns = parts.iter().filter_map(|part| match &part.keys[dimension] {
                Column::Long(values) => Some(values),
                _ => None,
            });
            longs.packing(&columns.collect::<Vec<_>>()).widths().iter().sum()
        }
        keys => number_bits(keys).unwrap_or(ID_BITS),
    };
    bits_of_ids(bucket_count) + (0..first.keys.len()).map(bits).sum::<u32>()
}

/// Bits of numbers; `None` for what is numbered by ids.
fn number_bits(keys: &Column) -> Option<u32> {
    keys.holds_numbers().then_some(PackedDoubles::WIDTH)
}

/// The key columns of one dimension, out of the partials.
fn taken(parts: &mut [GroupedPartial], dimension: usize) -> Vec<Column> {
    let take =
        |part: &mut GroupedPartial| std::mem::replace(&mut part.keys[dimension], Column::Null(0));
    parts.iter_mut().map(take).collect()
}

impl PartValues {
    fn of(columns: Vec<Column>, parts: LongParts) -> Result<Self> {
        let longs = |column: &Column| match column {
            Column::Long(values) => Some(values.clone()),
            _ => None,
        };
        if let Some(longs) = columns.iter().map(longs).collect::<Option<Vec<_>>>() {
            let packing = parts.packing(&longs.iter().collect::<Vec<_>>());
            return Ok(Self::Longs(packing, longs));
        }
        let doubles = |column: &Column| match column {
            Column::Double(values) => Some(values.clone()),
            _ => None,
        };
        if let Some(doubles) = columns.iter().map(doubles).collect::<Option<Vec<_>>>() {
            return Ok(Self::Doubles(doubles));
        }
        let floats = |column: &Column| match column {
            Column::WideFloat(values) => Some(values.clone()),
            _ => None,
        };
        if let Some(floats) = columns.iter().map(floats).collect::<Option<Vec<_>>>() {
            return Ok(Self::WideFloats(floats));
        }
        let (distinct, ids) = merge_keys(columns)?;
        Ok(Self::Ids(distinct, ids))
    }
}

impl PackedPart {
    /// Puts a partial's keys into those that were begun.
    fn put(&self, part: usize, space: &mut PackedKeys) {
        match &self.values {
            PartValues::Longs(packing, columns) => {
                let values = &columns[part];
                // The range is theirs, so none is outside.
                if values.null_count() == 0 {
                    packing.put(space, self.at, values.values().iter().copied());
                } else {
                    let all = (0..values.len()).map(|row| optional(values, row));
                    packing.put_nullable(space, self.at, all);
                }
            }
            PartValues::Doubles(columns) | PartValues::WideFloats(columns) => {
                let values = &columns[part];
                let all = (0..values.len()).map(|row| optional(values, row));
                space.put(self.at, all.map(PackedDoubles::code));
            }
            PartValues::Ids(_, ids) => {
                space.put(self.at, ids[part].iter().map(|id| u64::from(*id)));
            }
        }
    }

    fn column(self, space: &PackedKeys, groups: &[u32]) -> Column {
        match self.values {
            PartValues::Longs(packing, _) => packing.column(space, self.at, groups),
            PartValues::Doubles(_) => Column::Double(PackedDoubles::array(space, self.at, groups)),
            PartValues::WideFloats(_) => {
                Column::WideFloat(PackedDoubles::array(space, self.at, groups))
            }
            PartValues::Ids(distinct, _) => {
                distinct.rows(space.part_ids(self.at, groups.iter().copied()))
            }
        }
    }
}
