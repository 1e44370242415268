//! The queue: tasks run one at a time, in the order they were accepted, also after a restart. Specs stay
//! in the metadata store until it is their turn, so that waiting costs no memory.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use henge_platform::metadata::{
    MetadataError, TaskFilter, TaskProgress, TaskRecord, TaskStatus, TaskUpdate, TasksKept,
};
use henge_platform::runtime::{random, spawn};
use henge_types::format_timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ProgressBoard;
use super::any_task::AnyTask;
use super::counts::TaskCounts;
use super::stop::Stop;
use super::uploads;
use crate::error::{RealtimeError, Result};
use crate::priority::PUSH_PRIORITY;
use crate::repeat::{Waits, is_unknown, until_known};
use crate::shared::Shared;

/// Tasks that ended and are remembered.
const KEPT: TasksKept = TasksKept { count: 10_000, payload_bytes: 256 << 20 };
/// How long whoever submits a task waits until it is known whether it is stored.
const PATIENCE: Duration = Duration::from_secs(10);
/// What parsing takes, as a multiple of the text.
pub(crate) const PARSED_FACTOR: usize = 4;

/// The tasks of a node.
#[derive(Debug, Clone)]
pub(crate) struct TaskQueue {
    shared: Arc<Shared>,
    state: Arc<Mutex<State>>,
    added: Arc<Notify>,
    progress: ProgressBoard,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<String>,
    /// The one at work.
    running: HashMap<String, Stop>,
    /// Of those that ended; what waits and runs is above.
    ended: TaskCounts,
}

