//! The life of a query: admission, deadline, timeline, caches, scatter, merge, finalise.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use henge_data_node::SegmentDescriptor;
use henge_data_node::spill::{GroupSpill, SpillOptions};
use henge_exec::{CancelFlag, ExecContext, ExecError, Partial, QueryMemory};
use henge_platform::runtime::Priority;
use henge_query::Query;
use serde_json::{Map, Value};

use crate::Broker;
use crate::admission::{Admission, LOW_LANE};
use crate::error::{BrokerError, Result};
use crate::plan::Plan;
use crate::profile::{Outcome, Profile, ResultCacheUse, type_name};
use crate::results::AnswerId;
use crate::scatter::Gathered;
use crate::view::Unavailable;

/// How often a query starts over because the timeline moved on under it.
const RESTARTS: usize = 5;
/// Contributions below this are merged and finished on the spot: handing them to another thread
/// would take longer.
const INLINE_BYTES: usize = 64 << 10;
/// Partitions of groups on disk: the answer's groups may be so many times what fits into memory.
const SPILL_PARTITIONS: usize = 32;

/// An answer.
#[derive(Debug)]
pub struct QueryResponse {
    /// Given by the client or made here.
    pub query_id: String,
    /// Druid's result JSON; `None` when the client has it already.
    pub body: Option<Bytes>,
    /// Names the answer, when it is over immutable data only.
    pub etag: Option<String>,
    /// What is to be known of the answer: empty unless it lacks something or may be out of date.
    pub response_context: Map<String, Value>,
    /// What it took.
    pub profile: Profile,
}

/// A query on its way.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// The query.
    pub(crate) query: Arc<Query>,
    /// Limits and the flag that stops it.
    pub(crate) context: ExecContext,
    /// Where groups beyond memory go.
    pub(crate) spill: Option<Arc<GroupSpill>>,
}

impl Running {
    /// The priority of the query's tasks. Whoever asks for the low lane gets no more than that.
    pub(crate) fn priority(&self) -> Priority {
        let context = &self.query.base().context;
        match context.lane.as_deref() {
            Some(LOW_LANE) => context.priority.min(-1),
            _ => context.priority,
        }
    }

    /// Bytes that are on disk.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spill.as_ref().map_or(0, |spill| spill.written_bytes())
    }
}

#[derive(Default)]
struct Answer {
    body: Option<Bytes>,
    etag: Option<String>,
    response_context: Map<String, Value>,
}

impl Broker {
    /// Answers a query. `if_none_match` is the header of that name. Dropping the future cancels the
    /// work.
    ///
    /// # Errors
    /// When the query is wrong, fails, is refused, is cancelled or times out, or when a segment that
    /// it reads is unavailable and its context does not allow a partial answer.
    pub async fn execute(
        &self,
        query: Query,
        query_id: &str,
        if_none_match: Option<&str>,
    ) -> Result<QueryResponse> {
        let started = Instant::now();
        let timeout_ms = self.timeout_ms(&query);
        let registered = self.registry.register(query_id);
        let running = self.running(Arc::new(query), registered.cancel.clone());
        let mut profile = Profile::default();
        let work = async {
            let lane = Admission::lane_of(&running.query.base().context);
            let _place = self.admission.enter(lane).await?;
            profile.admission_micros = micros(started.elapsed());
            self.answer(&running, if_none_match, &mut profile).await
        };
        let outcome = self.within(timeout_ms, &registered.cancel, work).await;
        profile.total_micros = micros(started.elapsed());
        self.report(&running.query, query_id, &profile, outcome.as_ref().err());
        let Answer { body, etag, response_context } = outcome?;
        Ok(QueryResponse { query_id: query_id.to_owned(), body, etag, response_context, profile })
    }

