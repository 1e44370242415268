//! The open files of all logs: a process may have more datasources than file handles, so logs that
//! were not written to for the longest time close their files and open them again when needed.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// A log whose file can be closed for a while.
pub(super) trait ParkedFile: Send + Sync + Debug {
    /// Closes the file; false when it is in use.
    fn close_file(&self) -> bool;
}

/// The logs with open files, those used last at the back. Clones share it.
#[derive(Debug, Clone)]
pub struct LogHandles {
    open: Arc<Mutex<VecDeque<Weak<dyn ParkedFile>>>>,
    max_open: usize,
}

impl Default for LogHandles {
    fn default() -> Self {
        Self::new(256)
    }
}

impl LogHandles {
    /// At most so many logs, at least one, have open files; a few more while all are in use.
    #[must_use]
    pub fn new(max_open: usize) -> Self {
        Self { open: Arc::default(), max_open: max_open.max(1) }
    }

    /// Logs that count as having an open file.
    #[cfg(test)]
    #[must_use]
    pub(super) fn open_count(&self) -> usize {
        self.open.lock().len()
    }

    /// A log has used its file. Must not be called by one that holds its own file's lock.
    pub(super) fn note_use(&self, log: Weak<dyn ParkedFile>) {
        let mut open = self.open.lock();
        open.retain(|other| !Weak::ptr_eq(other, &log) && other.strong_count() > 0);
        let mut in_use = Vec::new();
        while open.len() + in_use.len() >= self.max_open {
            let Some(oldest) = open.pop_front() else { break };
            if oldest.upgrade().is_some_and(|oldest| !oldest.close_file()) {
                in_use.push(oldest);
            }
        }
        in_use.into_iter().rev().for_each(|log| open.push_front(log));
        open.push_back(log);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Log {
        busy: AtomicBool,
        closed: AtomicUsize,
    }

    impl ParkedFile for Log {
        fn close_file(&self) -> bool {
            let busy = self.busy.load(Ordering::Relaxed);
            self.closed.fetch_add(usize::from(!busy), Ordering::Relaxed);
            !busy
        }
    }

    #[test]
    fn i_11_the_file_used_the_longest_ago_is_closed_unless_it_is_in_use() {
        let handles = LogHandles::new(2);
        let logs: Vec<Arc<Log>> = (0..4).map(|_| Arc::default()).collect();
        let note = |index: usize| {
            let log: Weak<Log> = Arc::downgrade(&logs[index]);
            handles.note_use(log);
        };
        let closed =
            || logs.iter().map(|log| log.closed.load(Ordering::Relaxed)).collect::<Vec<_>>();
        for index in [0, 1, 0, 2] {
            note(index);
        }
        assert_eq!((closed(), handles.open_count()), (vec![0, 1, 0, 0], 2));
        logs[0].busy.store(true, Ordering::Relaxed);
        note(3);
        assert_eq!((closed(), handles.open_count()), (vec![0, 1, 1, 0], 2));
        logs[3].busy.store(true, Ordering::Relaxed);
        // All are in use: one more is opened.
        note(1);
        assert_eq!((closed(), handles.open_count()), (vec![0, 1, 1, 0], 3));
    }
}
