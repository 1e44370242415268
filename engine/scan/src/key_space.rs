//! From the ids of several key parts (time bucket, dimensions) to one group number.
//!
//! While the product of the parts' sizes is small, a group's number is its position in a dense array
//! and nothing is looked up. Else ids are packed into 64-bit keys and numbered by a hash table; parts
//! that do not fit one key are chained: the group so far becomes part of the next key.

use crate::id_table::IdTable;
use crate::selection::Selection;

/// How many ids a part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartSize {
    /// Ids are below this.
    Fixed(u32),
    /// New ids come as rows are read; about so many are expected.
    Growing(usize),
}

/// The ids of a part, for selected rows.
#[derive(Debug, Clone, Copy)]
pub enum PartIds<'b> {
    /// The same for all rows.
    Constant(u32),
    /// `ids[row]`.
    Rows(&'b [u32]),
}

/// The groups of selected rows.
#[derive(Debug, Clone, Copy)]
pub enum GroupIds<'b> {
    /// The same for all rows.
    One(u32),
    /// `groups[row]`.
    Rows(&'b [u32]),
}

/// Numbers groups.
#[derive(Debug)]
pub struct KeySpace {
    mode: Mode,
    keys: Vec<u64>,
    groups: Vec<u32>,
}

#[derive(Debug)]
enum Mode {
    /// Part `p` contributes `id * strides[p]`.
    Dense {
        strides: Vec<u32>,
        sizes: Vec<PartSize>,
        limit: usize,
    },
    Hash(Vec<Stage>),
}

/// One table of a chain.
#[derive(Debug)]
struct Stage {
    table: IdTable,
    /// Parts in this stage's key, each with its shift and width.
    parts: Vec<(usize, u32, u32)>,
    /// True when the low 32 bits are the group of the stage before.
    chained: bool,
}

impl KeySpace {
    /// A space for parts of these sizes; dense when it has at most `dense_limit` groups.
    pub fn new(sizes: &[PartSize], dense_limit: usize) -> Self {
        let mode = dense(sizes, dense_limit).unwrap_or_else(|| Mode::Hash(stages(sizes)));
        Self { mode, keys: Vec::new(), groups: Vec::new() }
    }

    /// Makes room for so many groups, where tables number them.
    pub fn reserve(&mut self, groups: usize) {
        if let Mode::Hash(stages) = &mut self.mode {
            stages.iter_mut().for_each(|stage| stage.table.reserve(groups));
        }
    }

    /// True when groups are positions, some of which may be empty.
    pub fn is_dense(&self) -> bool {
        matches!(self.mode, Mode::Dense { .. })
    }

    /// Group numbers are below this; `id_counts` says how many ids each part has by now.
    pub fn group_limit(&self, id_counts: impl Fn(usize) -> usize) -> usize {
        match &self.mode {
            Mode::Dense { limit, sizes, strides } => {
                let growing = sizes.iter().position(|size| matches!(size, PartSize::Growing(_)));
                growing.map_or(*limit, |part| id_counts(part) * strides[part] as usize)
            }
            Mode::Hash(stages) => stages.last().map_or(1, |stage| stage.table.len()),
        }
    }

    /// Bytes of memory of the tables, roughly.
    pub fn memory_bytes(&self) -> usize {
        match &self.mode {
            Mode::Dense { .. } => 0,
            Mode::Hash(stages) => stages.iter().map(|stage| stage.table.memory_bytes()).sum(),
        }
    }

    /// The groups of the selected rows of up to `row_count` rows, and the number of groups so far
    /// when they are numbered by a table.
    pub fn groups<'b>(
        &'b mut self,
        parts: &[PartIds<'b>],
        selection: Selection<'_>,
        row_count: usize,
    ) -> (GroupIds<'b>, Option<usize>) {
        let Self { mode, keys, groups } = self;
        match mode {
            Mode::Dense { strides, .. } => {
                let base: u32 = parts
                    .iter()
                    .zip(&*strides)
                    .map(|(part, stride)| match part {
                        PartIds::Constant(id) => id * stride,
                        PartIds::Rows(_) => 0,
                    })
                    .sum();
                let rows = parts.iter().zip(&*strides).filter_map(|(part, stride)| match part {
                    PartIds::Constant(_) => None,
                    PartIds::Rows(ids) => Some((*ids, *stride)),
                });
                (dense_groups(base, rows, selection, row_count, groups), None)
            }
            Mode::Hash(stages) => {
                groups.resize(groups.len().max(row_count), 0);
                keys.resize(keys.len().max(row_count), 0);
                let constant = parts.iter().all(|part| matches!(part, PartIds::Constant(_)));
                let one = constant.then(|| constant_group(stages, parts));
                if one.is_none() {
                    for stage in stages.iter_mut() {
                        stage.assign(parts, selection, keys, groups);
                    }
                }
                let limit = stages.last().map(|stage| stage.table.len());
                (one.map_or(GroupIds::Rows(groups), GroupIds::One), limit)
            }
        }
    }

