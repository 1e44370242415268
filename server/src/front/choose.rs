//! Which realtime node answers: for a new task the one with the fewest, for a task that there is its owner,
//! for everything else each in turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::Method;
use henge_platform::http::DruidError;
use henge_platform::membership::{Member, Role};
use henge_platform::metadata::{MetadataStore, TaskFilter, TaskStatus};
use henge_types::ErrorClass;

use crate::cluster::Company;

/// Where tasks are submitted, and below it a path each.
const TASK: &str = "/druid/indexer/v1/task";

/// Time for a realtime node to be heard of, when none is: the only one may just have started again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tasks that are looked at to count those of each node.
const COUNTED_TASKS: usize = 1_000;

/// Chooses among the nodes that live.
#[derive(Debug)]
pub(super) struct Choice {
    company: Company,
    metadata: Arc<dyn MetadataStore>,
    turn: AtomicUsize,
}

impl Choice {
    pub(super) fn new(company: Company, metadata: Arc<dyn MetadataStore>) -> Self {
        Self { company, metadata, turn: AtomicUsize::new(0) }
    }

    /// The nodes to try, the best first.
    ///
    /// # Errors
    /// When none lives, and none appears within some seconds.
    pub(super) async fn nodes(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<Vec<Member>, DruidError> {
        let view = self.company.view_with(Role::Realtime, PATIENCE).await;
        let mut nodes: Vec<Member> = view.with_role(Role::Realtime).cloned().collect();
        if nodes.is_empty() {
            return Err(DruidError::new(
                ErrorClass::Unavailable,
                "no realtime node lives, and one has to take this: start one, or try again shortly"
                    .to_owned(),
            ));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes.rotate_left(turn);
        // A sort that keeps the turn among equals.
        match path.strip_prefix(TASK) {
            Some("") if method == Method::POST => {
                let tasks = self.tasks_by_owner().await;
                nodes.sort_by_key(|node| tasks.get(&*node.node_id).copied().unwrap_or(0));
            }
            Some(rest) => {
                let owner = self.owner_of(rest).await;
                nodes.sort_by_key(|node| owner.as_deref() != Some(&*node.node_id));
            }
            None => {}
        }
        Ok(nodes)
    }

    /// Tasks that have not ended, by node; without the metadata any node is as good.
    async fn tasks_by_owner(&self) -> BTreeMap<String, usize> {
        let running = TaskFilter {
            status: Some(TaskStatus::Running),
            limit: COUNTED_TASKS,
            ..TaskFilter::default()
        };
        let mut counts = BTreeMap::new();
        for task in self.metadata.list_tasks(&running).await.unwrap_or_default() {
            *counts.entry(task.owner).or_insert(0) += 1;
        }
        counts
    }

    /// The node that works on the task whose id, encoded as in a path, comes first.
    async fn owner_of(&self, rest: &str) -> Option<String> {
        let id = rest.strip_prefix('/')?.split('/').next()?;
        let id = percent_encoding::percent_decode_str(id).decode_utf8().ok()?;
        Some(self.metadata.get_task(&id).await.ok()??.owner)
    }
}
