//! What one host is asked to do: a bounded queue, worked off a few orders at a time, each with a deadline.
//! A host that is slow or hangs holds up its own queue and nobody else's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use henge_data_node::{HostError, SegmentHost};
use henge_platform::metadata::PublishedSegment;
use henge_platform::runtime::spawn;
use henge_types::{ErrorClass, SegmentId};
use parking_lot::Mutex;

use crate::shared::Shared;
use crate::snapshot::Announced;

/// Loads that wait for their turn, at most: what comes later may be planned otherwise by then.
pub(crate) const MOST_LOADS: usize = 1_000;
/// Loads at work at once.
const CONCURRENT_LOADS: usize = 8;
/// Drops that wait for their turn, at most.
const MOST_DROPS: usize = 1_000;
/// Drops at work at once.
const CONCURRENT_DROPS: usize = 4;
/// What a host has done is announced within this time, or not at all.
const ANNOUNCED_WITHIN_MS: u64 = 10_000;

/// What the host is to do.
#[derive(Debug)]
pub(crate) enum Work {
    Load(Arc<PublishedSegment>),
    /// The segment is not used any more.
    Unload(SegmentId),
    /// The others have it too, and are asked to prove it before.
    DropCopy(Arc<PublishedSegment>, Vec<Arc<dyn SegmentHost>>),
}

/// Work that was ordered by the leader of an epoch.
#[derive(Debug)]
pub(crate) struct Order {
    pub epoch: u64,
    pub work: Work,
}

/// The queue of one host.
#[derive(Debug)]
pub(crate) struct HostQueue {
    pub(crate) host: Arc<dyn SegmentHost>,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    loads: Lane,
    drops: Lane,
    /// What is loaded or was, with its size in bytes, until it is announced.
    coming: BTreeMap<SegmentId, (u64, Stage)>,
    /// What is dropped or was, until it is announced no more.
    going: BTreeMap<SegmentId, Stage>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Order>,
    workers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Asked,
    Done { at_ms: u64 },
}

impl Stage {
    fn is_over(self, now_ms: u64) -> bool {
        matches!(self, Self::Done { at_ms } if now_ms > at_ms + ANNOUNCED_WITHIN_MS)
    }
}

/// What a queue is about to change of its host.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    pub coming: BTreeMap<SegmentId, u64>,
    pub going: BTreeSet<SegmentId>,
    pub room_for_loads: usize,
    pub room_for_drops: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Load,
    Drop,
}

impl State {
    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Load => &mut self.loads,
            Kind::Drop => &mut self.drops,
        }
    }
}

impl Work {
    fn kind(&self) -> Kind {
        match self {
            Self::Load(_) => Kind::Load,
            Self::Unload(_) | Self::DropCopy(..) => Kind::Drop,
        }
    }

    fn id(&self) -> &SegmentId {
        match self {
            Self::Load(segment) | Self::DropCopy(segment, _) => &segment.id,
            Self::Unload(id) => id,
        }
    }
}

