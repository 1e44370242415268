//! One query over many segments by several workers: each takes the next segment, and when there is
//! none left it helps with the blocks of one that another still works on, so that all cores are
//! busy to the end, also when there is a single big segment.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use henge_query::Query;
use henge_scan::Result;
use henge_segment::SegmentView;

use super::grouped::{KeyForm, Output};
use super::sums;
use crate::context::ExecContext;
use crate::extent::Extent;
use crate::first_cut::FirstCut;
use crate::memory::MemoryLease;
use crate::merge::{Merger, text_of_ids};
use crate::partial::{Distinctness, GroupedPartial, Partial};
use crate::projection::{self, ProjectionPlan};
use crate::scan_bound::ScanBound;

/// Blocks that a worker takes at a time.
const CLAIM_BLOCKS: usize = 4;

/// What is left of a segment must be worth the set-up and the merging of another worker's part.
const MIN_HELPED_BLOCKS: usize = 8;

/// Stopping in the middle of a segment means another partial to merge: not after less than this.
const MIN_TURN_BLOCKS: usize = 16;

/// The groups of a single segment are not told of when they are more: naming them takes longer than
/// finding them again.
const MAX_TOLD_GROUPS: usize = 1 << 12;

/// The segments of a query, being worked on.
#[derive(Debug)]
pub struct SharedRun {
    query: Arc<Query>,
    items: Vec<Item>,
    next_item: AtomicUsize,
    extent: Extent,
    /// Of scans that want the first rows by time.
    bound: Option<ScanBound>,
}

/// Takes what a whole segment contributes.
pub type TellWhole = Box<dyn Fn(&Partial) + Send + Sync>;

/// A segment of a shared run.
pub struct SharedItem {
    /// The query as the segment is to answer it.
    pub query: Arc<Query>,
    /// Its rows.
    pub view: Arc<dyn SegmentView>,
    /// Told what the whole segment contributes, if one worker found all of it.
    pub whole: Option<TellWhole>,
}

impl std::fmt::Debug for SharedItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedItem").field("segment", self.view.id()).finish_non_exhaustive()
    }
}

impl SharedItem {
    fn found_all(&self, partial: &Partial) {
        if let Some(whole) = &self.whole {
            whole(partial);
        }
    }
}

/// A segment and how far its blocks are taken.
#[derive(Debug)]
struct Item {
    shared: SharedItem,
    /// The projection that is read instead of the segment, once that is known.
    plan: OnceLock<Option<ProjectionPlan>>,
    /// Of the projection, or of the segment.
    next_block: AtomicUsize,
}

impl Deref for Item {
    type Target = SharedItem;

    fn deref(&self) -> &SharedItem {
        &self.shared
    }
}

impl Item {
    fn plan(&self) -> Result<Option<&ProjectionPlan>> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan.as_ref());
        }
        self.view.ready()?;
        let plan = projection::plan(&self.query, self.view.as_ref())?;
        Ok(self.plan.get_or_init(|| plan).as_ref())
    }

    /// The rows that are read.
    fn rows(&self) -> &dyn SegmentView {
        match self.plan.get() {
            Some(Some(plan)) => plan.view(self.view.as_ref()),
            _ => self.view.as_ref(),
        }
    }

    /// What string keys become; a projection has dictionaries of its own.
    fn key_form(&self, run: &SharedRun) -> KeyForm {
        match self.plan.get() {
            _ if !run.has_segment_ids() => KeyForm::OfNode,
            Some(None) => KeyForm::Ids,
            _ => KeyForm::Text,
        }
    }

    /// Tells what the whole segment contributes.
    fn tell(&self, partial: &Partial, form: KeyForm) -> Result<()> {
        match (&self.whole, form, partial) {
            (None, ..) => {}
            (Some(_), KeyForm::Ids, Partial::Grouped(groups))
                if groups.group_count() > MAX_TOLD_GROUPS => {}
            (Some(_), KeyForm::Ids, _) => {
                // Whoever is told keeps it longer than the segment.
                let partial = text_of_ids(&self.query, self.view.as_ref(), partial.clone())?;
                self.found_all(&partial);
            }
            (Some(_), KeyForm::OfNode | KeyForm::Text, _) => self.found_all(partial),
        }
        Ok(())
    }

    fn blocks_left(&self) -> usize {
        self.rows().block_count().saturating_sub(self.next_block.load(Ordering::Relaxed))
    }
}

