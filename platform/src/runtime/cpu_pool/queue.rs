//! What runs next: the highest priority; among equals, what came first, except that work goes to
//! the back by several times what it has used already. So a short query overtakes long ones at once,
//! and long ones still get their share of every second.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering as Memory};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Priority;

/// A turn ends after this long if an equal waits.
const TURN: Duration = Duration::from_millis(5);
/// A turn on the thread of whoever asks ends after this long: that thread has other things to do.
const TURN_HERE: Duration = Duration::from_millis(1);
/// Work that has used a second lets through what arrives in the next four.
const STAND_BACK: u32 = 4;
/// But not by more than this: under a flood of short work, long work still moves.
const MAX_STAND_BACK: Duration = Duration::from_millis(100);
/// The waiting priority while nothing waits.
const NOBODY: i32 = i32::MIN;

/// One turn of work, and whether it wants another.
pub(super) type Run = Box<dyn FnMut(&Turn<'_>) -> Next + Send>;

/// What to do with work after a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Finished,
    Again,
}

/// The present turn of a task.
#[derive(Debug)]
pub struct Turn<'q> {
    queue: &'q Queue,
    priority: Priority,
    started: Instant,
    /// True on the thread of whoever asks.
    is_here: bool,
}

impl<'q> Turn<'q> {
    fn new(queue: &'q Queue, priority: Priority, is_here: bool) -> Self {
        Self { queue, priority, started: Instant::now(), is_here }
    }

    /// True when others should have the thread: something of a higher priority waits, or this turn
    /// has been long and an equal waits. Costs next to nothing while nobody waits.
    #[must_use]
    pub fn should_yield(&self) -> bool {
        let waiting = self.queue.waiting.load(Memory::Relaxed);
        waiting > self.priority
            || self.queue.of_runtime.is_some()
            || (self.is_here && self.started.elapsed() >= TURN_HERE)
            || (waiting == self.priority && waiting != NOBODY && self.started.elapsed() >= TURN)
    }
}

struct Job {
    priority: Priority,
    /// When its turn is due among its equals.
    due: Instant,
    sequence: u64,
    used: Duration,
    run: Run,
}

impl Job {
    fn rank(&self) -> (Priority, Reverse<Instant>, Reverse<u64>) {
        (self.priority, Reverse(self.due), Reverse(self.sequence))
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// What there is to start.
enum Start {
    Job(Job),
    /// Nothing for now.
    Later,
    /// The queue is closed.
    Never,
}

#[derive(Default)]
struct State {
    jobs: BinaryHeap<Job>,
    next_sequence: u64,
    /// Threads at work below priority 0.
    low_running: usize,
    closed: bool,
}

/// The queue of a pool.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// The highest priority that waits for a thread.
    waiting: AtomicI32,
    /// Threads that work below priority 0 may take.
    low_limit: usize,
    /// Wakes the task that works in the place of threads, if there is one.
    of_runtime: Option<Notify>,
    /// True while somebody's own thread takes a turn.
    here: AtomicBool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("low_limit", &self.low_limit).finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn of_threads(threads: usize) -> Self {
        Self::new(threads, None)
    }

    /// For [`Queue::work_between_tasks`].
    pub(super) fn of_runtime() -> Self {
        Self::new(1, Some(Notify::new()))
    }

    fn new(threads: usize, of_runtime: Option<Notify>) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            waiting: AtomicI32::new(NOBODY),
            low_limit: threads.saturating_sub(1).max(1),
            of_runtime,
            here: AtomicBool::new(false),
        }
    }

    /// Number of jobs that wait.
    pub(super) fn depth(&self) -> usize {
        self.state.lock().jobs.len()
    }

    /// Queues work that has used so much time in earlier turns.
    pub(super) fn push(&self, priority: Priority, run: Run, used: Duration) {
        let due = Instant::now() + (used * STAND_BACK).min(MAX_STAND_BACK);
        let mut state = self.state.lock();
        if state.closed {
            // Dropped outside the lock: that tells whoever waits for it.
            drop(state);
            return;
        }
        let sequence = state.next_sequence;
        state.next_sequence += 1;
        state.jobs.push(Job { priority, due, sequence, used, run });
        self.note_waiting(&state);
        drop(state);
        self.wake.notify_one();
        self.of_runtime.iter().for_each(Notify::notify_one);
    }

    /// Works until the queue is closed.
    pub(super) fn work(&self) {
        while let Some(job) = self.next() {
            self.take_turn(job);
        }
    }

    /// The same as a task, which lets others run after every turn.
    pub(super) async fn work_between_tasks(self: Arc<Self>) {
        loop {
            let start = self.start_one(&mut self.state.lock());
            match start {
                Start::Job(job) => self.take_turn(job),
                Start::Later => match &self.of_runtime {
                    Some(woken) => woken.notified().await,
                    None => return,
                },
                Start::Never => return,
            }
            tokio::task::yield_now().await;
        }
    }

    fn take_turn(&self, mut job: Job) {
        let turn = Turn::new(self, job.priority, false);
        let next = (job.run)(&turn);
        let used = job.used + turn.started.elapsed();
        if job.priority < 0 {
            self.end_low();
        }
        if next == Next::Again {
            self.push(job.priority, job.run, used);
        }
    }

    /// Takes the first turn on this thread, unless something waits or another thread does so too:
    /// then all is left to the queue. `run` catches its panics.
    pub(super) fn take_turn_here(&self, priority: Priority, mut run: Run) {
        let waits = self.waiting.load(Memory::Relaxed) != NOBODY;
        let may_run = priority >= 0 && !waits && self.of_runtime.is_none();
        if !may_run || self.here.swap(true, Memory::Acquire) {
            return self.push(priority, run, Duration::ZERO);
        }
        let turn = Turn::new(self, priority, true);
        let next = run(&turn);
        self.here.store(false, Memory::Release);
        if next == Next::Again {
            self.push(priority, run, turn.started.elapsed());
        }
    }

    /// Lets everybody go; what waits is dropped.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let abandoned = std::mem::take(&mut state.jobs);
        drop(state);
        // Dropping the closures drops their senders, which tells the waiters.
        drop(abandoned);
        self.wake.notify_all();
        self.of_runtime.iter().for_each(Notify::notify_one);
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            match self.start_one(&mut state) {
                Start::Job(job) => return Some(job),
                Start::Later => self.wake.wait(&mut state),
                Start::Never => return None,
            }
        }
    }

    fn start_one(&self, state: &mut State) -> Start {
        if state.closed {
            return Start::Never;
        }
        if !self.may_start(state) {
            return Start::Later;
        }
        let Some(job) = state.jobs.pop() else { return Start::Later };
        state.low_running += usize::from(job.priority < 0);
        self.note_waiting(state);
        Start::Job(job)
    }

    /// The first job is the highest: when it has to wait for a thread, so have all.
    fn may_start(&self, state: &State) -> bool {
        let is_low = state.jobs.peek().is_some_and(|job| job.priority < 0);
        !is_low || state.low_running < self.low_limit
    }

    fn end_low(&self) {
        let mut state = self.state.lock();
        state.low_running -= 1;
        self.note_waiting(&state);
        drop(state);
        self.wake.notify_one();
    }

    /// Low jobs that may not start make nobody yield, but for the low ones that are in their way.
    fn note_waiting(&self, state: &State) {
        let waiting = state.jobs.peek().map_or(NOBODY, |job| job.priority);
        self.waiting.store(waiting, Memory::Relaxed);
    }
}
