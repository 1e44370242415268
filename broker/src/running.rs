//! A query on its way through the broker: its name, its limits and what is left of its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use henge_data_node::{
    DataNode, QueryBudget, QueryKey, RunningQuery, SegmentDescriptor, SegmentQuery, deadline_after,
    task_priority,
};
use henge_exec::{ExecContext, Extent};
use henge_platform::runtime::{Priority, random};
use henge_query::{Query, QueryContext};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::Broker;
use crate::at_work::Registered;
use crate::error::Result;
use crate::made::Shape;
use crate::profile::NodePart;

/// A query on its way.
#[derive(Debug)]
pub(crate) struct Running {
    /// The query.
    pub(crate) query: Arc<Query>,
    /// What the answer is made into.
    pub(crate) shape: Shape,
    /// Limits and the flag that stops it.
    pub(crate) context: ExecContext,
    /// When it came: its answer has every row that was acknowledged before.
    pub(crate) arrived: Instant,
    /// True once all that was announced before it came is in views that are taken from now on.
    pub(crate) is_caught_up: AtomicBool,
    /// When its time is up.
    pub(crate) deadline: Instant,
    registered: RunningQuery,
    at_work: Arc<Registered>,
    parts: Arc<Mutex<Vec<NodePart>>>,
    budget: QueryBudget,
    cluster: Arc<str>,
}

impl Running {
    /// The priority of the query's tasks.
    pub(crate) fn priority(&self) -> Priority {
        let context = &self.query.base().context;
        task_priority(context.priority, context.lane.as_deref())
    }

    /// A node works on it from now on.
    pub(crate) fn works_on(&self, node: &Arc<dyn DataNode>) {
        self.at_work.works_on(node);
    }

    /// A call to a node is over.
    pub(crate) fn note(&self, part: NodePart) {
        self.parts.lock().push(part);
    }

    /// Calls that are over and were not taken yet.
    pub(crate) fn take_parts(&self) -> Vec<NodePart> {
        std::mem::take(&mut *self.parts.lock())
    }

    /// Waits until somebody cancels it.
    pub(crate) async fn cancelled(&self) {
        self.at_work.cancelled().await;
    }

    /// A query within this one, or what became of this one: it is the same to whoever cancels it, is
    /// stopped with it and is charged to its account.
    ///
    /// # Errors
    /// When the query is not valid.
    pub(crate) fn within(&self, broker: &Broker, query: Query) -> Result<Self> {
        query.validate()?;
        let key = self.registered.key();
        Ok(Self {
            query: Arc::new(query),
            shape: self.shape,
            context: self.context.clone(),
            arrived: self.arrived,
            is_caught_up: AtomicBool::new(self.is_caught_up.load(Ordering::Relaxed)),
            deadline: self.deadline,
            registered: broker.services.running.join(key, self.budget.memory_bytes),
            at_work: Arc::clone(&self.at_work),
            parts: Arc::clone(&self.parts),
            budget: self.budget,
            cluster: Arc::clone(&self.cluster),
        })
    }

    /// What a node is asked.
    pub(crate) fn request(&self, segments: Vec<SegmentDescriptor>, extent: Extent) -> SegmentQuery {
        let context = &self.query.base().context;
        SegmentQuery {
            cluster: Arc::clone(&self.cluster),
            key: self.registered.key().clone(),
            query: Arc::clone(&self.query),
            segments,
            timeout: self.deadline.saturating_duration_since(Instant::now()),
            priority: context.priority,
            lane: context.lane.as_deref().map(Arc::from),
            budget: self.budget,
            extent,
            rank: None,
        }
    }
}

impl Broker {
    /// Registers a query; what it does is stopped when the value is dropped. Every query comes through
    /// here, parsed or made by a program.
    ///
    /// # Errors
    /// When the query is not valid.
    pub(crate) fn running(&self, query: Query, shape: Shape, query_id: &str) -> Result<Running> {
        query.validate()?;
        let options = &self.options;
        let disk_bytes = query.base().context.max_on_disk_storage_bytes;
        let budget = QueryBudget {
            memory_bytes: options.memory_budget_bytes,
            disk_bytes: disk_bytes.unwrap_or(u64::MAX).min(options.max_on_disk_storage_bytes),
            buckets: options.max_buckets,
        };
        let key = QueryKey { id: query_id.into(), number: random() };
        let registered = self.services.running.join(&key, budget.memory_bytes);
        let at_work = Arc::new(self.at_work.register(&key));
        let context = ExecContext {
            cancel: registered.cancel.clone(),
            memory_budget_bytes: budget.memory_bytes,
            memory: registered.memory.clone(),
            max_buckets: budget.buckets,
            ..ExecContext::default()
        };
        let arrived = Instant::now();
        let deadline = deadline_after(Duration::from_millis(self.timeout_ms(&query)));
        let cluster = Arc::clone(&self.services.cluster);
        let (query, parts) = (Arc::new(query), Arc::default());
        Ok(Running {
            query,
            shape,
            context,
            arrived,
            is_caught_up: AtomicBool::new(false),
            deadline,
            registered,
            at_work,
            parts,
            budget,
            cluster,
        })
    }

    pub(crate) fn timeout_ms(&self, query: &Query) -> u64 {
        self.timeout_of(&query.base().context)
    }

    /// 0 in the context asks for no limit, which here is the server's maximum.
    pub(crate) fn timeout_of(&self, context: &QueryContext) -> u64 {
        match context.timeout_ms {
            None => self.options.default_timeout_ms,
            Some(0) => self.options.max_timeout_ms,
            Some(timeout_ms) => timeout_ms.min(self.options.max_timeout_ms),
        }
    }
}
