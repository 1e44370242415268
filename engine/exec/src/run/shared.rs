//! One query over many segments by several workers: each takes the next segment, and when there is
//! none left it helps with the blocks of one that another still works on, so that all cores are
//! busy to the end, also when there is a single big segment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use henge_query::Query;
use henge_segment::SegmentView;

use super::grouped::{self, GroupedQuery};
use crate::context::ExecContext;
use crate::error::Result;
use crate::merge::Merger;
use crate::projection::{self, ProjectionPlan};

/// Blocks that a worker takes at a time.
const CLAIM_BLOCKS: usize = 4;

/// What is left of a segment must be worth the set-up and the merging of another worker's part.
const MIN_HELPED_BLOCKS: usize = 8;

/// The segments of a query, being worked on.
#[derive(Debug)]
pub struct SharedRun {
    query: Arc<Query>,
    items: Vec<Item>,
    next_item: AtomicUsize,
}

/// A segment and how far its blocks are taken.
#[derive(Debug)]
struct Item {
    query: Arc<Query>,
    view: Arc<dyn SegmentView>,
    /// The projection that is read instead of the segment, once that is known.
    plan: OnceLock<Option<ProjectionPlan>>,
    /// Of the projection, or of the segment.
    next_block: AtomicUsize,
}

impl Item {
    fn plan(&self) -> Result<Option<&ProjectionPlan>> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan.as_ref());
        }
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

    fn blocks_left(&self) -> usize {
        self.rows().block_count().saturating_sub(self.next_block.load(Ordering::Relaxed))
    }
}

impl SharedRun {
    /// The work of `query`. Each view comes with the query as it is to answer it; together they hold
    /// each row once.
    #[must_use]
    pub fn new(query: Arc<Query>, views: Vec<(Arc<Query>, Arc<dyn SegmentView>)>) -> Self {
        let mut items: Vec<Item> = views
            .into_iter()
            .map(|(query, view)| Item {
                query,
                view,
                plan: OnceLock::new(),
                next_block: AtomicUsize::new(0),
            })
            .collect();
        // What takes longest begins first.
        items.sort_by_key(|item| std::cmp::Reverse(item.view.row_count()));
        Self { query, items, next_item: AtomicUsize::new(0) }
    }

    /// The most workers that find something to do.
    #[must_use]
    pub fn worker_limit(&self) -> usize {
        let parts = |item: &Item| match GroupedQuery::of(&item.query, None) {
            Some(_) => (item.view.block_count() / MIN_HELPED_BLOCKS).max(1),
            None => 1,
        };
        self.items.iter().map(parts).sum()
    }

    /// The segment with most blocks left, when that is worth helping with.
    fn to_help(&self) -> Option<&Item> {
        self.items
            .iter()
            .filter(|item| GroupedQuery::of(&item.query, None).is_some())
            .max_by_key(|item| item.blocks_left())
            .filter(|item| item.blocks_left() >= MIN_HELPED_BLOCKS)
    }
}

/// One worker's part of a shared run.
#[derive(Debug)]
pub struct Worker {
    run: Arc<SharedRun>,
    merger: Merger,
    segments: u64,
    rows: u64,
}

impl Worker {
    /// A worker that has done nothing yet.
    #[must_use]
    pub fn new(run: Arc<SharedRun>) -> Self {
        let merger = Merger::new(Arc::clone(&run.query));
        Self { run, merger, segments: 0, rows: 0 }
    }

    /// Does a piece of the work: a segment, or some blocks of one. False when nothing was left.
    ///
    /// # Errors
    /// As [`super::run`].
    pub fn step(&mut self, ctx: &ExecContext) -> Result<bool> {
        let run = Arc::clone(&self.run);
        let next = run.next_item.fetch_add(1, Ordering::Relaxed);
        let (item, first) = match run.items.get(next) {
            Some(item) => (item, true),
            None => match run.to_help() {
                Some(item) => (item, false),
                None => return Ok(false),
            },
        };
        let plan = item.plan()?;
        if first {
            self.segments += 1;
            self.rows += item.rows().row_count() as u64;
        }
        let rows = item.rows();
        let query = plan.map_or(item.query.as_ref(), ProjectionPlan::query);
        let partial = match GroupedQuery::of(query, None) {
            Some(grouped) => {
                ctx.cancel.check()?;
                let count = rows.block_count();
                grouped::run(
                    &grouped,
                    rows,
                    &mut || {
                        let start = item.next_block.fetch_add(CLAIM_BLOCKS, Ordering::Relaxed);
                        (start < count).then(|| start..(start + CLAIM_BLOCKS).min(count))
                    },
                    ctx,
                )?
            }
            None => super::run(&item.query, item.view.as_ref(), ctx)?,
        };
        let partial = match plan {
            Some(plan) => plan.finish(&item.query, item.view.as_ref(), partial),
            None => partial,
        };
        self.merger.add(partial, ctx)?;
        Ok(true)
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
