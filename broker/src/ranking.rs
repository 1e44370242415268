//! Rankings over several nodes: each sends the groups that may win, and bounds of the rest. What can be in the
//! answer and was not sent by all is asked for by its keys; what the bounds do not prove is asked for anew,
//! by the value that is known by then, and if that does not do either, whole (ADR 54).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use henge_data_node::{ReplyStats, SegmentDescriptor};
use henge_exec::{
    Aim, Entry, ExecError, GroupedPartial, MemoryLease, OpenGroups, Outcome, Partial, QueryMemory,
    Ranking, settle,
};

use crate::Broker;
use crate::error::Result;
use crate::gather::{Gathered, Unreached};
use crate::plan::Plan;
use crate::profile::Profile;
use crate::running::Running;

/// How often nodes are asked for the groups that are wanted, before they are asked for all.
const AIMS: usize = 2;

/// What a round of questions came to.
enum Round {
    /// All of this is the answer's.
    Done(Gathered),
    /// Some groups are missing, of these segments.
    Open(Gathered, OpenGroups, Vec<SegmentDescriptor>),
    /// The answer's last has at least this value, if anything is known.
    Unproven(Option<Aim>, ReplyStats),
}

impl Broker {
    /// What a plan reads: of a ranking over several nodes perhaps only the groups that can be in the answer.
    ///
    /// # Errors
    /// As [`Broker::gather`].
    pub(crate) async fn gather_ranking(
        &self,
        running: &Running,
        plan: &Plan,
        segments: Vec<SegmentDescriptor>,
        profile: &mut Profile,
    ) -> Result<Gathered> {
        let Some(ranking) = Ranking::of(&running.query) else {
            return self.gather(running, plan, segments).await;
        };
        let segments: Arc<[SegmentDescriptor]> = segments.into();
        let mut spent = ReplyStats::default();
        let mut aim = Some(ranking.first_aim(self.options.ranked_groups));
        for _ in 0..AIMS {
            let Some(aimed) = aim else { break };
            let wanted = Some((&ranking, aimed));
            let gathered = self.gather_wanted(running, plan, Arc::clone(&segments), wanted).await?;
            let round = self.judge(running, &ranking, gathered, profile).await?;
            match round {
                Round::Done(mut gathered) => {
                    gathered.stats += spent;
                    return Ok(gathered);
                }
                Round::Open(mut gathered, open, segments) => {
                    gathered.stats += spent;
                    let rest = self.complete(running, plan, gathered, &open, segments, profile);
                    // Plain queries have no room for what this one needs.
                    return Box::pin(rest).await;
                }
                Round::Unproven(next, stats) => {
                    spent += stats;
                    aim = next.filter(|next| *next != aimed);
                }
            }
        }
        let mut gathered = self.gather_wanted(running, plan, segments, None).await?;
        gathered.stats += spent;
        Ok(gathered)
    }

    /// What the replies prove.
    async fn judge(
        &self,
        running: &Running,
        ranking: &Ranking,
        mut gathered: Gathered,
        profile: &mut Profile,
    ) -> Result<Round> {
        let may_be_partial = running.query.base().context.return_partial_results;
        let has_failed = !gathered.unreached.segments.is_empty() && !may_be_partial;
        if gathered.ranked.is_empty() || gathered.is_void() || has_failed {
            return Ok(Round::Done(gathered));
        }
        // The plan has every row that it has to have: later questions need not find that out again.
        running.is_caught_up.store(true, Ordering::Relaxed);
        if !gathered.partitions.is_empty() {
            // What is on a disk can be in the answer as well.
            return Ok(Round::Unproven(None, gathered.stats));
        }
        let mut segments = Vec::new();
        let mut entries = Vec::new();
        for ranked in std::mem::take(&mut gathered.ranked) {
            entries.push(ranked.entry);
            segments.extend(ranked.segments);
        }
        let whole = std::mem::take(&mut gathered.partials);
        entries.extend(whole.into_iter().filter_map(|partial| match partial {
            Partial::Grouped(groups) => Some(Entry { groups, left_out: None }),
            _other_kinds => None,
        }));
        let (ranking, context) = (ranking.clone(), running.context.clone());
        let leases = std::mem::take(&mut gathered.leases);
        let work = move || {
            let outcome = settle(&ranking, entries, &context)?;
            let lease = held_by(&outcome, &context.memory)?;
            drop(leases);
            Ok((outcome, lease))
        };
        let (outcome, lease) = self.on_pool(running, profile, work).await?;
        gathered.leases.push(lease);
        Ok(match outcome {
            Outcome::Unproven { from } => Round::Unproven(from.map(Aim::From), gathered.stats),
            Outcome::Settled { groups, open } => {
                gathered.partials = groups.into_iter().map(Partial::Grouped).collect();
                match open {
                    None => Round::Done(gathered),
                    Some(open) => Round::Open(gathered, open, segments),
                }
            }
        })
    }

    /// Adds what the nodes that left groups out have of the open ones. Their segments do not change, so any
    /// replica says the same as was said before.
    async fn complete(
        &self,
        running: &Running,
        plan: &Plan,
        mut gathered: Gathered,
        open: &OpenGroups,
        segments: Vec<SegmentDescriptor>,
        profile: &mut Profile,
    ) -> Result<Gathered> {
        let narrowed = running.within(self, open.narrowed(&running.query))?;
        let mut found = self.gather(&narrowed, plan, segments).await?;
        gathered.stats += found.stats;
        if found.is_void() {
            let (vanished, is_outdated) = (found.vanished, found.is_outdated);
            return Ok(Gathered { vanished, is_outdated, ..gathered });
        }
        let Unreached { segments: unreached, .. } = std::mem::take(&mut found.unreached);
        if !unreached.is_empty() {
            // They were there a moment ago: half of them is no answer.
            return Ok(Gathered { vanished: unreached, ..gathered });
        }
        let found = self.take_partitions(&narrowed, found, profile).await?;
        let (open, context) = (open.clone(), running.context.clone());
        let work = move || {
            let only = open.only(found.partials, &context)?;
            drop(found.leases);
            let mut lease = context.memory.lease();
            lease.set(only.iter().map(Partial::memory_bytes).sum())?;
            Ok((only, lease))
        };
        let (only, lease) = self.on_pool(running, profile, work).await?;
        gathered.partials.extend(only);
        gathered.leases.push(lease);
        Ok(gathered)
    }
}

/// What is left of the replies, charged.
fn held_by(outcome: &Outcome, memory: &QueryMemory) -> Result<MemoryLease, ExecError> {
    let mut lease = memory.lease();
    if let Outcome::Settled { groups, open } = outcome {
        let groups: usize = groups.iter().map(GroupedPartial::memory_bytes).sum();
        lease.set(groups + open.as_ref().map_or(0, OpenGroups::memory_bytes))?;
    }
    Ok(lease)
}
