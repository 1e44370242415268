//! All aggregators of a query over one segment.

use henge_query::AggregatorSpec;
use henge_scan::{Batch, BlockBits, ColumnSet, Columns, Result, RowSet, Selection, SlotId};
use henge_vector::Column;

use crate::accumulator::{BlockInput, Run};
use crate::aggregator::Aggregator;
use crate::group_marks::GroupMarks;
use crate::scatter::{PlainSum, add_sums};
use crate::table::{Layout, StateTable};

/// Picks groups by the states of an aggregator; `None` picks all.
type PickGroups<'p> = &'p dyn Fn(&Column) -> Option<Vec<u32>>;

/// Rows that are added at a time when states are not all in the cache.
const COLD_ROWS: usize = 512;

/// Sums that one pass adds to.
const MAX_SUMS_TOGETHER: usize = 4;

/// The aggregators of a query, all with room for the same number of groups.
#[derive(Debug)]
pub struct Aggregators<'a> {
    all: Vec<Aggregator<'a>>,
    states: StateTable,
    groups: usize,
    seen_word: Option<usize>,
    /// Those that took the current block as a whole.
    answered: Vec<bool>,
    clipped: BlockBits,
    marks: GroupMarks,
}

impl<'a> Aggregators<'a> {
    /// The aggregators of these specs; what they read become slots of `set`.
    pub fn new(
        specs: &'a [AggregatorSpec],
        columns: &Columns<'a>,
        set: &mut ColumnSet<'a>,
    ) -> Result<Self> {
        let mut layout = Layout::default();
        let all = specs
            .iter()
            .map(|spec| Aggregator::new(spec, columns, set, &mut layout))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            seen_word: all.iter().find_map(Aggregator::seen_word),
            answered: vec![false; all.len()],
            all,
            states: StateTable::new(&layout),
            groups: 0,
            clipped: BlockBits::default(),
            marks: GroupMarks::default(),
        })
    }

    /// True when states tell which groups have rows, so that nobody else needs to.
    pub fn know_seen(&self) -> bool {
        self.seen_word.is_some()
    }

    /// The groups that have rows, if states tell.
    pub fn seen(&self) -> Option<Vec<u32>> {
        self.seen_word.map(|word| self.states.groups_with(word))
    }

    /// Bytes of a group's states of fixed width.
    pub fn row_bytes(&self) -> usize {
        self.states.row_bytes()
    }

    /// True when all states are rows of one table, which cost little to begin anew.
    pub fn have_fixed_width(&self) -> bool {
        self.all.iter().all(Aggregator::has_fixed_width)
    }

    /// Bytes of memory of all states.
    pub fn memory_bytes(&self) -> usize {
        let others: usize = self.all.iter().map(Aggregator::memory_bytes).sum();
        self.states.memory_bytes() + others
    }

    /// Makes room in the tables for so many groups that are expected.
    pub fn reserve(&mut self, groups: usize) {
        self.states.reserve(groups);
    }

    /// Makes room for groups up to this number.
    pub fn make_room(&mut self, groups: usize) {
        if groups > self.groups {
            self.groups = groups;
            self.states.make_room(groups);
            self.all.iter_mut().for_each(|aggregator| aggregator.resize(groups));
        }
    }

    /// Prepares for the selected rows of a block.
    pub fn start_block(&mut self, block: usize, rows: RowSet<'_>) -> Result<()> {
        self.answered.fill(false);
        self.all.iter_mut().try_for_each(|aggregator| aggregator.start_block(block, rows))
    }

    /// Lets aggregators take all rows of a block from its statistics.
    pub fn answer_by_stats(
        &mut self,
        group: u32,
        block: usize,
        rows: usize,
        set: &ColumnSet<'_>,
    ) -> Result<()> {
        for (aggregator, answered) in self.all.iter_mut().zip(&mut self.answered) {
            *answered = aggregator.update_by_stats(group, block, rows, set, &mut self.states)?;
        }
        Ok(())
    }

    /// Lets aggregators take runs of rows of a block, each of one group, as they are stored.
    pub fn answer_by_packed(
        &mut self,
        runs: &[Run],
        block: usize,
        rows: RowSet<'_>,
        set: &ColumnSet<'_>,
    ) -> Result<()> {
        let Self { all, states, answered, clipped, .. } = self;
        let open: Vec<bool> = answered.iter().map(|answered| !answered).collect();
        for run in runs {
            let part = rows.clip(run.rows.clone(), clipped);
            if part.is_empty() {
                continue;
            }
            for ((aggregator, answered), open) in all.iter_mut().zip(&mut *answered).zip(&open) {
                if *open {
                    *answered = aggregator.update_packed(run.bucket, block, part, set, states)?;
                }
            }
        }
        Ok(())
    }

    /// True when every aggregator took the current block as a whole.
    pub fn all_answered(&self) -> bool {
        self.answered.iter().all(|answered| *answered)
    }

    /// The slots that must be loaded for the current block.
    pub fn open_slots(&self) -> impl Iterator<Item = SlotId> {
        let open = self.all.iter().zip(&self.answered).filter(|(_, answered)| !**answered);
        open.flat_map(|(aggregator, _)| aggregator.slots().iter().copied())
    }

    /// Adds a batch of the current block; its groups are below `groups`.
    pub fn update(
        &mut self,
        batch: &Batch<'_>,
        groups: usize,
        input: &BlockInput<'_>,
    ) -> Result<()> {
        self.make_room(groups);
        let Batch::ByRow { selection, groups: of_row } = *batch else {
            return self.update_each(batch, input, &[]);
        };
        // Rows in order of time often are of one group by their time.
        if let Some(group) = common_group(selection, of_row) {
            return self.update_each(&Batch::One { selection, group }, input, &[]);
        }
        if GroupMarks::pay(selection, input.window.capacity(), groups) {
            return self.update_marked(selection, of_row, groups, input);
        }
        // One aggregator alone reads and adds at once.
        if self.all.len() == 1 || !self.states.is_large() {
            return self.update_together(batch, input);
        }
        // The states of some rows are brought into the cache, and all aggregators find them there.
        for part in selection.parts(COLD_ROWS) {
            self.states.touch(part, of_row);
            self.update_together(&Batch::ByRow { selection: part, groups: of_row }, input)?;
        }
        Ok(())
    }

    fn update_together(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Result<()> {
        let together = self.update_sums(batch, input);
        self.update_each(batch, input, &together)
    }

    /// Lets aggregators add a batch, but for those that did.
    fn update_each(
        &mut self,
        batch: &Batch<'_>,
        input: &BlockInput<'_>,
        done: &[usize],
    ) -> Result<()> {
        for (index, aggregator) in self.all.iter_mut().enumerate() {
            if !self.answered[index] && !done.contains(&index) {
                aggregator.update(batch, input, &mut self.states)?;
            }
        }
        Ok(())
    }

    /// Adds the rows of few groups, those of one group after those of another.
    fn update_marked(
        &mut self,
        selection: Selection<'_>,
        of_row: &[u32],
        groups: usize,
        input: &BlockInput<'_>,
    ) -> Result<()> {
        let Self { all, states, answered, marks, .. } = self;
        marks.mark(selection, of_row, groups);
        let batch = Batch::ByRow { selection, groups: of_row };
        for (aggregator, answered) in all.iter_mut().zip(answered) {
            if !*answered && !aggregator.update_marked(marks, input, states)? {
                aggregator.update(&batch, input, states)?;
            }
        }
        Ok(())
    }

    /// Adds to several sums of doubles in one pass over the rows. Returns which aggregators did.
    fn update_sums(&mut self, batch: &Batch<'_>, input: &BlockInput<'_>) -> Vec<usize> {
        let mut sums: Vec<(usize, PlainSum<'_>)> = Vec::new();
        if let Batch::ByRow { .. } = batch {
            let open = self.all.iter().enumerate().filter(|(index, _)| !self.answered[*index]);
            sums.extend(open.filter_map(|(index, one)| Some((index, one.plain_sum(input)?))));
        }
        if sums.len() < 2 {
            return Vec::new();
        }
        for sums in sums.chunks(MAX_SUMS_TOGETHER) {
            let states = &mut self.states;
            match sums {
                [(_, a), (_, b), (_, c), (_, d)] => add_sums(states, batch, [*a, *b, *c, *d]),
                [(_, a), (_, b), (_, c)] => add_sums(states, batch, [*a, *b, *c]),
                [(_, a), (_, b)] => add_sums(states, batch, [*a, *b]),
                rest => rest.iter().for_each(|(_, sum)| add_sums(states, batch, [*sum])),
            }
        }
        sums.into_iter().map(|(index, _)| index).collect()
    }

    /// The states of these groups (of all for `None`). When `best` picks some of them by the states
    /// of one aggregator, only of those; then also returns which they are.
    pub fn finish(
        self,
        groups: Option<&[u32]>,
        best: Option<(usize, PickGroups<'_>)>,
    ) -> Result<(Vec<Column>, Option<Vec<u32>>)> {
        let Self { all, states, .. } = self;
        let mut all: Vec<Option<Aggregator<'_>>> = all.into_iter().map(Some).collect();
        let mut first = None;
        if let Some((index, best)) = best
            && let Some(aggregator) = all.get_mut(index).and_then(Option::take)
        {
            let column = aggregator.finish(groups, &states)?;
            let picked = best(&column);
            first = Some((column, picked));
        }
        let (first, picked) = match first {
            None => (None, None),
            Some((column, None)) => (Some(column), None),
            Some((column, Some(picked))) => (Some(column.into_taken(&picked)), Some(picked)),
        };
        let kept: Option<Vec<u32>> = picked.as_ref().map(|picked| match groups {
            None => picked.clone(),
            Some(groups) => picked.iter().map(|&index| groups[index as usize]).collect(),
        });
        let groups = kept.as_deref().or(groups);
        let mut first = first.into_iter();
        let columns = all
            .into_iter()
            .filter_map(|aggregator| match aggregator {
                Some(aggregator) => Some(aggregator.finish(groups, &states)),
                None => first.next().map(Ok),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok((columns, picked))
    }
}

/// The group of all rows of a range, when they have the same.
fn common_group(selection: Selection<'_>, of_row: &[u32]) -> Option<u32> {
    let Selection::Range { start, end } = selection else { return None };
    let of_row = &of_row[start..end];
    let (first, last) = (*of_row.first()?, *of_row.last()?);
    let alike = first == last && of_row[of_row.len() / 2] == first;
    (alike && of_row.iter().all(|group| *group == first)).then_some(first)
}
