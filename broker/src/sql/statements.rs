//! The statements of this broker that are at work: their names, by which they are cancelled, their deadlines, and
//! what their native queries told and hold.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use henge_data_node::deadline_after;
use henge_exec::{MemoryLease, QueryMemory};
use henge_platform::runtime::{random, watch};
use henge_sql::{SqlError, SqlRequest, Stage, Watch};
use henge_types::ErrorClass;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::profile::Profile;

/// Statements at work.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    running: Mutex<HashMap<String, Arc<Statement>>>,
}

/// A statement at work.
#[derive(Debug)]
pub(crate) struct Statement {
    /// What clients call it; several may have the same id.
    pub(crate) id: Arc<str>,
    /// Its own name, the `queryId` of all its native queries. Made here, so that nobody can guess it.
    pub(super) key: String,
    /// Its text.
    pub(crate) text: Arc<str>,
    /// As the client sent it.
    pub(super) context: Map<String, Value>,
    /// When it came, by the wall clock.
    pub(crate) created_ms: i64,
    pub(super) started: Instant,
    /// When its time is up.
    pub(super) deadline: Instant,
    pub(super) timeout_ms: u64,
    stop: watch::Sender<bool>,
    /// Nobody wants its answer any more.
    is_over: AtomicBool,
    own_memory: Mutex<OwnMemory>,
    told: Mutex<Told>,
}

/// What a statement holds itself: its plan while it is made, and what is no native query.
#[derive(Debug)]
struct OwnMemory {
    lease: MemoryLease,
    bytes: usize,
}

/// What the native queries of a statement told and hold.
#[derive(Debug, Default)]
struct Told {
    response_context: Map<String, Value>,
    leases: Vec<MemoryLease>,
    figures: Figures,
}

/// What the native queries of a statement took together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Queries.
    pub(crate) native_queries: u64,
    /// Segments read.
    pub(crate) segments_scanned: u64,
    /// Rows of these.
    pub(crate) rows_scanned: u64,
    /// Bytes of their answers.
    pub(crate) answer_bytes: u64,
    /// Time on CPU threads.
    pub(crate) cpu_micros: u64,
}

impl Statements {
    /// Notes a statement until what is returned is dropped; `None` when `most` are at work.
    pub(super) fn begin(
        self: &Arc<Self>,
        id: Arc<str>,
        request: &SqlRequest,
        memory: &QueryMemory,
        timeout_ms: u64,
        most: usize,
    ) -> Option<Registered> {
        let started = Instant::now();
        let statement = Arc::new(Statement {
            id,
            key: format!("{:032x}", random::<u128>()),
            text: request.text.as_str().into(),
            context: request.context.clone(),
            created_ms: request.now_ms,
            started,
            deadline: deadline_after(Duration::from_millis(timeout_ms)),
            timeout_ms,
            stop: watch::Sender::new(false),
            is_over: AtomicBool::new(false),
            own_memory: Mutex::new(OwnMemory { lease: memory.lease(), bytes: 0 }),
            told: Mutex::default(),
        });
        let mut running = self.running.lock();
        if running.len() >= most {
            return None;
        }
        running.insert(statement.key.clone(), Arc::clone(&statement));
        Some(Registered { statement, all: Arc::clone(self) })
    }

    /// The statement that a native query is part of.
    pub(super) fn of_key(&self, key: &str) -> Option<Arc<Statement>> {
        self.running.lock().get(key).cloned()
    }

    /// Stops the statements with an id; true when there was one.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        let running = self.running.lock();
        let mut found = false;
        for statement in running.values().filter(|statement| *statement.id == *id) {
            statement.stop.send_replace(true);
            found = true;
        }
        found
    }

    /// All of them, the oldest first.
    pub(super) fn list(&self) -> Vec<Arc<Statement>> {
        let mut all: Vec<_> = self.running.lock().values().cloned().collect();
        all.sort_by(|a, b| (a.created_ms, &a.key).cmp(&(b.created_ms, &b.key)));
        all
    }
}

impl Statement {
    /// Completes when somebody cancels it.
    pub(super) async fn cancelled(&self) {
        let mut stop = self.stop.subscribe();
        // Its sender lives as long as the statement.
        let _ = stop.wait_for(|is_set| *is_set).await;
    }

    /// Whatever still works on it is to end.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Milliseconds that its native queries have left; at least one, as 0 is no limit.
    pub(super) fn left_ms(&self) -> u64 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// A native query was answered; `lease` is held until the statement ends.
    pub(super) fn note(
        &self,
        response_context: &Map<String, Value>,
        profile: &Profile,
        lease: Option<MemoryLease>,
    ) {
        let mut told = self.told.lock();
        let known = response_context.iter().map(|(key, value)| (key.clone(), value.clone()));
        told.response_context.extend(known);
        told.leases.extend(lease);
        told.figures.native_queries += 1;
        told.figures.segments_scanned += profile.segments_scanned;
        told.figures.rows_scanned += profile.rows_scanned;
        told.figures.answer_bytes += profile.result_bytes;
        told.figures.cpu_micros += profile.cpu_micros;
    }

