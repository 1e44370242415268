//! Gathering: the servers of all segments are asked at once, and replies are merged as they arrive. What
//! a server lacks, or was asked for and failed, is asked for again as soon as that is known; replicas of
//! one that is late are asked for the same. What counts is decided by the [`ledger`].

mod calls;
mod check;
mod fresh;
mod hedge;
mod ledger;
mod merging;
mod stranded;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use henge_data_node::{
    NodeError, Partitions, ReplyStats, SegmentDescriptor, SegmentQuery, SegmentReply,
};
use henge_exec::{Aim, Entry, Extent, MemoryLease, Partial, RankCut, Ranking};
use henge_platform::discovery::ServerId;
use henge_types::{ErrorClass, SegmentId};
use tokio::time::{Instant, sleep_until};

use self::calls::{Calling, Calls, Outcome, Outstanding, Reason};
use self::fresh::Fresh;
use self::ledger::{CallId, Ledger, Verdict};
use self::merging::Merging;
use self::stranded::Stranded;
use crate::Broker;
use crate::error::{BrokerError, Result};
use crate::plan::Plan;
use crate::profile::{CallOutcome, NodePart, type_index};
use crate::route::{self, Place};
use crate::running::Running;
use crate::view::ClusterView;

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Partial results that together hold each segment once.
    pub(crate) partials: Vec<Partial>,
    /// Partial results that lack groups, beside those that hold all of theirs.
    pub(crate) ranked: Vec<Ranked>,
    /// What nodes have on disk, instead of partial results.
    pub(crate) partitions: Vec<Partitions>,
    /// What the partial results hold; to be kept as long as they are.
    pub(crate) leases: Vec<MemoryLease>,
    /// What it took, merging included.
    pub(crate) stats: ReplyStats,
    /// Segments that nobody has any more: the timeline moved on since the view was taken.
    pub(crate) vanished: Vec<SegmentDescriptor>,
    /// A node buffers rows that were acknowledged before the query came and that its plan does not have.
    pub(crate) is_outdated: bool,
    /// Segments whose servers could not be asked, and why: they are in no partial result.
    pub(crate) unreached: Unreached,
}

/// What a node sent of the groups of some segments.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) entry: Entry,
    /// What they are of: segments that do not change.
    pub(crate) segments: Vec<SegmentDescriptor>,
}

impl Gathered {
    /// True when the query has to start over on a newer view.
    pub(crate) fn is_void(&self) -> bool {
        self.is_outdated || !self.vanished.is_empty()
    }
}

/// Segments whose servers could not be asked.
#[derive(Debug, Default)]
pub(crate) struct Unreached {
    pub(crate) segments: Vec<SegmentDescriptor>,
    pub(crate) reasons: BTreeMap<SegmentId, String>,
}

/// A node sends all of its groups while they are fewer than this part of those that it may send of a ranking:
/// they take less than another question.
const FEW_OF: usize = 16;

impl Broker {
    /// Asks for `segments`, which all have servers in the view of the plan. Replicas are asked for what a server does
    /// not have, or cannot answer for although another might.
    ///
    /// # Errors
    /// When the query fails on a node as it would on any, or on all that have a segment.
    pub(crate) async fn gather(
        &self,
        running: &Running,
        plan: &Plan,
        segments: Vec<SegmentDescriptor>,
    ) -> Result<Gathered> {
        self.gather_wanted(running, plan, segments.into(), None).await
    }

    /// As [`Broker::gather`]. Nodes of other processes may leave groups out that are not wanted.
    ///
    /// # Errors
    /// As [`Broker::gather`].
    pub(crate) async fn gather_wanted(
        &self,
        running: &Running,
        plan: &Plan,
        segments: Arc<[SegmentDescriptor]>,
        wanted: Option<(&Ranking, Aim)>,
    ) -> Result<Gathered> {
        let mut gathering = Gathering::of(self, running, plan, segments);
        gathering.wanted = wanted;
        let all: Vec<Place> = (0..gathering.segments.len()).collect();
        gathering.stranded.places = gathering.ask(&all, Reason::First);
        if !gathering.stranded.places.is_empty() {
            gathering.look_again();
        }
        gathering.ask_how_far();
        while !gathering.is_over() {
            gathering.step().await?;
        }
        gathering.end().await
    }
}

/// A query's calls, and what came of them.
struct Gathering<'b> {
    broker: &'b Broker,
    running: &'b Running,
    plan: &'b Plan,
    /// The newest one that was looked at.
    view: Arc<ClusterView>,
    segments: Arc<[SegmentDescriptor]>,
    ledger: Ledger,
    calls: Calls,
    /// Replies that came and may count later, with others, and what they are of.
    replies: HashMap<CallId, (SegmentReply, Vec<Place>)>,
    /// Which groups are wanted, and what each node is asked for.
    wanted: Option<(&'b Ranking, Aim)>,
    rank: Option<RankCut>,
    /// Whom not to ask for which segment: it was asked in vain.
    avoided: HashSet<(ServerId, Place)>,
    /// What was said when a segment was last asked for in vain.
    troubles: HashMap<Place, NodeError>,
    stranded: Stranded,
    /// A newer view is on its way.
    looking: Option<BoxFuture<'b, Result<Arc<ClusterView>>>>,
    fresh: Fresh<'b>,
    merging: Merging,
    /// What calls took that were answered.
    took: Vec<Duration>,
    gathered: Gathered,
}

