//! How many tasks a node has, for whoever watches it.

use henge_platform::metadata::TaskStatus;

/// Tasks of a node by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Those that wait for their turn.
    pub waiting: u64,
    /// Those at work.
    pub running: u64,
    /// Those that ended well since the start of the process.
    pub succeeded: u64,
    /// Those that failed or were stopped since then.
    pub failed: u64,
}

impl TaskCounts {
    /// Counts one that ended.
    pub(super) fn end(&mut self, status: TaskStatus) {
        match status {
            TaskStatus::Success => self.succeeded += 1,
            TaskStatus::Failed => self.failed += 1,
            TaskStatus::Running => {}
        }
    }
}