impl SharedRun {
    /// The work of `query` over segments that together hold each row once; `extent` says whether what
    /// they contribute is all that is merged.
    #[must_use]
    pub fn new(query: Arc<Query>, items: Vec<SharedItem>, extent: Extent) -> Self {
        let mut items: Vec<Item> = items
            .into_iter()
            .map(|shared| Item { shared, plan: OnceLock::new(), next_block: AtomicUsize::new(0) })
            .collect();
        // What takes longest begins first, or what has the first rows.
        let bound = ScanBound::of(&query);
        items.sort_by_key(|item| match &bound {
            Some(bound) => bound.least_word(item.view.as_ref()),
            None => !(item.view.row_count() as u64),
        });
        Self { query, items, next_item: AtomicUsize::new(0), extent, bound }
    }

    /// True when the groups are of a single segment: they keep its ids as keys until all are merged,
    /// and need no numbers of the node.
    fn has_segment_ids(&self) -> bool {
        self.extent.is_whole() && self.items.len() == 1
    }

    /// What groups have to be that are handed on: those that are cut by their keys are counted.
    fn handed_on(&self) -> Distinctness {
        match FirstCut::of(&self.query) {
            Some(_) => Distinctness::Distinct,
            None => Distinctness::Repeating,
        }
    }

    /// The groups that can be in the answer by their keys alone.
    fn only_first(&self, partial: Partial) -> Partial {
        match (FirstCut::of(&self.query), partial) {
            (Some(cut), Partial::Grouped(groups)) => Partial::Grouped(match cut.best(&groups) {
                Some(first) => groups.pick(&first),
                None => groups,
            }),
            (_, partial) => partial,
        }
    }

    /// The most workers that find something to do.
    #[must_use]
    pub fn worker_limit(&self) -> usize {
        let parts = |item: &Item| match item.query.grouped() {
            Some(_) => (item.view.block_count() / MIN_HELPED_BLOCKS).max(1),
            None => 1,
        };
        self.items.iter().map(parts).sum()
    }

    /// The segment with most blocks left, when that is worth helping with.
    fn to_help(&self) -> Option<usize> {
        let grouped = |item: &Item| item.query.grouped().is_some();
        let most = self.items.iter().enumerate().filter(|(_, item)| grouped(item));
        most.max_by_key(|(_, item)| item.blocks_left())
            .filter(|(_, item)| item.blocks_left() >= MIN_HELPED_BLOCKS)
            .map(|(index, _)| index)
    }
}

/// One worker's part of a shared run.
#[derive(Debug)]
pub struct Worker {
    run: Arc<SharedRun>,
    merger: Merger,
    /// A segment that it stopped in the middle of.
    current: Option<usize>,
    lease: Option<MemoryLease>,
    segments: u64,
    rows: u64,
}

impl Worker {
    /// A worker that has done nothing yet.
    #[must_use]
    pub fn new(run: Arc<SharedRun>) -> Self {
        let merger = Merger::new(Arc::clone(&run.query));
        Self { run, merger, current: None, lease: None, segments: 0, rows: 0 }
    }

    /// Does a piece of the work: a segment, or some blocks of one. It stops early, at a price, when
    /// `should_yield` says so. False when nothing was left.
    ///
    /// # Errors
    /// As [`super::run`].
    pub fn step(&mut self, ctx: &ExecContext, should_yield: &dyn Fn() -> bool) -> Result<bool> {
        let run = Arc::clone(&self.run);
        let Some(index) = self.next_index() else { return Ok(false) };
        ctx.cancel.check()?;
        self.work_on(&run, index, ctx, should_yield)
            .map_err(|error| error.of_segment(run.items[index].view.as_ref()))?;
        Ok(true)
    }

