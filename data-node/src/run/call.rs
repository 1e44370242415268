//! One request at work: registered under its id, until its time is up or its reply is taken whole.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use henge_exec::ExecError;
use henge_platform::runtime::{CpuPool, Priority};
use henge_types::ErrorClass;
use tokio::time::{Instant, timeout_at};

use super::QueryServices;
use crate::error::NodeError;
use crate::reply::{Partition, Partitions};
use crate::request::{SegmentQuery, deadline_after};
use crate::running::RunningQuery;
use crate::spill::SpilledGroups;

/// A request that was taken up; clones are the same.
#[derive(Debug, Clone)]
pub struct Call {
    running: Arc<RunningQuery>,
    deadline: Instant,
    priority: Priority,
    pool: CpuPool,
}

impl Call {
    pub(super) fn open(
        services: &QueryServices,
        request: &SegmentQuery,
    ) -> Result<Self, NodeError> {
        if request.cluster != services.cluster {
            let message = format!(
                "the query is for cluster {}, and this node is of cluster {}: connect the broker to \
                 the nodes of its own cluster",
                request.cluster, services.cluster
            );
            return Err(NodeError::failed(ErrorClass::InvalidInput, message));
        }
        if request.timeout.is_zero() {
            return Err(ExecError::TimedOut.into());
        }
        let running = services.running.join(&request.key, request.budget.memory_bytes);
        Ok(Self {
            running: Arc::new(running),
            deadline: deadline_after(request.timeout),
            priority: request.task_priority(),
            pool: services.pool.clone(),
        })
    }

    /// The query's flag and account.
    pub(super) fn running(&self) -> &RunningQuery {
        &self.running
    }

    /// The priority of the query's tasks.
    pub(super) fn priority(&self) -> Priority {
        self.priority
    }

    /// Stops the work when time is up.
    pub(super) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        match timeout_at(self.deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.running.cancel.time_out();
                Err(ExecError::TimedOut.into())
            }
        }
    }

    /// What is on disk, a partition whenever one is asked for.
    pub(super) fn partitions(&self, groups: SpilledGroups) -> Partitions {
        let next = |(call, groups): (Self, SpilledGroups)| async move {
            match call.within(call.next_of(groups)).await {
                Ok(Some((partition, rest))) => Some((Ok(partition), Some((call, rest)))),
                Ok(None) => None,
                // Nothing comes after an error.
                Err(error) => Some((Err(error), None)),
            }
        };
        let stream =
            stream::unfold(
                Some((self.clone(), groups)),
                move |rest| async move { next(rest?).await },
            );
        Partitions::new(stream.boxed())
    }

    async fn next_of(
        &self,
        mut groups: SpilledGroups,
    ) -> Result<Option<(Partition, SpilledGroups)>, NodeError> {
        let work =
            move || groups.next_partition().map(|partition| partition.map(|found| (found, groups)));
        Ok(self.pool.spawn(self.priority, work).await??)
    }
}