    /// The merged partial result of a query, for those who want more than its JSON.
    ///
    /// # Errors
    /// As [`Broker::execute`].
    pub(crate) async fn merged(&self, query: Query) -> Result<Partial> {
        let running = self.running(Arc::new(query), CancelFlag::default());
        let gathered = loop_until_seen(self, &running).await?;
        let work = move || henge_exec::merge(&running.query, gathered.partials, &running.context);
        Ok(self.pool.spawn(0, work).await??)
    }

    /// A query on its way, without room on disk.
    pub(crate) fn running(&self, query: Arc<Query>, cancel: CancelFlag) -> Running {
        let options = &self.options;
        let context = ExecContext {
            cancel,
            memory_budget_bytes: options.memory_budget_bytes,
            memory: QueryMemory::new(Arc::clone(&self.memory), options.memory_budget_bytes),
            max_buckets: options.max_buckets,
            ..ExecContext::default()
        };
        Running { query, context, spill: None }
    }

    /// Room on disk for the groups of one attempt.
    fn spill_of(&self, query: &Query) -> Option<Arc<GroupSpill>> {
        let options = &self.options;
        let disk_bytes = query.base().context.max_on_disk_storage_bytes;
        let disk_bytes = disk_bytes.unwrap_or(u64::MAX).min(options.max_on_disk_storage_bytes);
        let may_spill = disk_bytes > 0 && matches!(query, Query::GroupBy(_));
        let options = SpillOptions { disk_bytes, partitions: SPILL_PARTITIONS };
        let storage = self.spill.as_ref().filter(|_| may_spill)?;
        Some(Arc::new(GroupSpill::new(Arc::clone(storage), options)))
    }

    /// 0 in the context asks for no limit, which here is the server's maximum.
    fn timeout_ms(&self, query: &Query) -> u64 {
        match query.base().context.timeout_ms {
            None => self.options.default_timeout_ms,
            Some(0) => self.options.max_timeout_ms,
            Some(timeout_ms) => timeout_ms.min(self.options.max_timeout_ms),
        }
    }

