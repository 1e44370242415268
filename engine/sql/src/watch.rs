//! [`Watch`]: whether work on a statement may go on, and the memory that it may take.
//!
//! Planning and computing ask it again and again: between the rules of the planner, at each batch that an operator
//! gives, and within joins that give none for long. It answers from memory.

use std::fmt::Debug;
use std::sync::Arc;

use crate::error::Result;

/// What work on a statement is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Its text is read.
    Read,
    /// Its tree is rewritten.
    Rewrite,
    /// Names are looked up.
    Resolve,
    /// Types are settled.
    Analyse,
    /// The plan is simplified.
    Optimise,
    /// Native queries are made of it.
    Lower,
    /// Operators are chosen for the rest.
    Schedule,
    /// They run.
    Run,
}

/// Watches over one statement, for all threads that work on it.
pub trait Watch: Debug + Send + Sync {
    /// Whether the work may go on; also told when a stage begins.
    ///
    /// # Errors
    /// When the statement's time is up, or nobody wants its answer any more.
    fn check(&self, stage: Stage) -> Result<()>;

    /// The statement takes `bytes` more of memory.
    ///
    /// # Errors
    /// When it may not have them, with the setting that says so; then it has as many as before.
    fn grow(&self, bytes: usize) -> Result<()>;

    /// The statement gives back `bytes` of what it took.
    fn shrink(&self, bytes: usize);
}

/// No bounds: for tools, and where somebody else watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn check(&self, _: Stage) -> Result<()> {
        Ok(())
    }

    fn grow(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn shrink(&self, _: usize) {}
}

/// Memory that a statement took, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    watch: Arc<dyn Watch>,
    bytes: usize,
}

impl Held {
    /// Nothing so far.
    pub(crate) fn nothing(watch: &Arc<dyn Watch>) -> Self {
        Self { watch: Arc::clone(watch), bytes: 0 }
    }

    /// It is so many bytes now.
    ///
    /// # Errors
    /// As [`Watch::grow`].
    pub(crate) fn set(&mut self, bytes: usize) -> Result<()> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.watch.grow(more)?,
            None => self.watch.shrink(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.watch.shrink(self.bytes);
    }
}
