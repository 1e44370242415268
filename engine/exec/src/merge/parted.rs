//! Groups cut into partitions by the hash of their keys: equal groups of any partial meet in the same
//! one, each partition's table fits the cache, and several workers can merge them side by side.

use std::sync::Arc;

use henge_query::AggregatorSpec;
use henge_scan::{ExecError, Result};
use henge_types::narrow::place;
use henge_vector::{Column, Numbering, SegmentIds};

use super::dictionary::to_numbering;
use super::grouped::{combine, widen_range};
use crate::bucket_starts::BucketStarts;
use crate::context::{ExecContext, Tuning};
use crate::partial::{Distinctness, GroupedPartial, Partial};

/// Partitions of all groups.
const PARTITIONS: usize = 64;

/// Combinations of ids that are merged in an array.
const MAX_ARRAY_GROUPS: usize = 1 << 20;

/// Groups that are held before those that are the same are merged for the first time.
const MIN_COMPACTED_GROUPS: usize = 1 << 22;

/// Partitions are merged early where at least one of so many groups is the same as another.
const SHRUNK_OF: usize = 4;

/// What the keys of a dimension are numbered by.
enum KeyShape {
    /// Their own values, or text.
    Values(&'static str),
    /// A node-wide dictionary.
    Node(Arc<dyn Numbering>),
}

impl KeyShape {
    fn of(keys: &Column) -> Self {
        match keys {
            Column::NodeIds(keys) => Self::Node(Arc::clone(keys.numbering())),
            other => Self::Values(other.kind()),
        }
    }

    fn fits(&self, keys: &Column) -> bool {
        match (self, keys) {
            (Self::Node(numbering), Column::NodeIds(keys)) => {
                numbering.dictionary() == keys.numbering().dictionary()
            }
            (Self::Values(kind), keys) => *kind == keys.kind(),
            (Self::Node(_), _) => false,
        }
    }
}

/// Partials of one query by partition.
pub(crate) struct Parted {
    shapes: Vec<KeyShape>,
    partitions: Vec<Vec<GroupedPartial>>,
    data_range_ms: Vec<Option<(i64, i64)>>,
    groups: usize,
    compact_from: usize,
    bytes: usize,
    /// Whether what one partial has is distinct.
    distinctness: Distinctness,
}

impl Parted {
    /// Partitions for groups with keys like these; `None` when groups are better kept together:
    /// sketches would be copied.
    pub(super) fn for_groups(groups: &GroupedPartial) -> Option<Self> {
        let is_flat = groups.states.iter().all(is_flat);
        (is_flat && !groups.keys.is_empty()).then(|| Self {
            shapes: groups.keys.iter().map(KeyShape::of).collect(),
            partitions: vec![Vec::new(); PARTITIONS],
            data_range_ms: vec![None; groups.data_range_ms.len()],
            groups: 0,
            compact_from: MIN_COMPACTED_GROUPS,
            bytes: 0,
            distinctness: Distinctness::Distinct,
        })
    }

    /// True when groups have keys like those here.
    pub(super) fn takes(&self, groups: &GroupedPartial) -> bool {
        groups.keys.len() == self.shapes.len()
            && self.shapes.iter().zip(&groups.keys).all(|(shape, keys)| shape.fits(keys))
            && groups.states.iter().all(is_flat)
    }

    /// As [`Parted::push`], and merges what is the same once there is much.
    pub(super) fn add(
        &mut self,
        groups: &GroupedPartial,
        aggregations: &[AggregatorSpec],
        ctx: &ExecContext,
    ) -> Result<()> {
        self.push(groups);
        if self.groups > self.compact_from {
            self.compact(aggregations, ctx)?;
        }
        Ok(())
    }

    /// As [`Parted::add`], for groups of which several may be the same.
    pub(super) fn add_repeating(
        &mut self,
        groups: &GroupedPartial,
        aggregations: &[AggregatorSpec],
        ctx: &ExecContext,
    ) -> Result<()> {
        self.distinctness = Distinctness::Repeating;
        self.add(groups, aggregations, ctx)
    }

    /// Whether what one partial of a partition has is distinct.
    pub(super) fn distinctness(&self) -> Distinctness {
        self.distinctness
    }

