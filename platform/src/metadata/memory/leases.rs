//! Leases and fences in memory.

use super::state::State;
use crate::metadata::error::Result;
use crate::metadata::leases::{Asked, Fence, Lease, StoredLease, asked, check_fence};

impl State {
    pub(super) fn acquire_lease(
        &mut self,
        name: &str,
        holder: &str,
        now_ms: i64,
        ttl_ms: u64,
    ) -> Lease {
        let lease = match asked(self.leases.get(name).cloned(), holder, now_ms) {
            Asked::Refused(other) => return other.at(name, now_ms),
            Asked::Kept(lease) => lease,
            Asked::Taken => {
                let epoch = self.next_version().0;
                StoredLease { holder: Some(holder.to_owned()), epoch, expires_ms: now_ms }
            }
        };
        let lease = lease.renewed(now_ms, ttl_ms);
        self.leases.insert(name.to_owned(), lease.clone());
        lease.at(name, now_ms)
    }

    pub(super) fn renew_lease(&mut self, fence: &Fence, now_ms: i64, ttl_ms: u64) -> Result<Lease> {
        let lease = self.fenced(fence)?.renewed(now_ms, ttl_ms);
        self.leases.insert(fence.lease.clone(), lease.clone());
        Ok(lease.at(&fence.lease, now_ms))
    }

    pub(super) fn release_lease(&mut self, fence: &Fence, now_ms: i64) -> Result<()> {
        let lease = self.fenced(fence)?.released(now_ms);
        self.leases.insert(fence.lease.clone(), lease);
        Ok(())
    }

    /// Refuses a write whose fence is of an earlier epoch.
    pub(super) fn check_fence(&self, fence: Option<&Fence>) -> Result<()> {
        fence.map_or(Ok(()), |fence| self.fenced(fence).map(|_| ()))
    }

    fn fenced(&self, fence: &Fence) -> Result<StoredLease> {
        check_fence(self.leases.get(&fence.lease).cloned(), fence)
    }
}
