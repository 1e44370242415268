//! The end of a call: one partial result of what the cache knew and the workers found.

use std::sync::Arc;

use futures::future::try_join_all;
use henge_exec::{
    DerivedKeys, ExecContext, ExecError, Extent, Gathering, LeftOut, MemoryLease, Merger, Partial,
    RankCut,
};
use henge_platform::runtime::{CpuPool, Priority, Step, Turn};
use henge_query::Query;

use crate::error::NodeError;
use crate::spill::{GroupSpill, SpilledGroups};

/// What a call has to answer.
pub(super) enum Found {
    /// No segment had rows for it.
    Nothing,
    /// One partial result, what bounds the groups that it lacks, and what it holds.
    InMemory(Partial, Option<LeftOut>, MemoryLease),
    /// Groups of which a part is on disk.
    OnDisk(SpilledGroups),
}

/// What everything of a call is merged for.
pub(super) struct Gather {
    pub(super) query: Arc<Query>,
    /// The query with the keys that follow from others.
    pub(super) whole: Arc<Query>,
    /// These keys.
    pub(super) derived: Option<DerivedKeys>,
    pub(super) extent: Extent,
    /// Which groups are wanted.
    pub(super) rank: Option<RankCut>,
    pub(super) spill: Option<Arc<GroupSpill>>,
    pub(super) context: ExecContext,
}

impl Gather {
    /// Merges what was known and what the workers found, here.
    pub(super) fn merge(
        self,
        mergers: Vec<Merger>,
        known: Vec<Partial>,
    ) -> Result<Found, NodeError> {
        let Some((gathering, lease)) = self.collect(mergers, known)? else {
            return Ok(Found::Nothing);
        };
        while gathering.step(&self.context)? {}
        Ok(self.finish(&gathering, lease)?)
    }

    /// As [`Gather::merge`], on the pool, and on several of its threads when there is much.
    pub(super) async fn merge_on(
        self,
        pool: &CpuPool,
        priority: Priority,
        mergers: Vec<Merger>,
        known: Vec<Partial>,
    ) -> Result<Found, NodeError> {
        let collect = move || {
            let collected = self.collect(mergers, known)?;
            if let Some((gathering, _)) = &collected
                && gathering.worker_limit() == 1
            {
                while gathering.step(&self.context)? {}
            }
            Ok::<_, ExecError>((self, collected))
        };
        let (gather, collected) = pool.spawn(priority, collect).await??;
        let Some((gathering, lease)) = collected else { return Ok(Found::Nothing) };
        let gathering = Arc::new(gathering);
        if gathering.worker_limit() > 1 {
            let workers = pool.threads().min(gathering.worker_limit());
            let work = |_| step_all(pool, priority, Arc::clone(&gathering), gather.context.clone());
            try_join_all((0..workers).map(work)).await?;
        }
        Ok(pool.spawn(priority, move || gather.finish(&gathering, lease)).await??)
    }

    /// Everything that is to be merged, and what it holds.
    fn collect(
        &self,
        mergers: Vec<Merger>,
        known: Vec<Partial>,
    ) -> Result<Option<(Gathering, MemoryLease)>, ExecError> {
        let context = &self.context;
        let mut mergers = mergers.into_iter();
        let mut all = match mergers.next() {
            Some(first) => first,
            None if known.is_empty() => return Ok(None),
            None => Merger::new(Arc::clone(&self.query)),
        };
        mergers.try_for_each(|merger| all.absorb(merger, context))?;
        known.into_iter().try_for_each(|partial| all.add(partial, context))?;
        let mut lease = context.memory.lease();
        lease.set(all.memory_bytes())?;
        // What is merged with groups on disk has all of its groups.
        let has_written = self.spill.as_ref().is_some_and(|spill| spill.written_bytes() > 0);
        let rank = self.rank.clone().filter(|_| !has_written);
        Ok(Some((Gathering::new(all, self.extent)?.ranked(rank), lease)))
    }

    /// One partial result, once all is merged.
    fn finish(self, gathering: &Gathering, mut lease: MemoryLease) -> Result<Found, ExecError> {
        let (mut merged, left_out) = gathering.finish()?;
        if let Some(derived) = &self.derived {
            merged = derived.complete(merged, &self.context)?;
        }
        lease.set(merged.memory_bytes())?;
        match self.spill.as_deref().and_then(GroupSpill::take) {
            None => Ok(Found::InMemory(merged, left_out, lease)),
            Some(written) => {
                SpilledGroups::new(self.whole, written, merged, lease, self.extent, self.context)
                    .map(Found::OnDisk)
            }
        }
    }
}

/// Merges partitions until none is left, in as many turns as it takes.
async fn step_all(
    pool: &CpuPool,
    priority: Priority,
    gathering: Arc<Gathering>,
    context: ExecContext,
) -> Result<(), NodeError> {
    let turn = move |turn: &Turn<'_>| loop {
        match gathering.step(&context) {
            Err(error) => return Step::Done(Err(error)),
            Ok(false) => return Step::Done(Ok(())),
            Ok(true) if turn.should_yield() => return Step::Again,
            Ok(true) => {}
        }
    };
    Ok(pool.spawn_steps(priority, turn).await??)
}