impl<'b> Gathering<'b> {
    fn of(
        broker: &'b Broker,
        running: &'b Running,
        plan: &'b Plan,
        segments: Arc<[SegmentDescriptor]>,
    ) -> Self {
        let (query, context) = (Arc::clone(&running.query), running.context.clone());
        let pool = broker.services.pool.clone();
        Self {
            broker,
            running,
            plan,
            view: Arc::clone(&plan.view),
            ledger: Ledger::of(segments.len()),
            segments,
            calls: Calls::default(),
            replies: HashMap::new(),
            wanted: None,
            rank: None,
            avoided: HashSet::new(),
            troubles: HashMap::new(),
            stranded: Stranded::default(),
            looking: None,
            fresh: Fresh::default(),
            merging: Merging::of(query, context, pool, running.priority()),
            took: Vec::new(),
            gathered: Gathered::default(),
        }
    }

    fn is_over(&self) -> bool {
        let has_failed = !self.gathered.unreached.segments.is_empty() && !self.may_be_partial();
        self.ledger.is_done() && self.fresh.is_known() || self.gathered.is_void() || has_failed
    }

    fn may_be_partial(&self) -> bool {
        self.running.query.base().context.return_partial_results
    }

    /// Waits for the next thing that happens, and does what follows from it.
    async fn step(&mut self) -> Result<()> {
        self.running.context.cancel.check()?;
        if self.calls.is_empty() && self.looking.is_none() && !self.ledger.is_done() {
            return Err(bug("a segment was forgotten"));
        }
        if self.ledger.is_done() {
            self.hear_no_more_replies();
        }
        if !self.calls.is_empty() {
            self.merging.begin_if_due();
        }
        // What a node has to say waits in its connection meanwhile, and the node with it.
        let is_full = self.merging.is_full();
        let late = self.next_late().filter(|_| !is_full);
        tokio::select! {
            biased;
            merged = self.merging.progress() => merged?,
            (id, call, outcome) = self.calls.next(), if !is_full => self.take(id, call, outcome)?,
            view = look(&mut self.looking) => self.look(view?)?,
            (address, at) = fresh::next_of(&mut self.fresh.calls) => self.hear(&address, at),
            view = look(&mut self.fresh.looking) => self.compare(&*view?),
            () = until(late) => self.hedge(),
        }
        Ok(())
    }

    /// Asks the best server of each segment; gives back those that have none left to ask.
    fn ask(&mut self, places: &[Place], reason: Reason) -> Vec<Place> {
        let standing = self.broker.standing(&self.view);
        let is_avoided = |server: &ServerId, place| self.avoided.contains(&(server.clone(), place));
        let assigned = route::assign(&self.view, &self.segments, places, standing, is_avoided);
        if reason == Reason::First {
            let nodes = assigned.by_server.len();
            let few = self.broker.options.ranked_groups / FEW_OF;
            self.rank = self.wanted.and_then(|(ranking, aim)| ranking.cut(aim, nodes, few));
        }
        for (server, route::Share { places, has_others }) in assigned.by_server {
            let id = self.ledger.ask(places.clone());
            self.broker.loads.budget.earn();
            self.call(id, server, places, reason, has_others);
        }
        assigned.without
    }

    fn call(
        &mut self,
        id: CallId,
        server: ServerId,
        places: Vec<Place>,
        reason: Reason,
        may_hedge: bool,
    ) {
        let node = self.broker.nodes.reach(&server, &self.view);
        if let Ok(node) = &node {
            self.running.works_on(node);
        }
        let segments = places.iter().filter_map(|place| self.segments.get(*place).cloned());
        let extent = Extent::whole_if(places.len() == self.segments.len());
        let is_far = node.as_ref().is_ok_and(|node| node.is_far());
        let rank = self.rank.clone().filter(|_| is_far && !extent.is_whole());
        let is_ranked = rank.is_some();
        let request = self.running.request(segments.collect(), extent);
        let request = SegmentQuery { rank, ..request };
        let ticket = self.broker.loads.begin(&server, places.len());
        let calling = Calling { server, places, reason, may_hedge, is_ranked, ticket };
        self.calls.begin(id, calling, node, request);
    }