    /// Adds groups that have keys like those here.
    pub(super) fn push(&mut self, groups: &GroupedPartial) {
        widen_range(&mut self.data_range_ms, &groups.data_range_ms);
        self.groups += groups.group_count();
        for (partition, groups) in self.partitions.iter_mut().zip(cut(groups)) {
            if groups.group_count() > 0 {
                self.bytes += groups.memory_bytes();
                partition.push(groups);
            }
        }
    }

    /// Merges what is the same, so that few groups in many segments are not held many times. The first
    /// partition says whether the others would shrink: keys are spread by their hashes.
    fn compact(&mut self, aggregations: &[AggregatorSpec], ctx: &ExecContext) -> Result<()> {
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            let (held, held_bytes) = size_of_parts(partition);
            let parts = std::mem::take(partition);
            *partition = combined(aggregations, parts, self.distinctness, ctx)?;
            let (left, left_bytes) = size_of_parts(partition);
            self.groups -= held - left;
            self.bytes = self.bytes + left_bytes - held_bytes;
            if index == 0 && left * SHRUNK_OF > held * (SHRUNK_OF - 1) {
                break;
            }
        }
        // What does not shrink is merged again only after as much again has come.
        self.compact_from = MIN_COMPACTED_GROUPS.max(self.groups.saturating_mul(2));
        Ok(())
    }

    /// Adds what others with keys like these have.
    pub(super) fn absorb(&mut self, other: Self) {
        widen_range(&mut self.data_range_ms, &other.data_range_ms);
        self.groups += other.groups;
        self.bytes += other.bytes;
        if other.distinctness == Distinctness::Repeating {
            self.distinctness = Distinctness::Repeating;
        }
        for (own, others) in self.partitions.iter_mut().zip(other.partitions) {
            own.extend(others);
        }
    }

    /// True when the keys of both are alike.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        self.shapes.len() == other.shapes.len()
            && self.shapes.iter().zip(&other.shapes).all(|pair| match pair {
                (KeyShape::Node(own), KeyShape::Node(others)) => {
                    own.dictionary() == others.dictionary()
                }
                (KeyShape::Values(own), KeyShape::Values(others)) => own == others,
                (KeyShape::Node(_), KeyShape::Values(_))
                | (KeyShape::Values(_), KeyShape::Node(_)) => false,
            })
    }

    /// The groups with keys like those here: text is numbered, or numbers become text.
    pub(super) fn fitted(&self, mut groups: GroupedPartial) -> Result<GroupedPartial> {
        for (shape, keys) in self.shapes.iter().zip(&mut groups.keys) {
            if shape.fits(keys) {
                continue;
            }
            *keys = match (shape, &*keys) {
                (KeyShape::Node(numbering), keys) => to_numbering(keys.clone(), numbering)?,
                (KeyShape::Values(_), Column::NodeIds(keys)) => Column::Text(keys.to_text()),
                (KeyShape::Values(kind), other) => {
                    let reason = format!("keys of kind {} beside {kind}", other.kind());
                    return Err(ExecError::Internal(reason));
                }
            };
        }
        Ok(groups)
    }

    /// Bytes of memory, roughly.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The partials, no longer of partitions, each distinct.
    pub(super) fn into_partials(
        self,
        aggregations: &[AggregatorSpec],
        ctx: &ExecContext,
    ) -> Result<Vec<GroupedPartial>> {
        let Self { partitions, distinctness, .. } = self;
        if distinctness == Distinctness::Distinct {
            return Ok(partitions.into_iter().flatten().collect());
        }
        let merged = partitions
            .into_iter()
            .map(|parts| combined(aggregations, parts, distinctness, ctx))
            .collect::<Result<Vec<_>>>()?;
        Ok(merged.into_iter().flatten().collect())
    }

    /// The time range of all, for each of the query's intervals.
    pub(super) fn data_range_ms(&self) -> &[Option<(i64, i64)>] {
        &self.data_range_ms
    }

    /// The partials of each partition.
    pub(super) fn into_partitions(self) -> Vec<Vec<Partial>> {
        let partials = |parts: Vec<_>| parts.into_iter().map(Partial::Grouped).collect();
        self.partitions.into_iter().map(partials).collect()
    }
}

