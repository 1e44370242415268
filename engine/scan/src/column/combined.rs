//! Combinations of an expression's inputs: rows are numbered by them, so that the expression is
//! evaluated once for each combination that occurs.

use henge_expr::ExprValue;

use super::expression::ExpressionSource;
use super::part::Part;
use super::{IdMemo, Window};
use crate::error::Result;
use crate::key_space::{GroupIds, KeySpace, PartIds};
use crate::selection::Selection;

/// Combinations that are numbered by position.
const MAX_POSITIONS: usize = 1 << 16;
/// When more combinations occur, rows are evaluated one by one.
const MAX_COMBINATIONS: usize = 1 << 20;
/// Expressions of more columns have too many combinations.
const MAX_PARTS: usize = 8;

/// Values that stand for those of the parts, one of each.
pub(super) type Inputs<'i> = dyn Iterator<Item = Result<ExprValue>> + 'i;

/// The stored columns that an expression reads, seen as parts of a key.
#[derive(Debug)]
pub(super) struct Combined<'a> {
    parts: Vec<Part<'a>>,
    space: KeySpace,
    numbers_of: IdMemo,
    /// The number of all rows of the window, when it is the same.
    constant: Option<u32>,
    numbers: Vec<u32>,
}

impl<'a> Combined<'a> {
    /// `None` when a result depends on anything else than one value a row of each column.
    pub(super) fn of(source: &ExpressionSource<'a>) -> Option<Self> {
        let mut parts = Vec::new();
        source.collect_parts(&mut parts)?;
        if parts.is_empty() || parts.len() > MAX_PARTS {
            return None;
        }
        let space = space(&parts, MAX_POSITIONS);
        let numbers_of = IdMemo::default();
        Some(Self { parts, space, numbers_of, constant: None, numbers: Vec::new() })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(Part::memory_bytes).sum();
        parts + self.space.memory_bytes() + self.numbers_of.memory_bytes()
    }

    /// Numbers a window's selected rows; `find` gives the number of a combination that is new from
    /// inputs that stand for it, one of each part. False when combinations are too many.
    pub(super) fn number(
        &mut self,
        window: Window,
        selection: Selection<'_>,
        find: &mut dyn FnMut(&mut Inputs<'_>) -> Result<u32>,
    ) -> Result<bool> {
        for part in &mut self.parts {
            part.load(window, selection)?;
            if part.is_full() {
                return Ok(false);
            }
        }
        let Self { parts, space: key_space, numbers_of, constant, numbers } = self;
        let mut limit = key_space.group_limit(|part| parts[part].id_count());
        if parts.len() > 1 && key_space.is_dense() && limit > MAX_COMBINATIONS {
            *key_space = space(parts, 0);
            *numbers_of = IdMemo::default();
        }
        let ids: Vec<PartIds<'_>> = parts.iter().map(Part::ids).collect();
        let (groups, counted) = key_space.groups(&ids, selection, window.capacity());
        limit = counted.unwrap_or(limit);
        if limit > MAX_COMBINATIONS {
            return Ok(false);
        }
        numbers_of.grow(limit);
        numbers.resize(numbers.len().max(window.capacity()), 0);
        let mut find = |row: usize| find(&mut parts.iter().map(|part| part.input(row)));
        match groups {
            // Of no row nothing is evaluated.
            GroupIds::One(_) if selection.is_empty() => *constant = None,
            GroupIds::One(group) => *constant = Some(numbers_of.get(group, || find(0))?),
            GroupIds::Rows(groups) => {
                *constant = None;
                numbers_of.map(groups, selection, numbers, |row, _| find(row))?;
            }
        }
        Ok(true)
    }

    /// What [`Combined::number`] found.
    pub(super) fn numbers(&self) -> PartIds<'_> {
        self.constant.map_or(PartIds::Rows(&self.numbers), PartIds::Constant)
    }
}

fn space(parts: &[Part<'_>], max_positions: usize) -> KeySpace {
    let sizes: Vec<_> = parts.iter().map(Part::size).collect();
    KeySpace::new(&sizes, max_positions)
}
