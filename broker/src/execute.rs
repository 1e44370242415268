//! The life of a query: admission, deadline, timeline, scatter, merge, finalise.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use henge_exec::{CancelFlag, ExecContext, ExecError, Partial};
use henge_platform::rpc::ReplyStats;
use henge_query::Query;

use crate::Broker;
use crate::error::{BrokerError, Result};
use crate::route;
use crate::scatter::Gathered;

/// How often a query starts over because the timeline moved on under it.
const RESTARTS: usize = 5;

/// An answer.
#[derive(Debug)]
pub struct QueryResponse {
    /// Given by the client or made here.
    pub query_id: String,
    /// Druid's result JSON.
    pub body: Vec<u8>,
    /// What it took on the data nodes.
    pub stats: ReplyStats,
}

impl Broker {
    /// Answers a query. Dropping the future cancels the work.
    ///
    /// # Errors
    /// When the query is wrong, fails, is cancelled or times out. Never a partial answer.
    pub async fn execute(&self, query: Query, query_id: &str) -> Result<QueryResponse> {
        let timeout_ms = self.timeout_ms(&query);
        let running = self.registry.register(query_id);
        let work = async {
            let _place = self.admission.enter().await?;
            self.answer(Arc::new(query), running.cancel.clone()).await
        };
        let (body, stats) = self.within(timeout_ms, &running.cancel, work).await?;
        Ok(QueryResponse { query_id: query_id.to_owned(), body, stats })
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

    async fn answer(&self, query: Arc<Query>, cancel: CancelFlag) -> Result<(Vec<u8>, ReplyStats)> {
        let gathered = self.gather(&query, &cancel).await?;
        let stats = gathered.stats;
        let context = self.exec_context(cancel);
        let priority = query.base().context.priority;
        let work = move || {
            let merged = henge_exec::merge(&query, gathered.partials, &context)?;
            let result = henge_exec::finalise(&query, merged, &context)?;
            let mut body = Vec::new();
            result.write_json(&mut body);
            Ok::<_, ExecError>(body)
        };
        let body = self.pool.spawn(priority, work).await??;
        Ok((body, stats))
    }

    /// The merged partial result of a query, for those who want more than its JSON.
    ///
    /// # Errors
    /// As [`Broker::execute`].
    pub(crate) async fn merged(&self, query: Query) -> Result<Partial> {
        let query = Arc::new(query);
        let cancel = CancelFlag::default();
        let gathered = self.gather(&query, &cancel).await?;
        let context = self.exec_context(cancel);
        let work = move || henge_exec::merge(&query, gathered.partials, &context);
        Ok(self.pool.spawn(0, work).await??)
    }

    fn exec_context(&self, cancel: CancelFlag) -> ExecContext {
        ExecContext {
            cancel,
            memory_budget_bytes: self.options.memory_budget_bytes,
            max_buckets: self.options.max_buckets,
            ..ExecContext::default()
        }
    }

    /// Gathers from one view; when segments vanished under the query (a replace or a drop came in
    /// between) it starts over on a fresh view, so that each answer shows one timeline.
    async fn gather(&self, query: &Arc<Query>, cancel: &CancelFlag) -> Result<Gathered> {
        let mut vanished = Vec::new();
        for _ in 0..RESTARTS {
            cancel.check()?;
            let view = self.views.current();
            let mut segments = Vec::new();
            for name in query.base().data_source.table_names() {
                if let Some(table) = view.tables.get(name) {
                    segments.extend(route::segments_of(query, table));
                }
            }
            let gathered = self.scatter(query, &view, segments, cancel).await?;
            if gathered.vanished.is_empty() {
                return Ok(gathered);
            }
            vanished = gathered.vanished;
        }
        Err(BrokerError::SegmentsUnavailable {
            count: vanished.len(),
            first: vanished.first().map(|s| s.id.to_string()).unwrap_or_default(),
        })
    }
}