/// How many groups some partials have, and their bytes.
fn size_of_parts(parts: &[GroupedPartial]) -> (usize, usize) {
    parts.iter().fold((0, 0), |(groups, bytes), part| {
        (groups + part.group_count(), bytes + part.memory_bytes())
    })
}

/// Partials of one partition merged into one at most.
fn combined(
    aggregations: &[AggregatorSpec],
    parts: Vec<GroupedPartial>,
    distinctness: Distinctness,
    ctx: &ExecContext,
) -> Result<Vec<GroupedPartial>> {
    if parts.is_empty() || (parts.len() == 1 && distinctness == Distinctness::Distinct) {
        return Ok(parts);
    }
    Ok(vec![combine(aggregations, parts, ctx)?])
}

/// True when groups are so many that partitions pay. Few groups of many segments are merged in one
/// table, which they leave small, and combinations of few ids in an array.
pub(super) fn pays(groups: &GroupedPartial, tuning: &Tuning) -> bool {
    let mut ids = groups.keys.iter().map(|keys| match keys {
        Column::NodeIds(keys) => Some(keys.numbering().id_count()),
        _ => None,
    });
    let combinations = ids.try_fold(1usize, |all, ids| all.checked_mul(ids?));
    let fits_array = combinations.is_some_and(|all| all <= MAX_ARRAY_GROUPS);
    groups.group_count() >= tuning.flushed_groups / 2 && !fits_array
}

/// Puts groups of different partitions together, which are all different.
pub(crate) fn put_together(mut parts: Vec<GroupedPartial>) -> Result<Option<GroupedPartial>> {
    // Neighbours first, so that no group is copied more often than there are rounds.
    while parts.len() > 1 {
        let mut pairs = parts.into_iter();
        parts = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(mut first) = pairs.next() {
            if let Some(second) = pairs.next() {
                first.append(&second)?;
            }
            parts.push(first);
        }
    }
    Ok(parts.pop())
}

/// States that are copied as bytes are.
fn is_flat(states: &Column) -> bool {
    match states {
        Column::Null(_)
        | Column::Long(_)
        | Column::Wide(_)
        | Column::Float(_)
        | Column::Double(_)
        | Column::WideFloat(_) => true,
        Column::Timed(timed) => is_flat(timed.values()),
        Column::Text(_)
        | Column::Lists(_)
        | Column::Objects(_)
        | Column::Mixed(_)
        | Column::SegmentIds(_)
        | Column::NodeIds(_) => false,
    }
}