impl TaskQueue {
    /// An empty queue; nothing runs before [`TaskQueue::resume`].
    #[must_use]
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            state: Arc::default(),
            added: Arc::default(),
            progress: ProgressBoard::default(),
        }
    }

    /// Accepts a task; gives its id. It is checked in full before.
    ///
    /// # Errors
    /// When the spec is wrong, the id is taken or too many tasks wait.
    pub(crate) async fn submit(&self, json: Bytes) -> Result<String> {
        let most = self.shared.options.max_waiting_tasks;
        if self.state.lock().waiting.len() >= most {
            return Err(RealtimeError::Busy(format!(
                "{most} tasks wait already: submit it again later, or raise ingestion.waiting_tasks"
            )));
        }
        let (task, json) = self.parse(json).await?;
        let created_ms = self.shared.clock.now_ms();
        let (task_type, datasource) = (task.type_name(), task.datasource().to_owned());
        let id = task.id().map(str::to_owned).unwrap_or_else(|| {
            let (unique, time) = (random::<u32>(), format_timestamp(created_ms));
            format!("{task_type}_{datasource}_{unique:08x}_{time}")
        });
        let record = TaskRecord {
            id: id.clone(),
            task_type: task_type.into(),
            datasource,
            owner: self.shared.options.node.to_string(),
            created_ms,
            status: TaskStatus::Running,
            error: None,
            duration_ms: None,
            payload_json: json,
            progress: TaskProgress::default(),
        };
        let stored = tokio::time::timeout(PATIENCE, self.store(&record)).await;
        match stored.unwrap_or_else(|_| Err(MetadataError::Unavailable(no_answer(&id)))) {
            Ok(()) => {}
            Err(MetadataError::Invalid(reason)) => return Err(RealtimeError::Invalid(reason)),
            Err(error) => return Err(error.into()),
        }
        self.enqueue(id.clone());
        Ok(id)
    }

    /// Stores a task; returns once it is known whether it is.
    async fn store(&self, record: &TaskRecord) -> Result<(), MetadataError> {
        let (metadata, mut waits) = (&self.shared.metadata, Waits::new());
        let mut is_in_doubt = false;
        loop {
            match metadata.put_task(record).await {
                Err(error) if is_unknown(&error) => {
                    tracing::warn!(task = %record.id, %error, "it is not known whether a task is stored, asking again");
                    // Should whoever submits it go away now, it is found by comparing.
                    self.shared.doubt.notify_one();
                    is_in_doubt = true;
                    waits.next().await;
                }
                Err(taken @ MetadataError::Invalid(_)) if is_in_doubt => {
                    let found = until_known(|| metadata.get_task(&record.id)).await?;
                    let is_this = |found: &TaskRecord| {
                        (&found.owner, found.created_ms, &found.payload_json)
                            == (&record.owner, record.created_ms, &record.payload_json)
                    };
                    return if found.as_ref().is_some_and(is_this) { Ok(()) } else { Err(taken) };
                }
                known => return known,
            }
        }
    }

    /// Takes up tasks of this node that it does not know of: nobody was told that they are stored.
    ///
    /// # Errors
    /// When the metadata store fails.
    pub(crate) async fn find(&self) -> Result<()> {
        let owner = Some(&*self.shared.options.node);
        let unfinished = self.shared.metadata.unfinished_tasks(owner).await?;
        let known: HashSet<String> = {
            let state = self.state.lock();
            state.waiting.iter().chain(state.running.keys()).cloned().collect()
        };
        for id in unfinished.into_iter().filter(|id| !known.contains(id)) {
            tracing::info!(task = %id, "taking up a task that was stored without an answer");
            self.enqueue(id);
        }
        Ok(())
    }

    /// Takes up the tasks of this node that a restart interrupted, all of them and in the order they were
    /// accepted, and begins to work. A task publishes in one transaction under its own id, so running
    /// it again never stores anything twice.
    ///
    /// # Errors
    /// When the metadata store fails.
    pub(crate) async fn resume(&self) -> Result<()> {
        let owner = Some(&*self.shared.options.node);
        let unfinished = self.shared.metadata.unfinished_tasks(owner).await?;
        if !unfinished.is_empty() {
            tracing::info!(tasks = unfinished.len(), "taking up interrupted tasks");
        }
        self.state.lock().waiting.extend(unfinished);
        let (storage, now_ms) = (Arc::clone(&self.shared.storage), self.shared.clock.now_ms());
        spawn(async move { uploads::forget_old(&*storage, now_ms).await });
        let queue = self.clone();
        spawn(async move { queue.work().await });
        Ok(())
    }

    /// Stops a task that waits or runs; it ends as failed. One that ended is left as it is.
    ///
    /// # Errors
    /// When there is no such task, it is publishing at this moment, it is another node's, or the metadata
    /// store fails.
    pub(crate) async fn stop(&self, id: &str) -> Result<()> {
        let record = self.get(id).await?;
        if record.status != TaskStatus::Running {
            return Ok(());
        }
        self.check_owner(&record)?;
        let running = {
            let mut state = self.state.lock();
            state.waiting.retain(|waiting| waiting != id);
            state.running.get(id).cloned()
        };
        match running {
            Some(stop) => stop.ask(id),
            None => {
                let update = self.ending(&record, Err(Stop::error(id)));
                let ended = self.record_end(id, &update).await;
                match ended {
                    Ok(()) => self.forget_uploads(id).await,
                    // It was not stopped, and whoever asked is told so.
                    Err(_) => self.enqueue(id.to_owned()),
                }
                Ok(ended?)
            }
        }
    }

    /// True while a task waits for its turn; of one of another node that is not known here.
    #[must_use]
    pub(crate) fn is_waiting(&self, record: &TaskRecord) -> bool {
        self.is_own(record) && !self.state.lock().running.contains_key(&record.id)
    }

    fn is_own(&self, record: &TaskRecord) -> bool {
        *record.owner == *self.shared.options.node
    }

    fn check_owner(&self, record: &TaskRecord) -> Result<()> {
        if self.is_own(record) {
            return Ok(());
        }
        let (id, owner) = (&record.id, &record.owner);
        Err(RealtimeError::Unavailable(format!(
            "task '{id}' runs at realtime node '{owner}', which alone can stop it: send the request there"
        )))
    }

    /// A task with its live progress, without its spec.
    ///
    /// # Errors
    /// When there is none, or the metadata store fails.
    pub(crate) async fn get(&self, id: &str) -> Result<TaskRecord> {
        let filter = TaskFilter { id: Some(id.to_owned()), ..TaskFilter::default() };
        self.list(&filter).await?.pop().ok_or_else(|| not_found(id))
    }

    /// The spec of a task, as it was sent.
    ///
    /// # Errors
    /// When there is none, or the metadata store fails.
    pub(crate) async fn payload(&self, id: &str) -> Result<String> {
        let record = self.shared.metadata.get_task(id).await?;
        record.map(|record| record.payload_json).ok_or_else(|| not_found(id))
    }

    /// Tasks, newest first, with live progress, without their specs.
    ///
    /// # Errors
    /// When the metadata store fails.
    pub(crate) async fn list(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        let mut records = self.shared.metadata.list_tasks(filter).await?;
        records.iter_mut().for_each(|record| self.add_progress(record));
        Ok(records)
    }

    /// How many there are, and how many ended since the start of the process.
    pub(crate) fn counts(&self) -> TaskCounts {
        let state = self.state.lock();
        let (waiting, running) = (state.waiting.len() as u64, state.running.len() as u64);
        TaskCounts { waiting, running, ..state.ended }
    }

    /// A spec may have megabytes, most of them inline data: it is parsed on a CPU thread.
    async fn parse(&self, json: Bytes) -> Result<(AnyTask, String)> {
        let _parsed = self.shared.requests.charge(json.len().saturating_mul(PARSED_FACTOR))?;
        let work = move || {
            let task = AnyTask::parse(&json)?;
            Ok::<_, RealtimeError>((task, String::from_utf8_lossy(&json).into_owned()))
        };
        self.shared.ingest_pool.spawn(PUSH_PRIORITY, work).await?
    }

    fn add_progress(&self, record: &mut TaskRecord) {
        if record.status == TaskStatus::Running
            && let Some(progress) = self.progress.lock().get(&record.id)
        {
            record.progress.clone_from(progress);
        }
    }

    /// Puts a task last, unless it waits or runs.
    fn enqueue(&self, id: String) {
        let mut state = self.state.lock();
        if !state.waiting.contains(&id) && !state.running.contains_key(&id) {
            state.waiting.push_back(id);
            self.added.notify_one();
        }
    }

    async fn work(&self) {
        loop {
            let next = {
                let mut state = self.state.lock();
                let next = state.waiting.pop_front();
                next.map(|id| {
                    let stop = Stop::default();
                    state.running.insert(id.clone(), stop.clone());
                    (id, stop)
                })
            };
            match next {
                Some((id, stop)) => {
                    self.run(&id, stop).await;
                    self.state.lock().running.remove(&id);
                }
                None => self.added.notified().await,
            }
        }
    }

    async fn run(&self, id: &str, stop: Stop) {
        let metadata = &self.shared.metadata;
        let record = match until_known(|| metadata.get_task(id)).await {
            Ok(Some(record)) if record.status == TaskStatus::Running => record,
            // It was stopped without an answer, or found again when it just ended.
            Ok(_) => return,
            Err(error) => {
                // It stays unfinished in the metadata store, which the next start takes up.
                tracing::error!(task = id, %error, "failed to read a task");
                return;
            }
        };
        let payload = Bytes::from(record.payload_json.clone());
        let outcome = match self.parse(payload).await {
            Ok((task, _)) => {
                let board = Arc::clone(&self.progress);
                task.run(Arc::clone(&self.shared), id, board, stop).await
            }
            Err(error) => Err(error),
        };
        let update = self.ending(&record, outcome);
        if let Err(error) = until_known(|| self.record_end(id, &update)).await {
            tracing::error!(task = id, %error, "failed to record the end of a task");
            return;
        }
        self.forget_uploads(id).await;
    }

    /// Deletes what was uploaded for a task that ended.
    async fn forget_uploads(&self, id: &str) {
        let Ok(payload) = self.payload(id).await else { return };
        if !payload.contains(uploads::TYPE) {
            return;
        }
        if let Ok((AnyTask::Index(task), _)) = self.parse(payload.into()).await {
            uploads::forget(&*self.shared.storage, &task.spec.io_config.input_source).await;
        }
    }

    fn ending(&self, record: &TaskRecord, outcome: Result<TaskProgress>) -> TaskUpdate {
        let live = self.progress.lock().get(&record.id).cloned().unwrap_or_default();
        let (status, error, progress) = match outcome {
            Ok(progress) => (TaskStatus::Success, None, progress),
            Err(error) => (TaskStatus::Failed, Some(error.to_string()), live),
        };
        let elapsed_ms = self.shared.clock.now_ms() - record.created_ms;
        match &error {
            Some(error) => tracing::error!(task = %record.id, %error, "task failed"),
            None => tracing::info!(
                task = %record.id,
                datasource = %record.datasource,
                events = progress.accepted,
                refused = progress.rejected,
                segments = progress.segments,
                elapsed_ms,
                "task done"
            ),
        }
        let duration_ms = Some(elapsed_ms);
        TaskUpdate { status, error, duration_ms, progress }
    }

    async fn record_end(&self, id: &str, update: &TaskUpdate) -> Result<(), MetadataError> {
        self.shared.metadata.update_task(id, update).await?;
        self.progress.lock().remove(id);
        self.state.lock().ended.end(update.status);
        if let Err(error) = self.shared.metadata.prune_tasks(KEPT).await {
            tracing::warn!(%error, "failed to forget old tasks, will try again");
        }
        Ok(())
    }
}

fn no_answer(id: &str) -> String {
    format!(
        "it is not known whether task '{id}' is stored, and if it is it will run: ask for its status \
         before it is submitted again"
    )
}

fn not_found(id: &str) -> RealtimeError {
    RealtimeError::NotFound(format!("there is no task '{id}'"))
}