    /// The ids of a part for each group.
    pub fn part_ids(&self, part: usize, groups: impl Iterator<Item = u32>) -> Vec<u32> {
        match &self.mode {
            Mode::Dense { strides, sizes, .. } => {
                let (stride, size) = (strides[part].max(1), sizes[part]);
                let is_one = |size: &PartSize| matches!(size, PartSize::Fixed(0 | 1));
                let others = sizes.iter().enumerate().filter(|(other, _)| *other != part);
                match size {
                    size if is_one(&size) => groups.map(|_| 0).collect(),
                    // The only part with several ids: its ids are the groups.
                    _ if stride == 1 && others.map(|(_, size)| size).all(is_one) => {
                        groups.collect()
                    }
                    PartSize::Fixed(size) => groups.map(|g| g / stride % size.max(1)).collect(),
                    PartSize::Growing(_) => groups.map(|group| group / stride).collect(),
                }
            }
            Mode::Hash(stages) => groups.map(|group| hashed_part(stages, part, group)).collect(),
        }
    }
}

/// Dense strides: the growing part, if there is one, comes first, where it needs no bound.
fn dense(sizes: &[PartSize], dense_limit: usize) -> Option<Mode> {
    let mut strides = vec![0; sizes.len()];
    let mut product = 1usize;
    for (stride, size) in strides.iter_mut().zip(sizes) {
        if let PartSize::Fixed(size) = size {
            *stride = u32::try_from(product).ok()?;
            product = product.checked_mul(*size as usize)?;
            if product > dense_limit {
                return None;
            }
        }
    }
    let growing: Vec<(usize, usize)> = sizes
        .iter()
        .enumerate()
        .filter_map(|(part, size)| match size {
            PartSize::Growing(expected) => Some((part, *expected)),
            PartSize::Fixed(_) => None,
        })
        .collect();
    match growing.as_slice() {
        [] => {}
        // Alone, its ids are the groups, however many there will be.
        [(part, _)] if product == 1 => strides[*part] = 1,
        [(part, expected)] if product.saturating_mul(*expected) <= dense_limit => {
            strides[*part] = product as u32;
        }
        _ => return None,
    }
    Some(Mode::Dense { strides, sizes: sizes.to_vec(), limit: product })
}

fn stages(sizes: &[PartSize]) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut current = Stage { table: IdTable::default(), parts: Vec::new(), chained: false };
    let mut used = 0;
    for (part, size) in sizes.iter().enumerate() {
        let width = match size {
            PartSize::Fixed(size) => 32 - size.saturating_sub(1).leading_zeros(),
            PartSize::Growing(_) => 32,
        };
        if used + width > 64 {
            stages.push(current);
            current = Stage { table: IdTable::default(), parts: Vec::new(), chained: true };
            used = 32;
        }
        if width > 0 {
            current.parts.push((part, used, width));
        }
        used += width;
    }
    stages.push(current);
    stages
}

/// Sums the parts' contributions row by row.
fn dense_groups<'b>(
    base: u32,
    rows: impl Iterator<Item = (&'b [u32], u32)>,
    selection: Selection<'_>,
    row_count: usize,
    groups: &'b mut Vec<u32>,
) -> GroupIds<'b> {
    let parts: Vec<(&[u32], u32)> = rows.collect();
    match parts.as_slice() {
        [] => return GroupIds::One(base),
        [(ids, 1)] if base == 0 => return GroupIds::Rows(ids),
        _ => {}
    }
    groups.resize(groups.len().max(row_count), 0);
    for (index, (ids, stride)) in parts.into_iter().enumerate() {
        match selection {
            Selection::Range { start, end } => {
                let pairs = groups[start..end].iter_mut().zip(&ids[start..end]);
                if index == 0 {
                    pairs.for_each(|(group, &id)| *group = base + id * stride);
                } else {
                    pairs.for_each(|(group, &id)| *group += id * stride);
                }
            }
            Selection::Rows(rows) => {
                for &row in rows {
                    let start = if index == 0 { base } else { groups[row as usize] };
                    groups[row as usize] = start + ids[row as usize] * stride;
                }
            }
        }
    }
    GroupIds::Rows(groups)
}

