//! The life of a query: admission, deadline, timeline, caches, scatter, merge, finalise.

use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use henge_answer::Form;
use henge_data_node::{NodeError, SegmentDescriptor};
use henge_exec::{Answer, ExecError, MemoryLease};
use henge_inline::InlineSegment;
use henge_platform::runtime::random;
use henge_query::Query;
use henge_types::ErrorClass;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::Broker;
use crate::admission::Admission;
use crate::error::{BrokerError, Result};
use crate::finish::{finished, micros};
use crate::gather::{Gathered, Unreached};
use crate::made::{Held, Made, Shape};
use crate::plan::Plan;
use crate::profile::{Outcome, Profile, ResultCacheUse, type_name};
use crate::results::AnswerId;
use crate::running::Running;
use crate::view::Unavailable;

/// How often a query starts over because the timeline moved on under it.
pub(crate) const RESTARTS: usize = 5;

/// An answer.
#[derive(Debug)]
pub struct QueryResponse {
    /// Given by the client or made here.
    pub query_id: String,
    /// In the form that was asked for; `None` when the client has it already.
    pub body: Option<Bytes>,
    /// Names the answer, when it is over immutable data only.
    pub etag: Option<String>,
    /// What is to be known of the answer: empty unless it lacks something or may be out of date.
    pub response_context: Map<String, Value>,
    /// What it took.
    pub(crate) profile: Profile,
}

/// An answer as record batches.
#[derive(Debug)]
pub(crate) struct BatchesResponse {
    pub(crate) batches: Arc<[RecordBatch]>,
    pub(crate) response_context: Map<String, Value>,
    pub(crate) profile: Profile,
    /// What the batches hold of the memory of queries; `None` when they are those of the cache.
    pub(crate) lease: Option<MemoryLease>,
}

#[derive(Default)]
pub(crate) struct Reply {
    pub(crate) made: Option<Made>,
    pub(crate) lease: Option<MemoryLease>,
    pub(crate) etag: Option<String>,
    pub(crate) response_context: Map<String, Value>,
}

impl Broker {
    /// Answers a query in a form. `if_none_match` is the header of that name. Dropping the future
    /// cancels the work.
    ///
    /// # Errors
    /// When the query is wrong, fails, is refused, is cancelled or times out, or when a segment that
    /// it reads is unavailable and its context does not allow a partial answer.
    pub async fn execute(
        &self,
        query: Query,
        form: Form,
        query_id: &str,
        if_none_match: Option<&str>,
    ) -> Result<QueryResponse> {
        let shape = Shape::Written(form);
        let (reply, profile) = self.reply_to(query, shape, query_id, if_none_match).await?;
        let Reply { made, etag, response_context, lease: _ } = reply;
        let body = match made {
            Some(Made::Written(body)) => Some(body),
            Some(Made::Batches(_)) => return Err(other_shape()),
            None => None,
        };
        Ok(QueryResponse { query_id: query_id.to_owned(), body, etag, response_context, profile })
    }

    /// Answers a query with record batches, in all else as [`Broker::execute`].
    ///
    /// # Errors
    /// As [`Broker::execute`].
    pub(crate) async fn batches_of(&self, query: Query, query_id: &str) -> Result<BatchesResponse> {
        let (reply, profile) = self.reply_to(query, Shape::Batches, query_id, None).await?;
        let Reply { made: Some(Made::Batches(batches)), lease, response_context, .. } = reply
        else {
            return Err(other_shape());
        };
        Ok(BatchesResponse { batches, response_context, profile, lease })
    }

    /// As [`Broker::batches_of`], over rows at hand in the place of the query's data source.
    ///
    /// # Errors
    /// As [`Broker::execute`].
    pub(crate) async fn batches_over(
        &self,
        mut query: Query,
        rows: InlineSegment,
        query_id: &str,
    ) -> Result<BatchesResponse> {
        query.base_mut().data_source = rows.into_data_source();
        self.batches_of(query, query_id).await
    }

    async fn reply_to(
        &self,
        query: Query,
        shape: Shape,
        query_id: &str,
        if_none_match: Option<&str>,
    ) -> Result<(Reply, Profile)> {
        let started = Instant::now();
        self.readiness.check()?;
        let timeout_ms = self.timeout_ms(&query);
        let running = self.running(query, shape, query_id)?;
        let mut profile = Profile::default();
        let work = async {
            let lane = Admission::lane_of(&running.query.base().context);
            let _place = self.admission.enter(lane).await?;
            profile.admission_micros = micros(started.elapsed());
            match running.query.base().data_source.is_stored() {
                true => self.answer_stored(&running, if_none_match, &mut profile).await,
                // Plain queries have no room for what this one needs.
                false => Box::pin(self.answer_composed(&running, &mut profile)).await,
            }
        };
        let outcome = tokio::select! {
            biased;
            () = running.cancelled() => Err(ExecError::Cancelled.into()),
            outcome = timeout_at(running.deadline, work) => match outcome {
                // A node may be the first to see that time is up.
                Ok(Err(error)) if error.class() == ErrorClass::Timeout => {
                    Err(BrokerError::TimedOut { timeout_ms })
                }
                Ok(outcome) => outcome,
                Err(_) => {
                    running.context.cancel.time_out();
                    Err(BrokerError::TimedOut { timeout_ms })
                }
            },
        };
        let parts = running.take_parts();
        self.metrics.count_calls(&parts);
        profile.add_nodes(parts);
        profile.conclude(micros(started.elapsed()), outcome.is_err());
        self.report(&running.query, query_id, &profile, outcome.as_ref().err());
        Ok((outcome?, profile))
    }