/// The groups of each partition.
fn cut(groups: &GroupedPartial) -> impl Iterator<Item = GroupedPartial> {
    let mut hashes = vec![0; groups.group_count()];
    if let BucketStarts::At(starts) = &groups.bucket_starts {
        Column::longs(starts.clone(), None).mix_into(&mut hashes);
    }
    groups.keys.iter().for_each(|keys| match keys {
        // Their own numbers say as much as the texts do, and are at hand.
        Column::NodeIds(keys) => {
            Column::SegmentIds(SegmentIds::new(keys.ids().to_vec())).mix_into(&mut hashes);
        }
        keys => keys.mix_into(&mut hashes),
    });
    let partition_of = |hash: u64| place(hash >> (64 - PARTITIONS.ilog2()));
    let mut ends = [0u32; PARTITIONS];
    hashes.iter().for_each(|hash| ends[partition_of(*hash)] += 1);
    let mut end = 0;
    for count in &mut ends {
        (*count, end) = (end, end + *count);
    }
    let mut order = vec![0; hashes.len()];
    for (group, hash) in (0..).zip(&hashes) {
        let place = &mut ends[partition_of(*hash)];
        order[*place as usize] = group;
        *place += 1;
    }
    let mut start = 0;
    ends.into_iter().map(move |end| {
        let part = groups.pick(&order[start..end as usize]);
        start = end as usize;
        part
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use henge_vector::{Text, nulls_of, optional};

    use super::*;

    fn specs() -> Vec<AggregatorSpec> {
        let text = r#"{"queryType":"groupBy","dataSource":"t","granularity":"all",
            "intervals":"1970/1971","aggregations":[{"type":"count","name":"n"}]}"#;
        let query = henge_query::Query::parse(text.as_bytes()).expect("a query");
        query.grouped().expect("groups").aggregations.to_vec()
    }

    /// Some of 5,000 pairs of a number and a text, a tenth of the numbers null.
    fn groups(part: u64) -> GroupedPartial {
        let numbers: Vec<u64> = (0..3_000).map(|i: u64| (i * 7 + part * 911) % 5_000).collect();
        let texts: Vec<String> = numbers.iter().map(|n| format!("t{}", n % 13)).collect();
        let nulls = nulls_of(numbers.len(), |row| !numbers[row].is_multiple_of(10));
        let longs = numbers.iter().map(|n| (*n as i64 - 2_500) << 40).collect();
        GroupedPartial {
            bucket_starts: BucketStarts::All(numbers.len()),
            keys: vec![
                Column::longs(longs, nulls),
                Column::Text(Text::of(texts.iter().map(|text| Some(text.as_str())))),
            ],
            states: vec![Column::longs(numbers.iter().map(|n| *n as i64).collect(), None)],
            data_range_ms: vec![Some((part as i64, 10))],
        }
    }

    #[test]
    fn partitions_are_merged_early_only_where_groups_come_again() {
        let (specs, ctx) = (specs(), ExecContext::default());
        let some = combine(&specs, vec![groups(0)], &ctx).expect("one shape");
        let half = some.group_count() / 2;
        let pick = |range: std::ops::Range<usize>| {
            some.pick(&range.map(|group| group as u32).collect::<Vec<_>>())
        };
        for (parts, is_whole) in [
            ([pick(0..half), pick(half..2 * half)], false),
            ([pick(0..half), pick(half / 4..half + half / 4)], true),
        ] {
            let mut parted = Parted::for_groups(&some).expect("numbers and texts");
            parts.iter().for_each(|part| parted.push(part));
            parted.compact(&specs, &ctx).expect("one shape");
            let (groups, bytes) = parted
                .partitions
                .iter()
                .map(|parts| size_of_parts(parts))
                .fold((0, 0), |(groups, bytes), of| (groups + of.0, bytes + of.1));
            assert_eq!((parted.groups, parted.bytes), (groups, bytes), "what is held is told");
            assert_eq!(parted.partitions.iter().all(|parts| parts.len() == 1), is_whole);
        }
    }

    fn by_key(groups: &GroupedPartial) -> BTreeMap<(Option<i64>, String), i64> {
        let [Column::Long(longs), Column::Text(texts)] = groups.keys.as_slice() else {
            panic!("a number and a text")
        };
        let Column::Long(states) = &groups.states[0] else { panic!("counts") };
        let key = |row| (optional(longs, row), texts.get(row).unwrap_or_default().to_owned());
        let all: BTreeMap<_, _> =
            (0..longs.len()).map(|row| (key(row), states.value(row))).collect();
        assert_eq!(all.len(), longs.len(), "groups are distinct");
        all
    }

    #[test]
    fn partitions_hold_what_one_table_would() {
        let (specs, ctx) = (specs(), ExecContext::default());
        let regrouped = |part| combine(&specs, vec![groups(part)], &ctx).expect("one shape");
        let expected = combine(&specs, (0..3).map(regrouped).collect(), &ctx).expect("one shape");
        let mut parted = Parted::for_groups(&groups(0)).expect("numbers and texts");
        let mut other = Parted::for_groups(&groups(0)).expect("numbers and texts");
        parted.add(&regrouped(0), &specs, &ctx).expect("room");
        parted.add(&regrouped(1), &specs, &ctx).expect("room");
        other.push(&regrouped(2));
        assert!(parted.is_alike(&other) && parted.takes(&groups(1)));
        parted.absorb(other);
        parted.compact(&specs, &ctx).expect("one shape");
        assert_eq!(parted.groups, expected.group_count());
        assert_eq!(parted.data_range_ms(), [Some((0, 10))]);
        let partitions = parted.into_partitions();
        assert!(partitions.iter().all(|parts| parts.len() == 1), "keys are spread");
        let all = partitions.into_iter().flatten().filter_map(|partial| match partial {
            Partial::Grouped(groups) => Some(groups),
            _ => None,
        });
        let together = put_together(all.collect()).expect("one shape").expect("groups");
        assert_eq!(by_key(&together), by_key(&expected));
    }
}