    /// A call is answered or failed.
    fn take(&mut self, id: CallId, call: Outstanding, outcome: Outcome) -> Result<()> {
        let mut part = self.part(&call);
        let Outstanding { server, places, is_ranked, ticket, .. } = call;
        let checked = outcome.and_then(|reply| {
            check::may_lack_groups(&server, is_ranked, &reply)?;
            let missing = check::missing_of(&server, &self.segments, &places, &reply)?;
            Ok((reply, missing))
        });
        let took = ticket.began().elapsed();
        let (verdict, in_vain, trouble) = match checked {
            Ok((reply, missing)) => {
                self.hear_reply(&server, reply.inventory);
                part.answered(&reply);
                self.took.push(took);
                ticket.answered(type_index(&self.running.query));
                let of = answered_of(&reply, places, &missing);
                self.replies.insert(id, (reply, of));
                let verdict = self.ledger.answered(id, &missing);
                (verdict, missing, lacking(&server))
            }
            Err(error) => {
                part.outcome = CallOutcome::Failed;
                if says_something_of_the_node(&error) {
                    ticket.failed();
                }
                tracing::warn!(server = %server, %error, "a data node failed a call");
                let verdict = self.ledger.failed(id);
                if !verdict.again.is_empty() && !a_replica_may_do_better(&error) {
                    return Err(error.into());
                }
                (verdict, places, error)
            }
        };
        self.running.note(part);
        for place in in_vain {
            self.avoided.insert((server.clone(), place));
            self.troubles.insert(place, trouble.clone());
        }
        self.follow(verdict)
    }

    fn follow(&mut self, Verdict { counted, dropped, again }: Verdict) -> Result<()> {
        for id in counted {
            let (reply, of) = self.replies.remove(&id).ok_or_else(|| bug("a reply is gone"))?;
            self.gathered.stats += reply.stats;
            self.gathered.partitions.extend(reply.partitions);
            match reply.left_out {
                None => self.merging.add(id, reply.partials, reply.leases),
                left_out => {
                    let segments = of.iter().filter_map(|at| self.segments.get(*at)).cloned();
                    let segments: Vec<_> = segments.collect();
                    let groups = reply.partials.into_iter().filter_map(|partial| match partial {
                        Partial::Grouped(groups) => Some(groups),
                        _other_kinds => None,
                    });
                    let ranked = groups.map(|groups| Ranked {
                        entry: Entry { groups, left_out },
                        segments: segments.clone(),
                    });
                    self.gathered.ranked.extend(ranked);
                    self.gathered.leases.extend(reply.leases);
                }
            }
            self.stranded.has_progressed();
        }
        for id in dropped {
            self.replies.remove(&id);
            if let Some(call) = self.calls.give_up(id) {
                self.running.note(self.part(&call));
            }
        }
        if self.ledger.is_broken() {
            return Err(bug("a segment was counted twice"));
        }
        if !again.is_empty() {
            self.stranded.places.extend(again);
            self.look_again();
        }
        Ok(())
    }

    /// A call as it is so far.
    fn part(&self, call: &Outstanding) -> NodePart {
        let Outstanding { server, places, reason, ticket, .. } = call;
        let zone = self.view.zone_of(server);
        let (is_hedge, is_retry) = (*reason == Reason::Hedge, *reason == Reason::Retry);
        let took = ticket.began().elapsed();
        NodePart::of_call(server, zone, places.len(), is_hedge, is_retry, took)
    }

    /// All that came, once it is over.
    async fn end(mut self) -> Result<Gathered> {
        let mut gathered = std::mem::take(&mut self.gathered);
        if !gathered.is_void() {
            let (partials, leases) = self.merging.end().await?;
            gathered.partials = partials;
            gathered.leases.extend(leases);
        }
        gathered.stats.cpu_time_us += self.merging.cpu_micros;
        gathered.stats.queue_time_us += self.merging.queue_micros;
        Ok(gathered)
    }
}

impl Drop for Gathering<'_> {
    /// Whom a query still waited for that ends here.
    fn drop(&mut self) {
        for (_, call) in self.calls.iter() {
            self.running.note(self.part(call));
        }
    }
}

/// The segments of the call may be read elsewhere: the node is away, its copy is damaged, or something
/// broke there. Limits, deadlines and wrong queries are the same everywhere.
fn a_replica_may_do_better(error: &NodeError) -> bool {
    matches!(error.class(), ErrorClass::Unavailable | ErrorClass::Corrupt | ErrorClass::Internal)
}

/// The node, and not the query, is what failed. That a query's time was up says nothing: it may have been
/// short.
fn says_something_of_the_node(error: &NodeError) -> bool {
    error.class() == ErrorClass::Unavailable
}

/// What a reply is of that lacks groups; of others nobody asks.
fn answered_of(reply: &SegmentReply, mut places: Vec<Place>, missing: &[Place]) -> Vec<Place> {
    if reply.left_out.is_none() {
        return Vec::new();
    }
    let missing: HashSet<&Place> = missing.iter().collect();
    places.retain(|place| !missing.contains(place));
    places
}

fn lacking(server: &ServerId) -> NodeError {
    let reason = "it announces the segment and does not have it".to_owned();
    NodeError::Unavailable { server: server.to_string(), reason }
}

fn bug(what: &str) -> BrokerError {
    let message = format!("the answer is not given because {what}: this is a bug of the broker");
    NodeError::failed(ErrorClass::Internal, message).into()
}

async fn look(
    looking: &mut Option<BoxFuture<'_, Result<Arc<ClusterView>>>>,
) -> Result<Arc<ClusterView>> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