impl Stage {
    fn assign(
        &mut self,
        parts: &[PartIds<'_>],
        selection: Selection<'_>,
        keys: &mut [u64],
        groups: &mut [u32],
    ) {
        let Self { table, parts: key_parts, chained } = self;
        let constant: u64 = key_parts
            .iter()
            .map(|&(part, shift, _)| match parts[part] {
                PartIds::Constant(id) => u64::from(id) << shift,
                PartIds::Rows(_) => 0,
            })
            .sum();
        if *chained {
            selection.for_each(|row| keys[row] = constant | u64::from(groups[row]));
        } else {
            selection.for_each(|row| keys[row] = constant);
        }
        for &(part, shift, _) in key_parts.iter() {
            if let PartIds::Rows(ids) = parts[part] {
                selection.for_each(|row| keys[row] |= u64::from(ids[row]) << shift);
            }
        }
        match selection {
            Selection::Range { start, end } => {
                table.ids_of(&keys[start..end], &mut groups[start..end]);
            }
            rows => rows.for_each(|row| groups[row] = table.id_of(keys[row])),
        }
    }
}

fn constant_group(stages: &mut [Stage], parts: &[PartIds<'_>]) -> u32 {
    let mut group = 0;
    for stage in stages {
        let mut key = if stage.chained { u64::from(group) } else { 0 };
        for &(part, shift, _) in &stage.parts {
            if let PartIds::Constant(id) = parts[part] {
                key |= u64::from(id) << shift;
            }
        }
        group = stage.table.id_of(key);
    }
    group
}

/// Follows the chain back to the stage that holds the part.
fn hashed_part(stages: &[Stage], part: usize, group: u32) -> u32 {
    let mut group = group;
    for stage in stages.iter().rev() {
        let key = stage.table.keys()[group as usize];
        if let Some((_, shift, width)) = stage.parts.iter().find(|(index, ..)| *index == part) {
            return (key >> shift & (u64::MAX >> (64 - width))) as u32;
        }
        group = key as u32;
    }
    // A part of one id takes no room in any key.
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sizes: &[PartSize], dense_limit: usize, ids: &[Vec<u32>]) -> KeySpace {
        let rows = ids[0].len();
        let mut space = KeySpace::new(sizes, dense_limit);
        let parts: Vec<PartIds<'_>> = ids.iter().map(|ids| PartIds::Rows(ids)).collect();
        let groups = match space.groups(&parts, Selection::Range { start: 0, end: rows }, rows).0 {
            GroupIds::Rows(groups) => groups[..rows].to_vec(),
            GroupIds::One(group) => vec![group; rows],
        };
        for (part, ids) in ids.iter().enumerate() {
            assert_eq!(&space.part_ids(part, groups.iter().copied()), ids, "part {part}");
        }
        for a in 0..rows {
            for b in 0..rows {
                let equal = ids.iter().all(|ids| ids[a] == ids[b]);
                assert_eq!(groups[a] == groups[b], equal);
            }
        }
        space
    }

    #[test]
    fn groups_can_be_taken_apart_again() {
        let column = |modulus: u32| (0..60).map(|row| row * 7 % modulus).collect::<Vec<u32>>();
        let fixed = [PartSize::Fixed(3), PartSize::Fixed(1), PartSize::Fixed(5)];
        let ids = [column(3), column(1), column(5)];
        assert!(check(&fixed, 100, &ids).is_dense());
        assert!(!check(&fixed, 10, &ids).is_dense());
        let mixed = [PartSize::Fixed(3), PartSize::Growing(30)];
        assert!(check(&mixed, 100, &[column(3), column(50)]).is_dense());
        assert!(!check(&mixed, 50, &[column(3), column(50)]).is_dense());
        let wide = [PartSize::Growing(1); 5];
        let ids: Vec<Vec<u32>> = (2..7).map(column).collect();
        assert!(!check(&wide, 100, &ids).is_dense());
    }
}