    async fn within<T>(
        &self,
        timeout_ms: u64,
        cancel: &CancelFlag,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(Duration::from_millis(timeout_ms), work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                cancel.time_out();
                Err(BrokerError::TimedOut { timeout_ms })
            }
        }
    }

    /// Answers from one view; when segments vanished under the query (a replace or a drop came in
    /// between) it starts over on a fresh view, so that each answer shows one timeline.
    async fn answer(
        &self,
        running: &Running,
        if_none_match: Option<&str>,
        profile: &mut Profile,
    ) -> Result<Answer> {
        let mut vanished = Vec::new();
        for _ in 0..RESTARTS {
            running.context.cancel.check()?;
            let plan = self.plan(running, if_none_match.is_some()).await?;
            profile.segments = plan.segments.len() as u64;
            let etag = plan.id.map(AnswerId::etag);
            let response_context = plan.response_context();
            if let Some(known) = self.known(running, &plan, if_none_match, profile) {
                return Ok(Answer { body: known, etag, response_context });
            }
            let attempt = Running { spill: self.spill_of(&running.query), ..running.clone() };
            let gathered = self.scatter(&attempt, &plan.view, plan.segments).await?;
            profile.add(gathered.stats);
            profile.spilled_bytes += attempt.spilled_bytes();
            if gathered.vanished.is_empty() {
                let body = Bytes::from(self.finish(&attempt, gathered, profile).await?);
                profile.result_bytes = body.len() as u64;
                let keeps = running.query.base().context.populate_result_level_cache;
                if let (Some(id), true) = (plan.id, keeps) {
                    self.results.put(id, &body);
                }
                return Ok(Answer { body: Some(body), etag, response_context });
            }
            vanished = gathered.vanished;
        }
        Err(unavailable(&vanished))
    }

    /// The answer, when the client or the cache has it: then `Some`, without a body for the client's.
    fn known(
        &self,
        running: &Running,
        plan: &Plan,
        if_none_match: Option<&str>,
        profile: &mut Profile,
    ) -> Option<Option<Bytes>> {
        let id = plan.id?;
        if if_none_match.is_some_and(|sent| id.is_named_by(sent)) {
            profile.result_cache = ResultCacheUse::NotModified;
            return Some(None);
        }
        if !running.query.base().context.use_result_level_cache {
            return None;
        }
        let body = self.results.get(id);
        profile.result_cache = match &body {
            Some(body) => {
                profile.result_bytes = body.len() as u64;
                ResultCacheUse::Hit
            }
            None => ResultCacheUse::Miss,
        };
        body.map(Some)
    }

    async fn finish(
        &self,
        running: &Running,
        gathered: Gathered,
        profile: &mut Profile,
    ) -> Result<Vec<u8>> {
        let bytes: usize = gathered.partials.iter().map(Partial::memory_bytes).sum();
        let spilled = running.spilled_bytes() > 0;
        let queued = Instant::now();
        if bytes <= INLINE_BYTES && !spilled {
            let body = finish(running, gathered)?;
            profile.cpu_micros += micros(queued.elapsed());
            return Ok(body);
        }
        let running = running.clone();
        let priority = running.priority();
        let work = move || {
            let started = Instant::now();
            let body = finish(&running, gathered)?;
            Ok::<_, ExecError>((body, started - queued, started.elapsed()))
        };
        let (body, waited, busy) = self.pool.spawn(priority, work).await??;
        profile.queue_micros += micros(waited);
        profile.cpu_micros += micros(busy);
        Ok(body)
    }

    fn report(
        &self,
        query: &Query,
        query_id: &str,
        profile: &Profile,
        error: Option<&BrokerError>,
    ) {
        let outcome = match error {
            None => Outcome::Success,
            Some(BrokerError::TooManyQueries { .. }) => Outcome::Refused,
            Some(_) => Outcome::Failed,
        };
        self.metrics.count(query, profile, outcome);
        if profile.total_micros >= self.options.slow_query_ms.saturating_mul(1_000) {
            let datasource = query.base().data_source.table_names().join(",");
            tracing::warn!(
                query_id,
                query_type = type_name(query),
                datasource,
                ?outcome,
                profile = %profile.to_json(),
                "slow query"
            );
        }
    }
}

/// Gathers everything a query reads, over again while the timeline moves on.
async fn loop_until_seen(broker: &Broker, running: &Running) -> Result<Gathered> {
    let mut vanished = Vec::new();
    for _ in 0..RESTARTS {
        let plan = broker.plan(running, false).await?;
        let gathered = broker.scatter(running, &plan.view, plan.segments).await?;
        if gathered.vanished.is_empty() {
            return Ok(gathered);
        }
        vanished = gathered.vanished;
    }
    Err(unavailable(&vanished))
}

fn finish(running: &Running, gathered: Gathered) -> Result<Vec<u8>, ExecError> {
    let Running { query, context, spill } = running;
    let merged = match spill {
        Some(spill) => spill.merge(query, gathered.partials, context)?,
        None => henge_exec::merge(query, gathered.partials, context)?,
    };
    drop(gathered.leases);
    let mut lease = context.memory.lease();
    lease.set(merged.memory_bytes())?;
    let result = henge_exec::finalise(query, merged, context)?;
    let (mut body, mut room) = (Vec::new(), 0);
    let mut text = context.memory.lease();
    // The text's buffer doubles, and so does what is charged for it.
    result.write_json_within(&mut body, &mut |length| {
        if length > room {
            room = length.next_power_of_two().max(INLINE_BYTES);
            text.set(room)?;
        }
        Ok(())
    })?;
    if body.capacity() - body.len() > INLINE_BYTES {
        body.shrink_to_fit();
    }
    Ok(body)
}

fn unavailable(segments: &[SegmentDescriptor]) -> BrokerError {
    BrokerError::SegmentsUnavailable(Unavailable::of(segments))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