    /// The answer to a query as columns, for those who want more than its bytes.
    ///
    /// # Errors
    /// As [`Broker::execute`].
    pub(crate) async fn columns_of(&self, query: Query) -> Result<Answer> {
        self.readiness.check()?;
        let shape = Shape::Written(Form::Json);
        let running = self.running(query, shape, &made_id())?;
        let gathered = loop_until_seen(self, &running).await?;
        let work = move || finished(&running.query, gathered, &running.context);
        let (answer, _lease) = self.services.pool.spawn(0, work).await??;
        Ok(answer)
    }

    /// Answers from one view; when segments vanished under the query (a replace or a drop came in
    /// between) it starts over on a fresh view, so that each answer shows one timeline.
    pub(crate) async fn answer_stored(
        &self,
        running: &Running,
        if_none_match: Option<&str>,
        profile: &mut Profile,
    ) -> Result<Reply> {
        let mut failed = None;
        for _ in 0..RESTARTS {
            running.context.cancel.check()?;
            let began = Instant::now();
            let mut plan = self.plan(running, if_none_match.is_some()).await?;
            profile.plan_micros += micros(began.elapsed());
            profile.segments = plan.segments.len() as u64;
            if let Some(known) = self.known(running, &plan, if_none_match, profile) {
                if self.is_outdated(running, &plan).await? {
                    continue;
                }
                let (etag, response_context) = (plan.id, plan.response_context(&[]));
                let etag = etag.map(AnswerId::etag);
                return Ok(Reply { made: known, lease: None, etag, response_context });
            }
            let gathered = self.gather_for(running, &mut plan, profile).await?;
            if gathered.is_void() {
                failed = Some(unavailable(&gathered.vanished));
                continue;
            }
            let unreached = gathered.unreached.segments.clone();
            let began = Instant::now();
            let Held { made, lease } = match self.finish(running, gathered, profile).await {
                // A node went away before all that it has on disk was read.
                Err(BrokerError::Node(error @ NodeError::Unavailable { .. })) => {
                    failed = Some(error.into());
                    continue;
                }
                finished => finished?,
            };
            profile.finish_micros += micros(began.elapsed());
            profile.result_bytes = made.size_bytes() as u64;
            let id = plan.id.filter(|_| unreached.is_empty());
            let keeps = running.query.base().context.populate_result_level_cache;
            if let (Some(id), true) = (id, keeps) {
                self.results.put(id, &made);
            }
            let response_context = plan.response_context(&unreached);
            let etag = id.map(AnswerId::etag);
            return Ok(Reply { made: Some(made), lease, etag, response_context });
        }
        Err(failed.unwrap_or_else(|| unavailable(&[])))
    }

    /// What a plan reads.
    ///
    /// # Errors
    /// `SegmentsUnavailable` when servers could not be asked, unless the answer may be partial.
    pub(crate) async fn gather_for(
        &self,
        running: &Running,
        plan: &mut Plan,
        profile: &mut Profile,
    ) -> Result<Gathered> {
        let began = Instant::now();
        let segments = std::mem::take(&mut plan.segments);
        let gathered = self.gather_ranking(running, plan, segments, profile).await?;
        profile.gather_micros += micros(began.elapsed());
        profile.add(gathered.stats);
        let Unreached { segments, reasons } = &gathered.unreached;
        if !segments.is_empty() && !running.query.base().context.return_partial_results {
            let unavailable = Unavailable::of(segments).explained(|id| reasons.get(id).cloned());
            return Err(BrokerError::SegmentsUnavailable(unavailable));
        }
        Ok(gathered)
    }

    /// The answer, when the client or the cache has it: then `Some`, of nothing for the client's.
    fn known(
        &self,
        running: &Running,
        plan: &Plan,
        if_none_match: Option<&str>,
        profile: &mut Profile,
    ) -> Option<Option<Made>> {
        let id = plan.id?;
        if if_none_match.is_some_and(|sent| id.is_named_by(sent)) {
            profile.result_cache = ResultCacheUse::NotModified;
            return Some(None);
        }
        if !running.query.base().context.use_result_level_cache {
            return None;
        }
        let made = self.results.get(id);
        profile.result_cache = match &made {
            Some(made) => {
                profile.result_bytes = made.size_bytes() as u64;
                ResultCacheUse::Hit
            }
            None => ResultCacheUse::Miss,
        };
        made.map(Some)
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
            let datasource = query.base().data_source.all_table_names().join(",");
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

/// An id for a query that came without one.
pub(crate) fn made_id() -> String {
    format!("{:032x}", random::<u128>())
}

/// Gathers everything a query reads, over again while the timeline moves on.
async fn loop_until_seen(broker: &Broker, running: &Running) -> Result<Gathered> {
    let mut vanished = Vec::new();
    for _ in 0..RESTARTS {
        let mut plan = broker.plan(running, false).await?;
        let gathered = broker.gather_for(running, &mut plan, &mut Profile::default()).await?;
        if !gathered.is_void() {
            return Ok(gathered);
        }
        vanished = gathered.vanished;
    }
    Err(unavailable(&vanished))
}

/// An answer was made into what nobody asked for.
fn other_shape() -> BrokerError {
    ExecError::Internal("an answer was made into something else".to_owned()).into()
}

pub(crate) fn unavailable(segments: &[SegmentDescriptor]) -> BrokerError {
    BrokerError::SegmentsUnavailable(Unavailable::of(segments))
}
