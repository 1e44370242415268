//! First, last and any of texts.

use std::sync::Arc;

use henge_query::aggregate::OneValue;
use henge_scan::{Batch, Dimension, DimensionIds, Result, Selection, SlotId};
use henge_segment::metric::{cut, list_text};
use henge_types::OneOf;
use henge_vector::Column;

use super::Times;
use crate::accumulator::{Accumulator, BlockInput};
use crate::merged::{KeptValues, MergedStates};
use crate::sketch::selection_of;
use crate::table::StateTable;

/// First, last or any of texts. A text is read once it may be kept.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    kept: KeptValues<Arc<str>>,
    dimension: Dimension<'a>,
    times: Option<SlotId>,
    max_bytes: usize,
    joins_lists: bool,
    /// Whether the column is a FLOAT.
    of_float: bool,
    /// Texts by id, as far as they were read.
    known: Vec<Option<Arc<str>>>,
    /// Bytes of the texts that were read.
    known_bytes: usize,
    /// The ids of a window's rows; from [`LIST`] on, numbers of its lists.
    rows: Vec<u32>,
    lists: Vec<Vec<u32>>,
}

/// Marks the number of a list.
const LIST: u32 = 1 << 31;

impl<'a> Texts<'a> {
    /// `of_float` says that the column is a FLOAT.
    pub(super) fn new(
        spec: &OneValue,
        dimension: Dimension<'a>,
        times: Option<SlotId>,
        of_float: bool,
    ) -> Self {
        Self {
            kept: KeptValues::new(spec.which),
            dimension,
            times,
            max_bytes: spec.max_string_bytes as usize,
            joins_lists: spec.joins_lists || spec.which != OneOf::Any,
            of_float,
            known: Vec::new(),
            known_bytes: 0,
            rows: Vec::new(),
            lists: Vec::new(),
        }
    }

    /// Finds the ids of a window's rows.
    fn number_rows(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        let Self { dimension, rows, lists, joins_lists, .. } = self;
        rows.clear();
        rows.resize(input.window.capacity(), 0);
        lists.clear();
        let mut distinct = Vec::new();
        let selection = selection_of(batch, &mut distinct);
        let (ids, _) = dimension.ids(input.window, selection, input.loaded)?;
        match ids {
            DimensionIds::Constant(id) => rows.fill(id),
            DimensionIds::Rows(ids) => selection.for_each(|row| rows[row] = ids[row]),
            DimensionIds::Lists { offsets, ids } => selection.for_each(|row| {
                rows[row] = match &ids[offsets[row] as usize..offsets[row + 1] as usize] {
                    [] => 0,
                    [id] => *id,
                    [id, ..] if !*joins_lists => *id,
                    several => {
                        lists.push(several.to_vec());
                        LIST | (lists.len() as u32 - 1)
                    }
                };
            }),
        }
        Ok(())
    }

    /// The text of an id of a row.
    fn text(&mut self, id: u32) -> Result<Option<Arc<str>>> {
        if id & LIST == 0 {
            return self.value(id);
        }
        let list = self.lists[(id & !LIST) as usize].clone();
        let texts = list.into_iter().map(|id| self.value(id)).collect::<Result<Vec<_>>>()?;
        let texts: Vec<&str> = texts.iter().map(|text| text.as_deref().unwrap_or("null")).collect();
        Ok(Some(cut(&list_text(&texts), self.max_bytes).into()))
    }

    /// The text of an id of the dimension, read once.
    fn value(&mut self, id: u32) -> Result<Option<Arc<str>>> {
        if id == 0 {
            return Ok(None);
        }
        if self.known.get(id as usize).is_none_or(Option::is_none) {
            self.read(&[id])?;
        }
        Ok(self.known[id as usize].clone())
    }

    /// Reads the texts of some ids, ascending.
    fn read(&mut self, ids: &[u32]) -> Result<()> {
        let Self { known, known_bytes, dimension, max_bytes, of_float, .. } = self;
        let end = ids.last().map_or(0, |id| *id as usize + 1);
        known.resize(end.max(known.len()), None);
        dimension.for_each_value(Some(ids), &mut |id, value| {
            let text: Arc<str> = cut(&value.text(*of_float), *max_bytes).into();
            *known_bytes += text.len() + 2 * size_of::<usize>();
            known[id as usize] = Some(text);
        })
    }

    /// Reads all texts of a window that are not known, together: any of them may be kept.
    fn read_window(&mut self, selection: Selection<'_>) -> Result<()> {
        let mut ids = Vec::new();
        let is_known = |id: u32| self.known.get(id as usize).is_some_and(Option::is_some);
        selection.for_each(|row| {
            let id = self.rows[row];
            if id != 0 && id & LIST == 0 && !is_known(id) {
                ids.push(id);
            }
        });
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() { Ok(()) } else { self.read(&ids) }
    }
}

impl Accumulator for Texts<'_> {
    fn slots(&self) -> Vec<SlotId> {
        self.dimension.slot().into_iter().chain(self.times).collect()
    }

    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn update(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        _: &mut StateTable,
    ) -> Result<()> {
        let Some(times) = Times::load(self.times, input)? else { return Ok(()) };
        self.number_rows(batch, input)?;
        if self.times.is_none() {
            let mut distinct = Vec::new();
            self.read_window(selection_of(batch, &mut distinct))?;
        }
        let mut result = Ok(());
        times.visit(batch, |row, group, time_ms| {
            if !self.kept.is_settled(group, time_ms) {
                match self.text(self.rows[row]) {
                    Ok(text) => self.kept.offer(group, time_ms, text),
                    Err(error) => result = Err(error),
                }
            }
        });
        result
    }

    fn memory_bytes(&self) -> usize {
        let known = self.known.capacity() * size_of::<Option<Arc<str>>>();
        self.kept.memory_bytes() + self.dimension.memory_bytes() + known + self.known_bytes
    }

    fn finish(self: Box<Self>, groups: Option<&[u32]>, _: &StateTable) -> Result<Column> {
        Ok(self.kept.into_column(groups))
    }
}