    /// Its time was up.
    pub(super) fn timed_out(&self) -> SqlError {
        let timeout_ms = self.timeout_ms;
        let message = format!(
            "the statement timed out after {timeout_ms} ms: raise \"timeout\" in its context"
        );
        SqlError::new(ErrorClass::Timeout, message)
    }

    /// What is to be known of its answer beside the rows, as far as native queries told it.
    pub(super) fn response_context(&self) -> Map<String, Value> {
        self.told.lock().response_context.clone()
    }

    /// What its native queries took so far.
    pub(super) fn figures(&self) -> Figures {
        self.told.lock().figures
    }
}

impl Watch for Statement {
    fn check(&self, _: Stage) -> Result<(), SqlError> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err(SqlError::new(ErrorClass::Cancelled, "the statement was stopped"));
        }
        match Instant::now() < self.deadline {
            true => Ok(()),
            false => Err(self.timed_out()),
        }
    }

    fn grow(&self, bytes: usize) -> Result<(), SqlError> {
        let mut memory = self.own_memory.lock();
        let wanted = memory.bytes.saturating_add(bytes);
        let grown = memory.lease.set(wanted);
        grown.map_err(|error| SqlError::new(error.class(), error.to_string()))?;
        memory.bytes = wanted;
        Ok(())
    }

    fn shrink(&self, bytes: usize) {
        let mut memory = self.own_memory.lock();
        let wanted = memory.bytes.saturating_sub(bytes);
        // What becomes less is never refused.
        if memory.lease.set(wanted).is_ok() {
            memory.bytes = wanted;
        }
    }
}

/// A statement that is noted.
#[derive(Debug)]
pub(super) struct Registered {
    /// The statement.
    pub(super) statement: Arc<Statement>,
    all: Arc<Statements>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.statement.end();
        self.all.running.lock().remove(&self.statement.key);
    }
}

#[cfg(test)]
mod tests {
    use henge_exec::MemoryPool;

    use super::*;

    fn begin(all: &Arc<Statements>, id: &str, most: usize) -> Option<Registered> {
        let memory = QueryMemory::new(Arc::new(MemoryPool::new(100)), 80);
        all.begin(id.into(), &SqlRequest::default(), &memory, 1_000, most)
    }

    #[tokio::test(start_paused = true)]
    async fn f_61_f_63_work_on_a_statement_ends_with_it_and_has_its_memory() {
        let all = Arc::new(Statements::default());
        let (one, two) = (begin(&all, "q", 9).unwrap(), begin(&all, "r", 9).unwrap());
        let statement = Arc::clone(&one.statement);
        statement.check(Stage::Run).unwrap();
        statement.grow(80).unwrap();
        let refused = statement.grow(1).unwrap_err();
        assert_eq!(refused.class, ErrorClass::ResourceLimit);
        statement.shrink(50);
        statement.grow(40).unwrap();
        drop(one);
        assert_eq!(statement.check(Stage::Run).unwrap_err().class, ErrorClass::Cancelled);
        tokio::time::advance(Duration::from_secs(2)).await;
        let late = two.statement.check(Stage::Optimise).unwrap_err();
        assert_eq!(late.class, ErrorClass::Timeout);
    }

    #[tokio::test]
    async fn statements_of_one_id_are_cancelled_together_and_forgotten_when_they_end() {
        let all = Arc::new(Statements::default());
        let (one, two) = (begin(&all, "q", 9).unwrap(), begin(&all, "q", 9).unwrap());
        let other = begin(&all, "r", 9).unwrap();
        assert!(!all.cancel("nobody"));
        assert!(all.cancel("q"));
        one.statement.cancelled().await;
        two.statement.cancelled().await;
        assert!(all.of_key(&one.statement.key).is_some());
        let key = one.statement.key.clone();
        drop((one, two));
        assert!(all.of_key(&key).is_none() && !all.cancel("q"));
        assert_eq!(all.list().len(), 1);
        drop(other);
        assert!(all.list().is_empty());
    }

    #[test]
    fn h_63_no_more_statements_than_are_allowed_are_at_work() {
        let all = Arc::new(Statements::default());
        let first = begin(&all, "q", 1);
        assert!(first.is_some() && begin(&all, "q", 1).is_none());
        drop(first);
        assert!(begin(&all, "q", 1).is_some());
    }
}