    fn work_on(
        &mut self,
        run: &SharedRun,
        index: usize,
        ctx: &ExecContext,
        should_yield: &dyn Fn() -> bool,
    ) -> Result<()> {
        let item = &run.items[index];
        let plan = item.plan()?;
        if item.next_block.load(Ordering::Relaxed) == 0 {
            self.rows += item.rows().row_count() as u64;
        }
        let query = plan.map_or(item.query.as_ref(), ProjectionPlan::query);
        let (partial, form, is_whole) = match query.grouped() {
            Some(grouped) => {
                let keys = item.key_form(run);
                let output = Output { cut: None, keys, handed_on: run.handed_on() };
                let count = item.rows().block_count();
                let mut claimed = 0;
                let mut claim = || {
                    if claimed >= MIN_TURN_BLOCKS && should_yield() {
                        return None;
                    }
                    let start = item.next_block.fetch_add(CLAIM_BLOCKS, Ordering::Relaxed);
                    let blocks =
                        (start < count).then(|| start..(start + CLAIM_BLOCKS).min(count))?;
                    claimed += blocks.len();
                    Some(blocks)
                };
                let finished = |partial: Partial| match plan {
                    Some(plan) => plan.finish(&item.query, item.view.as_ref(), partial),
                    None => partial,
                };
                let mut flushed = false;
                let mut flush = |groups: GroupedPartial, distinctness| {
                    flushed = true;
                    let groups = finished(Partial::Grouped(groups));
                    self.add(item, output.keys, groups, distinctness, ctx)
                };
                let flush = Some(&mut flush as _);
                let partial = sums::run(&grouped, output, item.rows(), &mut claim, flush, ctx)?;
                let partial = finished(partial);
                self.current = (item.blocks_left() > 0).then_some(index);
                (partial, output.keys, claimed == count && !flushed)
            }
            None => {
                // What is told must be all of the segment's.
                let bound = run.bound.as_ref().filter(|_| item.whole.is_none());
                let view = item.view.as_ref();
                let partial = match bound {
                    Some(_) => crate::rows::run(&item.query, view, bound, ctx)?,
                    None => super::run(&item.query, view, ctx)?,
                };
                (partial, KeyForm::OfNode, true)
            }
        };
        if is_whole {
            item.tell(&partial, form)?;
        }
        self.add(item, form, partial, Distinctness::Distinct, ctx)
    }

    /// Adds what a part of a segment contributes.
    fn add(
        &mut self,
        item: &Item,
        form: KeyForm,
        partial: Partial,
        distinctness: Distinctness,
        ctx: &ExecContext,
    ) -> Result<()> {
        let partial = self.run.only_first(partial);
        let partial = match distinctness {
            Distinctness::Distinct => partial,
            Distinctness::Repeating => {
                let segment = (form == KeyForm::Ids).then_some(&item.view);
                match self.merger.add_repeating(segment, partial, ctx)? {
                    Some(partial) => partial,
                    None => return self.account(ctx),
                }
            }
        };
        match form {
            KeyForm::Ids => self.merger.add_of_segment(&item.view, partial, ctx)?,
            KeyForm::OfNode | KeyForm::Text => self.merger.add(partial, ctx)?,
        }
        self.account(ctx)
    }

    /// The segment it was at, the next one, or one to help with.
    fn next_index(&mut self) -> Option<usize> {
        if let Some(index) = self.current.take() {
            return Some(index);
        }
        let next = self.run.next_item.fetch_add(1, Ordering::Relaxed);
        if next >= self.run.items.len() {
            return self.run.to_help();
        }
        self.segments += 1;
        Some(next)
    }

    /// Tells what it holds, and puts that aside when it is too much.
    fn account(&mut self, ctx: &ExecContext) -> Result<()> {
        let mut held = self.merger.memory_bytes();
        if let Some(spill) = ctx.spill.as_ref().filter(|spill| spill.is_due(held, &ctx.memory)) {
            if let Partial::Grouped(groups) = self.merger.take().finish(Extent::Part, ctx)? {
                spill.sink.put(groups)?;
            }
            held = 0;
        }
        self.lease.get_or_insert_with(|| ctx.memory.lease()).set(held)
    }

    /// Segments that this worker was the first to take, and their rows.
    #[must_use]
    pub fn scanned(&self) -> (u64, u64) {
        (self.segments, self.rows)
    }

    /// What this worker found.
    #[must_use]
    pub fn into_merger(self) -> Merger {
        self.merger
    }
}
