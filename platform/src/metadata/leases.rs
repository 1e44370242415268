//! Leases: who leads under a name, by the clock of the store and nobody else's, and the fences that keep the
//! writes of those who led before from doing harm. Decisions without storage, shared by all
//! implementations.
//!
//! A lease that ran out is no proof that its holder knows: it may be paused, and wake up. So each change of
//! holders raises the epoch, and a write that carries a fence is made in a transaction that finds the epoch
//! unchanged, or not at all.

use super::error::{MetadataError, Result};

/// A lease as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is about.
    pub name: String,
    /// Who has it, or had it last; `None` when it was given back.
    pub holder: Option<String>,
    /// Rises with each change of holders, and is never given out twice.
    pub epoch: u64,
    /// How much longer it lasts; 0 when anybody may take it.
    pub remaining_ms: u64,
}

/// What a write carries so that it is refused once somebody else leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The lease.
    pub lease: String,
    /// Its epoch when the writer got it.
    pub epoch: u64,
}

impl Lease {
    /// What the writes of its holder carry.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { lease: self.name.clone(), epoch: self.epoch }
    }

    /// True while `holder` leads.
    #[must_use]
    pub fn is_held_by(&self, holder: &str) -> bool {
        self.holder.as_deref() == Some(holder) && self.remaining_ms > 0
    }
}

/// A lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredLease {
    pub holder: Option<String>,
    pub epoch: u64,
    pub expires_ms: i64,
}

impl StoredLease {
    pub(super) fn at(self, name: &str, now_ms: i64) -> Lease {
        let Self { holder, epoch, expires_ms } = self;
        let remaining_ms = u64::try_from(expires_ms.saturating_sub(now_ms)).unwrap_or(0);
        Lease { name: name.to_owned(), holder, epoch, remaining_ms }
    }

    /// The same, lasting this much longer from now.
    pub(super) fn renewed(self, now_ms: i64, ttl_ms: u64) -> Self {
        let ttl_ms = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
        Self { expires_ms: now_ms.saturating_add(ttl_ms), ..self }
    }

    /// Nobody's any more.
    pub(super) fn released(self, now_ms: i64) -> Self {
        Self { holder: None, expires_ms: now_ms, ..self }
    }
}

/// What becomes of a lease that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is the asker's already, and lasts longer.
    Kept(StoredLease),
    /// It is the asker's from now on, under a new epoch.
    Taken,
    /// It is somebody else's.
    Refused(StoredLease),
}

pub(super) fn asked(known: Option<StoredLease>, holder: &str, now_ms: i64) -> Asked {
    match known {
        None => Asked::Taken,
        Some(known) if known.holder.as_deref() == Some(holder) => Asked::Kept(known),
        Some(known) if known.holder.is_none() || known.expires_ms <= now_ms => Asked::Taken,
        Some(known) => Asked::Refused(known),
    }
}

/// The lease that a fence speaks of, if it still is what it was.
pub(super) fn check_fence(known: Option<StoredLease>, fence: &Fence) -> Result<StoredLease> {
    match known {
        Some(known) if known.epoch == fence.epoch && known.holder.is_some() => Ok(known),
        known => Err(MetadataError::Fenced {
            lease: fence.lease.clone(),
            epoch: fence.epoch,
            current: known.map_or(0, |known| known.epoch),
        }),
    }
}
