//! Who holds how many bytes: a pool for all queries of a server, an account a query, a lease a task.
//! Leases follow what their holder really uses, so that idle budget is nobody's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use henge_scan::{ExecError, Result};

/// Bytes that are held elsewhere on behalf of queries.
type HeldElsewhere = Box<dyn Fn() -> usize + Send + Sync>;

/// The bytes that all queries of a server may hold together.
pub struct MemoryPool {
    capacity_bytes: usize,
    used_bytes: AtomicUsize,
    held_elsewhere: Option<HeldElsewhere>,
}

impl std::fmt::Debug for MemoryPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { capacity_bytes, used_bytes, .. } = self;
        let mut shown = f.debug_struct("MemoryPool");
        shown.field("capacity_bytes", capacity_bytes).field("used_bytes", used_bytes);
        shown.finish_non_exhaustive()
    }
}

impl MemoryPool {
    /// A pool of so many bytes.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self { capacity_bytes, used_bytes: AtomicUsize::new(0), held_elsewhere: None }
    }

    /// Less room while something else holds bytes for queries: answers that nobody has read yet.
    #[must_use]
    pub fn beside(self, held: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self { held_elsewhere: Some(Box::new(held)), ..self }
    }

    /// Bytes that queries may hold at this moment.
    fn room_bytes(&self) -> usize {
        let held = self.held_elsewhere.as_ref().map_or(0, |held| held());
        self.capacity_bytes.saturating_sub(held)
    }

    /// Bytes that may be held.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.capacity_bytes
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Account {
    pool: Option<Arc<MemoryPool>>,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
}

/// The account of one query; clones share it.
#[derive(Debug, Clone)]
pub struct QueryMemory(Arc<Account>);

impl Default for QueryMemory {
    /// Without limits.
    fn default() -> Self {
        Self::open(None, usize::MAX)
    }
}

impl QueryMemory {
    /// An account within a pool, of at most `limit_bytes`.
    #[must_use]
    pub fn new(pool: Arc<MemoryPool>, limit_bytes: usize) -> Self {
        Self::open(Some(pool), limit_bytes)
    }

    fn open(pool: Option<Arc<MemoryPool>>, limit_bytes: usize) -> Self {
        Self(Arc::new(Account { pool, limit_bytes, used_bytes: AtomicUsize::new(0) }))
    }

    /// A lease of nothing yet.
    #[must_use]
    pub fn lease(&self) -> MemoryLease {
        MemoryLease { memory: self.clone(), bytes: 0 }
    }

    /// Bytes that the query holds now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.0.used_bytes.load(Ordering::Relaxed)
    }

    /// True when all queries together hold more than three quarters of what they may: whoever can do
    /// with less is to give back what it holds before others are refused.
    pub(crate) fn is_scarce(&self) -> bool {
        let pool = self.0.pool.as_ref();
        pool.is_some_and(|pool| pool.used_bytes() > pool.room_bytes() / 4 * 3)
    }

    fn grow(&self, bytes: usize) -> Result<()> {
        let account = &*self.0;
        if !add_within(&account.used_bytes, bytes, account.limit_bytes) {
            return Err(ExecError::ResourceLimit(format!(
                "the query needs more than {} bytes of memory: group by fewer values, filter more, \
                 or raise query.memory_budget_bytes",
                account.limit_bytes
            )));
        }
        let Some(pool) = &account.pool else { return Ok(()) };
        let room_bytes = pool.room_bytes();
        if !add_within(&pool.used_bytes, bytes, room_bytes) {
            account.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(ExecError::Capacity(format!(
                "queries hold {} of {} bytes of memory, answers not read yet {}, and this one needs \
                 {bytes} more: try again later, or raise query.total_memory_bytes",
                pool.used_bytes(),
                pool.capacity_bytes,
                pool.capacity_bytes - room_bytes
            )));
        }
        Ok(())
    }

    fn shrink(&self, bytes: usize) {
        self.0.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(pool) = &self.0.pool {
            pool.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// What one holder uses; given back when dropped.
#[derive(Debug)]
pub struct MemoryLease {
    memory: QueryMemory,
    bytes: usize,
}

impl MemoryLease {
    /// The holder now uses so many bytes.
    ///
    /// # Errors
    /// When the query or the server has no more; the lease is then as it was.
    pub fn set(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            self.memory.grow(bytes - self.bytes)?;
        } else {
            self.memory.shrink(self.bytes - bytes);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.memory.shrink(self.bytes);
    }
}

fn add_within(used: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        used.checked_add(bytes).filter(|sum| *sum <= limit)
    })
    .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_63_a_query_beyond_its_limit_fails_alone() {
        let pool = Arc::new(MemoryPool::new(100));
        let (small, large) =
            (QueryMemory::new(Arc::clone(&pool), 50), QueryMemory::new(Arc::clone(&pool), 50));
        let (mut a, mut b) = (large.lease(), large.lease());
        a.set(30).unwrap();
        let refused = b.set(30).unwrap_err();
        assert!(refused.to_string().contains("query.memory_budget_bytes"), "{refused}");
        small.lease().set(50).unwrap();
        assert_eq!((large.used_bytes(), pool.used_bytes()), (30, 30));
        a.set(10).unwrap();
        b.set(30).unwrap();
        drop((a, b));
        assert_eq!((large.used_bytes(), pool.used_bytes()), (0, 0));
    }

    #[test]
    fn what_is_held_elsewhere_is_no_room() {
        let answers = Arc::new(AtomicUsize::new(0));
        let held = Arc::clone(&answers);
        let pool = Arc::new(MemoryPool::new(100).beside(move || held.load(Ordering::Relaxed)));
        let mut lease = QueryMemory::new(Arc::clone(&pool), usize::MAX).lease();
        lease.set(60).unwrap();
        answers.store(40, Ordering::Relaxed);
        assert!(lease.set(61).unwrap_err().to_string().contains("answers not read yet 40"));
        answers.store(500, Ordering::Relaxed);
        assert!(lease.set(61).is_err());
        lease.set(5).unwrap();
        answers.store(0, Ordering::Relaxed);
        lease.set(100).unwrap();
        assert_eq!(pool.used_bytes(), 100);
    }

    #[test]
    fn the_pool_is_shared_and_what_is_refused_is_not_held() {
        let pool = Arc::new(MemoryPool::new(100));
        let first = QueryMemory::new(Arc::clone(&pool), 90);
        let second = QueryMemory::new(Arc::clone(&pool), 90);
        let (mut a, mut b) = (first.lease(), second.lease());
        a.set(80).unwrap();
        let refused = b.set(30).unwrap_err();
        assert!(matches!(refused, ExecError::Capacity(_)), "{refused}");
        assert!(refused.to_string().contains("query.total_memory_bytes"));
        assert_eq!((second.used_bytes(), pool.used_bytes()), (0, 80));
        drop(a);
        b.set(30).unwrap();
        assert_eq!(pool.used_bytes(), 30);
    }
}
