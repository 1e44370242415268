//! [`StatementPool`]: the memory of a statement's operators, as DataFusion asks for it. What they hold counts in the
//! statement's account, beside what its native queries hold, and among what all statements' operators hold.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::watch::Watch;

/// The pool of one statement.
#[derive(Debug)]
pub(super) struct StatementPool {
    /// That of all statements.
    all: Arc<dyn MemoryPool>,
    watch: Arc<dyn Watch>,
    /// Bytes of operators that took them without asking, and that the account did not have.
    unaccounted: AtomicUsize,
}

impl StatementPool {
    pub(super) fn new(all: Arc<dyn MemoryPool>, watch: Arc<dyn Watch>) -> Self {
        Self { all, watch, unaccounted: AtomicUsize::new(0) }
    }

    fn give_back(&self, bytes: usize) {
        let taken = |unaccounted: usize| Some(unaccounted.saturating_sub(bytes));
        let before = self.unaccounted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken);
        let unaccounted = before.unwrap_or(0).min(bytes);
        self.watch.shrink(bytes - unaccounted);
    }

    /// What operators hear that may not have more: those that can spill do so then.
    fn refused(&self, reservation: &MemoryReservation, bytes: usize) -> DataFusionError {
        let most = match self.all.memory_limit() {
            MemoryLimit::Finite(most) => most.to_string(),
            MemoryLimit::Infinite | MemoryLimit::Unknown => "few".to_owned(),
        };
        DataFusionError::ResourcesExhausted(format!(
            "{} holds {} bytes and wants {bytes} more; operators outside of native queries may hold {most} \
             together (sql.memory_bytes), {} are held: filter or limit earlier, group by fewer values, or raise it",
            reservation.consumer().name(),
            reservation.size(),
            self.all.reserved(),
        ))
    }
}

impl fmt::Display for StatementPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of a statement, within {}", self.all)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if self.watch.grow(additional).is_err() {
            self.unaccounted.fetch_add(additional, Ordering::Relaxed);
        }
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
        self.give_back(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.watch
            .grow(additional)
            .map_err(|error| DataFusionError::ResourcesExhausted(error.message))?;
        self.all.try_grow(reservation, additional).map_err(|_| {
            self.watch.shrink(additional);
            self.refused(reservation, additional)
        })
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;
    use crate::error::SqlError;
    use crate::watch::Stage;

    /// An account of a hundred bytes.
    #[derive(Debug, Default)]
    struct Hundred(Mutex<usize>);

    impl Watch for Hundred {
        fn check(&self, _: Stage) -> crate::error::Result<()> {
            Ok(())
        }

        fn grow(&self, bytes: usize) -> crate::error::Result<()> {
            let mut held = self.0.lock().unwrap();
            match *held + bytes {
                sum @ 0..=100 => {
                    *held = sum;
                    Ok(())
                }
                _ => Err(SqlError::invalid("a hundred")),
            }
        }

        fn shrink(&self, bytes: usize) {
            *self.0.lock().unwrap() -= bytes;
        }
    }

    fn pool(all: usize) -> (Arc<Hundred>, Arc<dyn MemoryPool>) {
        let account = Arc::new(Hundred::default());
        let all = Arc::new(GreedyMemoryPool::new(all));
        (Arc::clone(&account), Arc::new(StatementPool::new(all, account)))
    }

    #[test]
    fn f_63_what_operators_hold_counts_in_the_account_and_among_all() {
        let (account, pool) = pool(80);
        let held = MemoryConsumer::new("join").register(&pool);
        held.try_grow(60).unwrap();
        assert_eq!((*account.0.lock().unwrap(), pool.reserved()), (60, 60));
        let refused = held.try_grow(30).unwrap_err().to_string();
        assert!(refused.contains("join holds 60 bytes") && refused.contains("sql.memory_bytes"));
        assert_eq!((*account.0.lock().unwrap(), pool.reserved()), (60, 60));
        drop(held);
        assert_eq!((*account.0.lock().unwrap(), pool.reserved()), (0, 0));
    }

    #[test]
    fn f_63_an_account_that_is_full_is_told_as_memory_that_is_exhausted() {
        let (account, pool) = pool(1_000);
        let held = MemoryConsumer::new("sort").register(&pool);
        assert!(matches!(held.try_grow(101), Err(DataFusionError::ResourcesExhausted(_))));
        assert_eq!(pool.reserved(), 0);
        // What does not ask gets more than there is, and gives back no more than it took.
        held.grow(150);
        held.try_grow(50).unwrap();
        held.shrink(100);
        assert_eq!((*account.0.lock().unwrap(), pool.reserved()), (50, 100));
        drop(held);
        assert_eq!((*account.0.lock().unwrap(), pool.reserved()), (0, 0));
    }
}
