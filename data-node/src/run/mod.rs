//! Runs a query over views in this process: what the cache knows is taken from there, the rest is
//! shared by a few workers on the CPU pool.

mod call;
mod derived;
mod gather;
mod slight;
mod sort;
mod work;

use std::sync::Arc;

use futures::future::try_join_all;
use henge_exec::{
    DerivedKeys, ExecContext, ExecError, Extent, Merger, NodeDictionaries, Partial, RankCut,
    SharedRun, Spill, Worker, are_keys_findable,
};
use henge_platform::runtime::{CpuPool, mapped_damages};
use henge_platform::spill::SpillStorage;
use henge_query::Query;
use henge_segment::{SegmentError, SegmentView};

use self::gather::{Found, Gather};
use self::slight::Readers;
use self::sort::Sorted;
use crate::cache::PartialCache;
use crate::error::NodeError;
use crate::loads::SegmentLoads;
use crate::reads::SegmentReads;
use crate::reply::SegmentReply;
use crate::request::{SegmentDescriptor, SegmentQuery};
use crate::running::RunningQueries;
use crate::spill::GroupSpill;

pub use call::Call;

/// What a node found for one descriptor: the views that together hold its rows, each row once.
pub type DescriptorViews = (SegmentDescriptor, Vec<Arc<dyn SegmentView>>);

/// What is merged on the spot: handing it to another thread would take longer.
const INLINE_BYTES: usize = 64 << 10;

/// What a process gives its data nodes to answer queries with.
#[derive(Debug, Clone)]
pub struct QueryServices {
    /// The cluster's identity.
    pub cluster: Arc<str>,
    /// CPU threads.
    pub pool: CpuPool,
    /// The queries at work.
    pub running: Arc<RunningQueries>,
    /// Room on disk for groups beyond memory, if there is any.
    pub spill: Option<Arc<dyn SpillStorage>>,
}

/// Runs queries over the views of a node.
#[derive(Debug, Clone)]
pub struct QueryRunner {
    services: QueryServices,
    dictionaries: Option<Arc<NodeDictionaries>>,
    partials: Option<Arc<dyn PartialCache>>,
    loads: Arc<SegmentLoads>,
    reads: Arc<SegmentReads>,
    on_the_pool: bool,
    /// The same rows whenever they are read.
    are_immutable: bool,
}

impl QueryRunner {
    /// For views of which nothing is kept.
    #[must_use]
    pub fn new(services: QueryServices) -> Self {
        Self {
            services,
            dictionaries: None,
            partials: None,
            loads: Arc::default(),
            reads: Arc::default(),
            on_the_pool: false,
            are_immutable: false,
        }
    }

    /// For views of immutable segments, one a descriptor, that share `dictionaries`; `partials` keeps
    /// what they contribute.
    #[must_use]
    pub fn over_segments(
        services: QueryServices,
        dictionaries: Arc<NodeDictionaries>,
        partials: Option<Arc<dyn PartialCache>>,
    ) -> Self {
        let dictionaries = Some(dictionaries);
        Self { dictionaries, partials, are_immutable: true, ..Self::new(services) }
    }

    /// Reads on the CPU pool alone, however little it is: for views that wait for what is far away.
    #[must_use]
    pub fn on_the_pool(self) -> Self {
        Self { on_the_pool: true, ..self }
    }

    /// How much each segment is read.
    #[must_use]
    pub fn loads(&self) -> &Arc<SegmentLoads> {
        &self.loads
    }

    /// How long reading segments takes, and what of it is waiting for disks.
    #[must_use]
    pub fn reads(&self) -> &Arc<SegmentReads> {
        &self.reads
    }

    /// Stops what works on queries with this id. True when there was one.
    pub fn cancel(&self, query_id: &str) -> bool {
        self.services.running.cancel(query_id)
    }

    /// Takes a request up: its time runs from here on.
    ///
    /// # Errors
    /// When it is for another cluster, or its time is up already.
    pub fn accept(&self, request: &SegmentQuery) -> Result<Call, NodeError> {
        Call::open(&self.services, request)
    }

    /// Answers `request` from `found`; `missing` is passed through.
    ///
    /// # Errors
    /// When one view fails, time is up or somebody cancels: then the whole call fails, never a part
    /// of it.
    pub async fn run(
        &self,
        call: &Call,
        request: &SegmentQuery,
        found: Vec<DescriptorViews>,
        missing: Vec<SegmentDescriptor>,
    ) -> Result<SegmentReply, NodeError> {
        call.within(self.answer(call, request, found, missing)).await
    }