impl HostQueue {
    pub(crate) fn new(host: Arc<dyn SegmentHost>, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { host, shared, state: Mutex::default() })
    }

    /// Adds an order; plans see to it that there is room.
    pub(crate) fn push(self: &Arc<Self>, order: Order) {
        let (kind, id) = (order.work.kind(), order.work.id().clone());
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        match &order.work {
            Work::Load(segment) => {
                state.coming.insert(id, (segment.size_bytes, Stage::Asked));
            }
            Work::Unload(_) | Work::DropCopy(..) => {
                state.going.insert(id, Stage::Asked);
            }
        }
        let lane = state.lane(kind);
        lane.waiting.push_back(order);
        let most = match kind {
            Kind::Load => CONCURRENT_LOADS,
            Kind::Drop => CONCURRENT_DROPS,
        };
        if lane.workers < most {
            lane.workers += 1;
            spawn(Arc::clone(self).work_off(kind));
        }
    }

    /// Nothing more is done; the host is gone.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.loads.waiting.clear();
        state.drops.waiting.clear();
    }

    /// True when nothing waits and nothing is at work.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        [&state.loads, &state.drops].iter().all(|lane| lane.workers == 0)
    }

    /// What is about to change, given what the host announces by now.
    pub(crate) fn under_way(&self, announced: &Announced, now_ms: u64) -> UnderWay {
        let mut state = self.state.lock();
        state.coming.retain(|id, (_, stage)| match stage {
            Stage::Asked => true,
            Stage::Done { .. } => !announced.contains_key(id) && !stage.is_over(now_ms),
        });
        state.going.retain(|id, stage| match stage {
            Stage::Asked => true,
            Stage::Done { .. } => announced.contains_key(id) && !stage.is_over(now_ms),
        });
        UnderWay {
            coming: state.coming.iter().map(|(id, (bytes, _))| (id.clone(), *bytes)).collect(),
            going: state.going.keys().cloned().collect(),
            room_for_loads: MOST_LOADS.saturating_sub(state.loads.waiting.len()),
            room_for_drops: MOST_DROPS.saturating_sub(state.drops.waiting.len()),
        }
    }

    async fn work_off(self: Arc<Self>, kind: Kind) {
        while let Some(order) = self.next(kind) {
            let outcome = self.carry_out(&order).await;
            self.note(&order.work, outcome);
            self.shared.finished.send_modify(|finished| *finished += 1);
        }
        self.shared.finished.send_modify(|finished| *finished += 1);
    }

    fn next(&self, kind: Kind) -> Option<Order> {
        let mut state = self.state.lock();
        let lane = state.lane(kind);
        let next = lane.waiting.pop_front();
        if next.is_none() {
            lane.workers -= 1;
            if lane.workers == 0 {
                self.shared.wake.notify_one();
            }
        }
        next
    }

    /// `None` when it is not for this coordinator to do any more.
    async fn carry_out(&self, order: &Order) -> Option<Result<(), HostError>> {
        if !self.shared.leadership.leads_under(order.epoch) {
            return None;
        }
        let options = &self.shared.options;
        let (timeout_ms, done) = match &order.work {
            Work::Load(segment) => {
                let instruction = self.shared.next_instruction(order.epoch);
                let load = Duration::from_millis(options.load_timeout_ms);
                let done = tokio::time::timeout(load, self.host.load(segment, instruction));
                (options.load_timeout_ms, done.await.map(Some))
            }
            Work::Unload(_) | Work::DropCopy(..) => {
                let drop = Duration::from_millis(options.drop_timeout_ms);
                let done = tokio::time::timeout(drop, self.take_away(order));
                (options.drop_timeout_ms, done.await)
            }
        };
        done.unwrap_or_else(|_| {
            let server = self.host.server_id().to_string();
            let reason = format!("not done within {timeout_ms} ms");
            Some(Err(HostError { server, reason, class: ErrorClass::Timeout }))
        })
    }

    async fn take_away(&self, order: &Order) -> Option<Result<(), HostError>> {
        if let Work::DropCopy(segment, keepers) = &order.work {
            for keeper in keepers {
                // What is loaded is not loaded again, and from now on the keeper refuses to drop it on
                // an earlier instruction, whoever sent that and however late it comes.
                let instruction = self.shared.next_instruction(order.epoch);
                if let Err(error) = keeper.load(segment, instruction).await {
                    return Some(Err(error));
                }
            }
        }
        let may_drop =
            self.shared.sight.is_complete() && self.shared.leadership.leads_under(order.epoch);
        if !may_drop {
            return None;
        }
        let instruction = self.shared.next_instruction(order.epoch);
        Some(self.host.unload(order.work.id(), instruction).await)
    }

    /// Tells what became of a move.
    fn explain(&self, work: &Work, outcome: Option<&Result<(), HostError>>) {
        let (server, explained) = (self.host.server_id(), &self.shared.explained);
        match (work, outcome) {
            (Work::Load(segment), outcome) => {
                let error = match outcome {
                    Some(Ok(())) => None,
                    Some(Err(error)) => Some(error.to_string()),
                    None => Some("this coordinator leads no more".to_owned()),
                };
                explained.note_load(server, &segment.id, error);
            }
            (Work::DropCopy(segment, _), Some(Ok(()))) => explained.note_drop(server, &segment.id),
            _ => {}
        }
    }

    fn note(&self, work: &Work, outcome: Option<Result<(), HostError>>) {
        let (kind, id) = (work.kind(), work.id());
        let now_ms = self.shared.clock.running_ms();
        let mut state = self.state.lock();
        let is_done = matches!(outcome, Some(Ok(())));
        match (kind, is_done) {
            (Kind::Load, true) => {
                if let Some((_, stage)) = state.coming.get_mut(id) {
                    *stage = Stage::Done { at_ms: now_ms };
                }
            }
            (Kind::Load, false) => drop(state.coming.remove(id)),
            (Kind::Drop, true) => {
                state.going.insert(id.clone(), Stage::Done { at_ms: now_ms });
            }
            (Kind::Drop, false) => drop(state.going.remove(id)),
        }
        let is_closed = state.is_closed;
        drop(state);
        let (attempts, what) = match kind {
            Kind::Load => (&self.shared.loads, "load"),
            Kind::Drop => (&self.shared.drops, "drop"),
        };
        self.explain(work, outcome.as_ref());
        let pair = (self.host.server_id().clone(), id.clone());
        match outcome {
            Some(Ok(())) => attempts.succeeded(&pair),
            Some(Err(error)) if !is_closed => {
                tracing::warn!(segment = %id, %error, "failed to {what} segment, will try again");
                attempts.failed(pair, now_ms);
            }
            _ => {}
        }
    }
}
