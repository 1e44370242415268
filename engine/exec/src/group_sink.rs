//! Where groups go that do not fit into memory.

use std::fmt::Debug;
use std::sync::Arc;

use henge_scan::Result;

use crate::memory::QueryMemory;
use crate::partial::GroupedPartial;

/// What a worker holds is put aside from this part of its share on, when the server has little left.
const PART_WHEN_SCARCE: usize = 8;

/// Takes groups that do not fit into memory.
pub trait GroupSink: Send + Sync + Debug {
    /// Puts groups aside.
    ///
    /// # Errors
    /// When there is no room for them either.
    fn put(&self, groups: GroupedPartial) -> Result<()>;
}

/// When and where to groups are put aside.
#[derive(Debug, Clone)]
pub struct Spill {
    /// Where to.
    pub sink: Arc<dyn GroupSink>,
    /// What one worker may hold before.
    pub above_bytes: usize,
}

impl Spill {
    /// True when a worker that holds so many bytes is to put them aside: they are its share, or they are
    /// worth writing and other queries find little left.
    pub(crate) fn is_due(&self, held_bytes: usize, memory: &QueryMemory) -> bool {
        let worth_writing = held_bytes > self.above_bytes / PART_WHEN_SCARCE;
        held_bytes > self.above_bytes || (worth_writing && memory.is_scarce())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPool;

    #[derive(Debug)]
    struct Nowhere;

    impl GroupSink for Nowhere {
        fn put(&self, _: GroupedPartial) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn f_63_a_worker_makes_room_earlier_where_others_hold_much() {
        let pool = Arc::new(MemoryPool::new(100));
        let (own, others) =
            (QueryMemory::new(Arc::clone(&pool), 50), QueryMemory::new(Arc::clone(&pool), 100));
        let spill = Spill { sink: Arc::new(Nowhere), above_bytes: 24 };
        let due = |held| spill.is_due(held, &own);
        assert_eq!([due(4), due(24), due(25)], [false, false, true]);
        let mut lease = others.lease();
        lease.set(76).unwrap();
        assert_eq!([due(3), due(4), due(24)], [false, true, true]);
        lease.set(75).unwrap();
        assert!(!due(24));
        // Without a pool there are no others.
        assert!(!spill.is_due(24, &QueryMemory::default()));
    }
}
