//! A leaf over a large dictionary for readers that stop early: a value is looked at when a row that
//! holds it is, until so many were that the whole dictionary had better be.

use henge_query::comparison::{Comparison, Truth};
use henge_segment::{NULL_ID, SegmentView, StringColumn};

use super::id_leaf::IdLeaf;
use crate::column::widen_ids;
use crate::error::Result;
use crate::id_test::{IdTest, set_contains};
use crate::selection::{BlockBits, Selection};

/// Smaller dictionaries are seen as a whole at once.
const MIN_VALUES: u32 = 1 << 15;
/// When one of so many values was looked at, the others are, too: read in order they cost several
/// times less, and a filter that few rows pass is better off with all of them.
const KNOWN_OF: usize = 16;

/// A single-value string column.
pub(crate) struct MetLeaf<'a> {
    view: &'a dyn SegmentView,
    column: &'a dyn StringColumn,
    comparison: Comparison<'a>,
    wanted: Truth,
    /// One bit an id: it was looked at, and its rows pass.
    known: Vec<u64>,
    passing: Vec<u64>,
    known_count: usize,
    missing: Vec<u32>,
    rows: Vec<u16>,
    ids: Vec<u32>,
    scratch: Vec<u32>,
    /// In the place of the bits, once the whole dictionary was seen.
    whole: Option<IdLeaf<'a>>,
}

impl std::fmt::Debug for MetLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetLeaf").field("known", &self.known_count).finish_non_exhaustive()
    }
}

impl<'a> MetLeaf<'a> {
    /// True when it is worth its while: the dictionary is large and must be seen value by value.
    pub(super) fn pays(column: &dyn StringColumn, comparison: &Comparison<'_>) -> Result<bool> {
        let large = !column.is_multi_value() && column.dictionary().len() >= MIN_VALUES;
        Ok(large && IdTest::must_see_values(comparison, column.dictionary())?)
    }

    pub(super) fn new(
        view: &'a dyn SegmentView,
        column: &'a dyn StringColumn,
        comparison: Comparison<'a>,
        wanted: Truth,
    ) -> Self {
        let words = (column.dictionary().len() as usize).div_ceil(64);
        let mut leaf = Self {
            view,
            column,
            wanted,
            known: vec![0; words],
            passing: vec![0; words],
            known_count: 0,
            missing: Vec::new(),
            rows: Vec::new(),
            ids: Vec::new(),
            scratch: Vec::new(),
            whole: None,
            comparison,
        };
        leaf.known[0] |= 1 << NULL_ID;
        leaf.passing[0] |= u64::from(leaf.comparison.of_null() == wanted) << NULL_ID;
        leaf
    }

    pub(crate) fn narrow(
        &mut self,
        block: usize,
        candidates: &mut BlockBits,
        spare: &mut Vec<BlockBits>,
    ) -> Result<()> {
        if self.whole.is_none() && self.known_count * KNOWN_OF > self.known.len() * 64 {
            let dictionary = self.column.dictionary();
            let test = IdTest::compile(&self.comparison, self.wanted, dictionary)?;
            self.whole = Some(IdLeaf::new(self.view, self.column, test)?);
        }
        if let Some(whole) = &mut self.whole {
            return whole.narrow(block, candidates, spare);
        }
        candidates.positions(&mut self.rows);
        let ids = self.column.id_block(block, &mut self.scratch)?;
        self.ids.resize(self.ids.len().max(self.view.block_rows(block)), NULL_ID);
        let rows = Selection::Rows(&self.rows);
        if let Some(id) = widen_ids(ids, rows, &mut self.ids) {
            self.look_at(std::iter::once(id))?;
            if !set_contains(&self.passing, id) {
                candidates.clear();
            }
            return Ok(());
        }
        let ids = std::mem::take(&mut self.ids);
        let rows = std::mem::take(&mut self.rows);
        let looked = self.look_at(rows.iter().map(|row| ids[usize::from(*row)]));
        (self.ids, self.rows) = (ids, rows);
        looked?;
        candidates.retain(|row| set_contains(&self.passing, self.ids[row]));
        Ok(())
    }

    /// Looks at the values of ids that are new.
    fn look_at(&mut self, ids: impl Iterator<Item = u32>) -> Result<()> {
        let Self { column, comparison, wanted, known, passing, known_count, missing, .. } = self;
        missing.clear();
        missing.extend(ids.filter(|id| !set_contains(known, *id)));
        missing.sort_unstable();
        missing.dedup();
        *known_count += missing.len();
        let wants_match = *wanted == Truth::True;
        comparison.with_text_test(|test| {
            column.dictionary().for_ids(missing, &mut |id, text| {
                let (word, bit) = (id as usize / 64, 1 << (id % 64));
                known[word] |= bit;
                if test(text) == wants_match {
                    passing[word] |= bit;
                }
            })
        })?;
        Ok(())
    }
}