    async fn answer(
        &self,
        call: &Call,
        request: &SegmentQuery,
        found: Vec<DescriptorViews>,
        missing: Vec<SegmentDescriptor>,
    ) -> Result<SegmentReply, NodeError> {
        let damages = mapped_damages();
        let pool = &self.services.pool;
        let answered_segments = Some(found.len() as u64);
        let rows_of =
            |views: &[Arc<dyn SegmentView>]| views.iter().map(|view| view.row_count()).sum();
        let all_rows = found.iter().map(|(_, views)| rows_of(views)).sum();
        let read =
            self.loads.sample(&found, |(segment, views)| (segment.id.clone(), rows_of(views)));
        let reads = found.first().map(|(segment, _)| self.reads.of(&segment.id.datasource));
        let rank = self.rank_of(request, &found);
        let sorted = sort::sort(self.partials.as_ref(), request, found);
        let is_stored = request.query.base().data_source.is_stored();
        let derived = if is_stored { sorted.derived_keys(&request.query)? } else { None };
        let Sorted { known, items, mut stats } = match &derived {
            Some(derived) => sorted.without(derived),
            None => sorted,
        };
        let query = derived.as_ref().map_or(&request.query, DerivedKeys::query);
        let spill = self.spill_of(request, derived.as_ref());
        let context = self.context_of(call, request, spill.as_ref());
        let readers = Readers::of(pool, query, &items);
        let readers = if self.on_the_pool { readers.of_the_pool() } else { readers };
        let found = match is_stored {
            true => {
                let shared = Extent::whole_if(known.is_empty());
                let run = Arc::new(SharedRun::new(Arc::clone(query), items, shared));
                let workers = (0..readers.count().min(run.worker_limit())).map(|_| {
                    let worker = work::Watched::new(Worker::new(Arc::clone(&run)), reads.clone());
                    work::work(pool, call.priority(), worker, readers, &context)
                });
                try_join_all(workers).await?
            }
            false => derived::work(pool, call.priority(), query, items, &context).await?,
        };
        let mut mergers = Vec::new();
        for (merger, spent) in found {
            mergers.push(merger);
            stats += spent;
        }
        let held_bytes = known.iter().map(Partial::memory_bytes).sum::<usize>()
            + mergers.iter().map(Merger::memory_bytes).sum::<usize>();
        let is_small = !self.on_the_pool && held_bytes <= INLINE_BYTES;
        let extent = request.extent.and(Extent::whole_if(missing.is_empty()));
        stats.spilled_bytes = spill.as_ref().map_or(0, |spill| spill.written_bytes());
        let query = Arc::clone(query);
        let whole = Arc::clone(&request.query);
        let gather = Gather { query, whole, derived, extent, rank, spill, context };
        let found = match is_small {
            true => gather.merge(mergers, known)?,
            false => gather.merge_on(pool, call.priority(), mergers, known).await?,
        };
        if mapped_damages() != damages {
            // Of one of the files a part is gone; what was read of it may be zeros.
            let reason = "a mapped file was cut short while it was read";
            return Err(ExecError::Segment(SegmentError::corrupt(reason)).into());
        }
        self.loads.count(read, all_rows, stats.cpu_time_us);
        let reply = SegmentReply { missing, answered_segments, stats, ..SegmentReply::default() };
        Ok(match found {
            Found::Nothing => reply,
            Found::InMemory(partial, left_out, lease) => {
                SegmentReply { partials: vec![partial], left_out, leases: vec![lease], ..reply }
            }
            Found::OnDisk(groups) => {
                SegmentReply { partitions: Some(call.partitions(groups)), ..reply }
            }
        })
    }

    /// Which groups are wanted, if others may be left out: they can be asked for once more and are then the
    /// same, and a filter finds them.
    fn rank_of(&self, request: &SegmentQuery, found: &[DescriptorViews]) -> Option<RankCut> {
        let is_stored = request.query.base().data_source.is_stored();
        let rank = request.rank.clone().filter(|_| self.are_immutable && is_stored)?;
        let views = found.iter().flat_map(|(_, views)| views).map(|view| view.as_ref());
        are_keys_findable(&request.query, views).then_some(rank)
    }

    /// Room on disk for the groups of one call.
    fn spill_of(
        &self,
        request: &SegmentQuery,
        derived: Option<&DerivedKeys>,
    ) -> Option<Arc<GroupSpill>> {
        let disk_bytes = request.budget.disk_bytes;
        let may_spill = disk_bytes > 0 && matches!(*request.query, Query::GroupBy(_));
        let storage = self.services.spill.as_ref().filter(|_| may_spill)?;
        Some(Arc::new(GroupSpill::new(Arc::clone(storage), disk_bytes).with(derived.cloned())))
    }

    fn context_of(
        &self,
        call: &Call,
        request: &SegmentQuery,
        spill: Option<&Arc<GroupSpill>>,
    ) -> ExecContext {
        let budget = &request.budget;
        // Workers together hold half of the budget: merging takes as much again.
        let above_bytes = budget.memory_bytes / (2 * self.services.pool.threads().max(1));
        ExecContext {
            cancel: call.running().cancel.clone(),
            memory_budget_bytes: budget.memory_bytes,
            memory: call.running().memory.clone(),
            max_buckets: budget.buckets,
            dictionaries: self.dictionaries.clone(),
            spill: spill.map(|sink| Spill { sink: Arc::clone(sink) as _, above_bytes }),
            ..ExecContext::default()
        }
    }
}
